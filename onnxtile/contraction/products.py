"""Operators that are one matrix product, with what's around it."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.contraction.entry import Entry, one
from onnxtile.contraction.sizes import Dim, Size, attribute_int, broadcast, node_name, same, shape
from onnxtile.errors import ModelError


def matmul(node: ir.Node) -> Size:
    """MatMul: numpy.matmul, a vector operand standing for a matrix of one row or one column."""
    return matmul_of(node, shape(node, 0), shape(node, 1))


def matmul_of(node: ir.Node, a: list[Dim], b: list[Dim]) -> Size:
    """The size of numpy.matmul of operands of these shapes, which `node` makes of its own."""
    if not a or not b:
        raise ModelError(f"{node.op_type} {node_name(node)!r}: an operand is a scalar; a product needs 1 axis or more")
    m, batch_a = (a[-2], a[:-2]) if len(a) > 1 else (1, [])
    n, batch_b = (b[-1], b[:-2]) if len(b) > 1 else (1, [])
    k = same(node, "K", a[-1], b[-2] if len(b) > 1 else b[0])
    return Size(m, k, n, broadcast(node, batch_a, batch_b))


def gemm(node: ir.Node) -> Size:
    """Gemm: Y = alpha * A' @ B' + beta * C, where A' and B' are A and B or their transposes."""
    a, b = shape(node, 0), shape(node, 1)
    if len(a) != 2 or len(b) != 2:
        raise ModelError(f"{node.op_type} {node_name(node)!r}: its operands have {len(a)} and {len(b)} axes, not 2")
    m, k_of_a = reversed(a) if attribute_int(node, "transA", 0) else a
    k_of_b, n = reversed(b) if attribute_int(node, "transB", 0) else b
    return Size(m, same(node, "K", k_of_a, k_of_b), n, 1)


ONNX = {
    "MatMul": one("matmul", matmul, "MatMul, broadcast batch axes", "tile-matmul"),
    "Gemm": one("matmul", gemm, "transA, transB swap A's and B's axes", "decompose-gemm"),
}
MICROSOFT = dict.fromkeys(("GemmFloat8", "MoE", "QMoE"), Entry("matmul"))
