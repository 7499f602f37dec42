"""The table of operators: all that onnx or onnxruntime has, as the files of the families declare them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint

import onnx_ir as ir

from onnxtile.errors import UsageError
from onnxtile.ir.graphs import is_tiled_product
from onnxtile.ir.opset_imports import domain_text
from onnxtile.ir.plugins import broken, leave_out, load, plugins
from onnxtile.ir.symbolic.amounts import Unknown
from onnxtile.operators import (
    attention,
    attention_ort,
    blockwise,
    convolution,
    einsum,
    elementwise,
    fused,
    generated,
    learning,
    matmul,
    moe,
    movement,
    normalization,
    opaque,
    pooling,
    quantized,
    recurrent,
    reduction,
    resampling,
    transforms,
)
from onnxtile.operators.registry import OPERATORS as OPERATORS
from onnxtile.operators.registry import Facts, Operator, Products
from onnxtile.operators.work import KINDS, Operations

DECLARING = (
    elementwise, reduction, normalization, pooling, resampling, movement, generated, matmul, quantized,
    fused, blockwise, einsum, convolution, recurrent, attention, attention_ort, moe, transforms, learning, opaque,
)  # fmt: skip
"""The files of families, each of which declares its operators to the registry."""
ENTRY_POINTS = "onnxtile.operators"
"""The group of functions of other packages that declare theirs."""


@dataclass(frozen=True)
class Plugged:
    """An operator of a plugin: what is known of it, and from where."""

    facts: Facts
    plugin: EntryPoint


def declare_plugged() -> dict[Operator, Plugged]:
    """Let plugins declare their operators; where one fails, none of its operators are declared, and it's named."""
    found: dict[Operator, Plugged] = {}
    for point in plugins(ENTRY_POINTS).values():
        before = dict(OPERATORS)
        try:
            load(point)()
        except Exception as error:  # a plugin may be anybody's, and raise anything
            OPERATORS.clear()
            OPERATORS.update(before)
            leave_out(error if isinstance(error, UsageError) else broken(point, error))
        found |= {operator: Plugged(facts, point) for operator, facts in OPERATORS.items() if operator not in before}
    return found


PLUGGED = declare_plugged()
"""The operators that plugins declare."""
PRODUCTS: dict[Operator, Products] = {
    operator: facts.products for operator, facts in OPERATORS.items() if facts.products is not None
}
"""The operators that hold matrix products."""


def facts_of(node: ir.Node) -> Facts | None:
    """Return what is known of the node's operator; None for an operator that isn't in the table."""
    return OPERATORS.get((node.domain, node.op_type))


def operations_of(node: ir.Node, opset: int | None) -> Operations:
    """Return the node's operations in one run, from the shapes of its values; Unknown amounts where they can't be told.

    `opset`: the version of the default operator set that the node is written in; None: not imported. If, Loop, Scan and
    SequenceMap have none: the nodes of their bodies do. A call of a local function is for the caller to look into, here
    it's an unknown operator. docs/operations.md has each formula in words.
    """
    facts = facts_of(node)
    if facts is not None:
        return facts.work.at(node, opset)
    if is_tiled_product(node):
        reason = "how a tiled product is cut and added up is in its function"
    else:
        reason = f"{node.op_type} of domain {domain_text(node.domain)} isn't known"
    return Operations(*[Unknown(reason)] * len(KINDS))
