"""What an operator computes beside the multiplications of its products, by kind."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.ir.graphs import is_tiled_product
from onnxtile.ir.symbolic.amounts import Unknown
from onnxtile.operators.work.table import OPERATORS
from onnxtile.operators.work.work import KINDS
from onnxtile.operators.work.work import Operations as Operations


def operations_of(node: ir.Node, opset: int | None) -> Operations:
    """The node's operations in one run, from the shapes of its values; Unknown amounts where they can't be told.

    `opset`: the version of the default operator set that the node is written in; None: not imported. If, Loop, Scan and
    SequenceMap have none: the nodes of their bodies do. A call of a local function is for the caller to look into, here
    it's an operator that nobody knows. docs/operations.md has each formula in words.
    """
    work = OPERATORS.get((node.domain, node.op_type))
    return _unknown(node) if work is None else work.at(node, opset)


def _unknown(node: ir.Node) -> Operations:
    if is_tiled_product(node):
        reason = "how a tiled product is cut and added up is in its function"
    else:
        reason = f"{node.op_type} of domain {node.domain or 'ai.onnx'} isn't known"
    return Operations(*[Unknown(reason)] * len(KINDS))
