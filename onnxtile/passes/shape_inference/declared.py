"""Shapes that a model declares of what its operators make: claims, which no operator's rule rests on."""

from __future__ import annotations

from collections.abc import Container
from functools import lru_cache

import onnx
import onnx_ir as ir
from onnx_shape_inference import registry

from onnxtile.ir.graphs import node_bodies, scopes

Declared = dict[ir.Value, ir.Shape]


def take_declared(model: ir.Model) -> Declared:
    """Take the declared shapes off every value that an operator makes, or a body gets, and return them.

    They stay on what operators make for which nobody has a rule (the model's own word is all there is then), and in
    local functions whose calls all have the same shapes, which were inferred.
    """
    declared: Declared = {}
    for scope in scopes(model):
        if scope.name.startswith("function ") and not scope.in_function:
            continue
        values = list(scope.graph.inputs) if isinstance(scope.graph, ir.Function) else []
        for node in scope.graph:
            if has_rule(node, model):
                values += node.outputs
                scalars = 2 if node.op_type == "Loop" else 0  # the number of the turn and the condition
                values += (value for body in node_bodies(node) for value in body.inputs[scalars:])
        for value in values:
            if value.shape is not None:
                declared[value] = value.shape
                value.shape = None
    return declared


def has_rule(node: ir.Node, model: ir.Model) -> bool:
    """Return whether somebody can infer the node's outputs."""
    return _is_defined(node.domain, node.op_type) or node.op_identifier() in model.functions


@lru_cache(maxsize=4096)
def is_registered(domain: str, op_type: str) -> bool:
    """Return whether onnx_shape_inference has a rule, in some version."""
    return bool(registry.has(domain, op_type))


@lru_cache(maxsize=4096)
def _is_defined(domain: str, op_type: str) -> bool:
    return bool(registry.has(domain, op_type) or onnx.defs.has(op_type, domain))


def corrected(
    said: ir.Shape, inferred: ir.Shape | None, trusted: bool, names: Container[str | None]
) -> ir.Shape | None:
    """Return a declared shape without the numbers that inference doesn't bear out; engines believe them otherwise.

    `trusted`: numbers stay of which nothing is known. `names`: those of free dimensions, in the model's own spelling.
    """
    if inferred is None:
        return said if trusted or not any(isinstance(dim, int) for dim in said) else None
    if len(said) != len(inferred):
        return in_words_of_the_model(inferred, names)
    dims = [
        old if not isinstance(old, int) or old == new or (trusted and _is_unknown(new)) else _named(new, names)
        for old, new in zip(said, inferred, strict=True)
    ]
    if dims == list(said):
        return said
    return ir.Shape(dims, denotations=[said.get_denotation(axis) for axis in range(len(dims))])


def in_words_of_the_model(shape: ir.Shape, names: Container[str | None]) -> ir.Shape:
    """Return a shape whose sizes are numbers and these names; others are unknown."""
    return ir.Shape([_named(dim, names) for dim in shape])


def _is_unknown(dim: int | ir.SymbolicDim) -> bool:
    return not isinstance(dim, int) and dim.value is None


def _named(dim: int | ir.SymbolicDim, names: Container[str | None]) -> int | ir.SymbolicDim:
    return dim if isinstance(dim, int) or dim.value in names else ir.SymbolicDim(None)
