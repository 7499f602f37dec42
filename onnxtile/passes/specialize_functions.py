"""Give local functions shapes: one body for all calls alike, a copy for each signature otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import onnx_ir as ir

from onnxtile.errors import UnsupportedError
from onnxtile.ir.graphs import callees_first, is_tiled_product, node_bodies
from onnxtile.ir.metadata import SHAPED_META
from onnxtile.ir.names import spellings
from onnxtile.operators.table import PRODUCTS
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.rewrites.inlining import bound_body

MOST_COPIES = 1000
"""Copies of functions that are made of one model: calls of calls may multiply."""
Functions = dict[ir.OperatorIdentifier, ir.Function]


@dataclass(frozen=True)
class SpecializeFunctions(ir.passes.InPlacePass):
    """f(x) := f'(x), f' being f with the shapes of x and the values of its attributes, where f holds products.

    The first signature keeps the function's name. Needs shapes: run infer-shapes before. Functions without products
    stay as they are. Raises UnsupportedError where copies would be too many.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        specializer = _Specializer(model, _with_products(model), dict(model.functions))
        specializer.visit(model.graph)
        callees_first(model)
        return ir.passes.PassResult(model, modified=bool(specializer.copies))


@dataclass
class _Specializer:
    model: ir.Model
    with_products: Functions
    originals: Functions
    copies: dict[object, ir.Function] = field(default_factory=dict)
    """Copies by what they're called with."""

    def visit(self, graph: ir.Graph) -> None:
        """Point the graph's calls to functions of their signature."""
        for node in list(graph):
            for body in node_bodies(node):
                self.visit(body)
            function = self.with_products.get(node.op_identifier())
            if function is None:
                continue
            types = (("", "") if value is None else (str(value.type), str(value.shape)) for value in node.inputs)
            attributes = sorted((attribute.name, str(attribute)) for attribute in node.attributes.values())
            key = (node.op_identifier(), *types, *attributes)
            if key not in self.copies:
                self.copies[key] = self._copy(function, node)
                self.visit(self.copies[key].graph)
            node.op_type = self.copies[key].name
            node.attributes.clear()

    def _copy(self, function: ir.Function, call: ir.Node) -> ir.Function:
        """Make the function that the call needs, with shapes, and add it to the model."""
        if len(self.copies) >= MOST_COPIES:
            words = f"function {function.name!r} and others are called in more than {MOST_COPIES:,} ways"
            raise UnsupportedError(words)
        body = bound_body(function, call)
        _set_types(body, call)
        functions = [original.clone() for original in self.originals.values()]
        InferShapes()(ir.Model(body, ir_version=self.model.ir_version, functions=functions))
        taken = self.model.functions.keys() - {function.identifier()}
        taken |= {copy.identifier() for copy in self.copies.values()}
        copy = ir.Function(function.domain, function.name, function.overload, graph=body, attributes=[])
        names = spellings(function.name, "_", 2)
        copy.name = next(name for name in names if (function.domain, name, function.overload) not in taken)
        copy.meta[SHAPED_META] = True
        self.model.functions[copy.identifier()] = copy
        return copy


def _set_types(body: ir.Graph, call: ir.Node) -> None:
    """Give the ends of a function's body the types and shapes that they have in a call; all else has none."""
    for value in (value for node in body for value in node.outputs):
        value.shape, value.type = None, None
    for formal, argument in (
        *zip(body.inputs, call.inputs, strict=False),
        *zip(body.outputs, call.outputs, strict=False),
    ):
        if argument is not None:
            formal.type, formal.shape = argument.type, None if argument.shape is None else argument.shape.copy()


def _with_products(model: ir.Model) -> Functions:
    """Return the functions that hold products, or call such."""
    others = {key: function for key, function in model.functions.items() if not is_tiled_product(function)}
    holders: Functions = {}
    while more := {key: other for key, other in others.items() if key not in holders and _holds(other, holders)}:
        holders |= more
    return holders


def _holds(function: ir.Function, holders: Mapping[ir.OperatorIdentifier, ir.Function]) -> bool:
    nodes = function.all_nodes()
    return any((node.domain, node.op_type) in PRODUCTS or node.op_identifier() in holders for node in nodes)
