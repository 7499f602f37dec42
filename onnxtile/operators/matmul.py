"""Operators that are one matrix product, and what they compute beside it."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import attribute_int, node_name
from onnxtile.ir.symbolic.amounts import Dim
from onnxtile.operators.elementwise import SIGMOID, activation, bias
from onnxtile.operators.measures import RESULT_ROWS, RESULTS, X, Y, is_given, isnt, of_input, of_products, says
from onnxtile.operators.registry import MICROSOFT, declare, one_product, unsized
from onnxtile.operators.sizes import Size, broadcast, count_of, same, shape
from onnxtile.operators.work import ELEMENTWISE, NONE, TRANSCENDENTAL


def matmul(node: ir.Node, left: int = 0, right: int = 1) -> Size:
    """MatMul: numpy.matmul, a vector operand standing for a matrix of one row or one column."""
    return matmul_of(node, shape(node, left), shape(node, right))


def matmul_of(node: ir.Node, a: list[Dim], b: list[Dim]) -> Size:
    """Return the size of numpy.matmul of operands of these shapes, which `node` makes of its own."""
    if not a or not b:
        raise ModelError(f"{node.op_type} {node_name(node)!r}: an operand is a scalar; a product needs 1 axis or more")
    m, batch_a = (a[-2], a[:-2]) if len(a) > 1 else (1, [])
    n, batch_b = (b[-1], b[:-2]) if len(b) > 1 else (1, [])
    k = same(node, "K", a[-1], b[-2] if len(b) > 1 else b[0])
    return Size(m, k, n, broadcast(node, batch_a, batch_b))


def gemm(node: ir.Node, left: int = 0, right: int = 1) -> Size:
    """Gemm: Y = alpha * A' @ B' + beta * C, where A' and B' are A and B or their transposes."""
    a, b = shape(node, left), shape(node, right)
    if len(a) != 2 or len(b) != 2:
        raise ModelError(f"{node.op_type} {node_name(node)!r}: its operands have {len(a)} and {len(b)} axes, not 2")
    m, k_of_a = reversed(a) if attribute_int(node, "transA", 0) else a
    k_of_b, n = reversed(b) if attribute_int(node, "transB", 0) else b
    return Size(m, same(node, "K", k_of_a, k_of_b), n, 1)


def distances(node: ir.Node) -> Size:
    """CDist: (a - b)^2 = a^2 - 2 a b + b^2 for all rows of A [M, K] and B [N, K], of which a b is a product."""
    a, b = shape(node, 0, 2), shape(node, 1, 2)
    return Size(a[0], same(node, "K", a[-1], b[-1]), b[0], 1)


def transposable(node: ir.Node) -> Size:
    """SparseToDenseMatMul: A [M, K] by B [..., K, N], each with its last axes swapped where transA, transB say so."""
    a, b = shape(node, 0, 2), shape(node, 1, least=2)
    m, k_of_a = reversed(a) if attribute_int(node, "transA", 0) else a
    k_of_b, n = reversed(b[-2:]) if attribute_int(node, "transB", 0) else b[-2:]
    return Size(m, same(node, "K", k_of_a, k_of_b), n, count_of(b[:-2]))


def gates(node: ir.Node) -> Size:
    """GatedRelativePositionBias: each head of the query [..., heads * head size] by weight [head size, gates]."""
    query, weight = shape(node, 0, least=1), shape(node, 3, 2)
    return Size(count_of([*query[:-1], attribute_int(node, "num_heads", 0)]), weight[0], weight[1], 1)


def mixed_streams(node: ir.Node) -> Size:
    """HyperConnectionPostMix: streams [..., streams, hidden size] by a matrix of streams x streams."""
    block = shape(node, 1, least=1)
    streams = attribute_int(node, "num_branches", 0) or shape(node, 0, least=2)[-2]
    return Size(streams, streams, block[-1], count_of(block[:-1]))


MATMUL, GEMM = "MatMul, broadcast batch axes", "transA, transB swap A's and B's axes"
_TYPES = "types other than floats of 16, 32, 64 bits and integers of 32, 64 bits"
ALPHA = ELEMENTWISE * Y * isnt("alpha", 1)
GEMM_WORK = ALPHA + ELEMENTWISE * (Y + of_input(2, "C") * isnt("beta", 1)) * is_given(2, "C")
declare("MatMul", products=one_product("matmul", matmul, MATMUL, "tile-matmul", _TYPES), work=NONE)
declare(
    "Gemm",
    products=one_product("matmul", gemm, GEMM, "decompose-gemm", f"{_TYPES}; alpha or beta that the type can't hold"),
    work=GEMM_WORK,
)
declare(
    "GemmFloat8",
    MICROSOFT,
    products=one_product("matmul", gemm, GEMM),
    work=GEMM_WORK + bias(3, "scaleA") + bias(5, "scaleY") + activation("activation", "NONE") * Y,
)
_COLUMNS = of_products("N", "columns of the product's result", "n")
declare(
    "CDist",
    MICROSOFT,
    products=one_product(
        "matmul",
        distances,
        "M, N = rows of A and B, K = columns: the product among squared distances",
        refused="a^2 - 2 a b + b^2 cancels where rows are near, and is NaN at infinity; onnxruntime subtracts first",
    ),
    # squares of both operands' elements and their sums, -2 times the product, two additions
    work=ELEMENTWISE * (2 * X - RESULT_ROWS + 2 * of_input(1, "B") - _COLUMNS + 3 * Y)
    + TRANSCENDENTAL * Y * says("metric", "euclidean", default="sqeuclidean"),
)
declare(
    "SparseToDenseMatMul",
    MICROSOFT,
    products=one_product("matmul", transposable, f"{GEMM}; A is sparse, batch axes of B"),
    work=ALPHA,
)
declare(
    "GatedRelativePositionBias",
    MICROSOFT,
    products=one_product("matmul", gates, "M = positions x heads, K = head size, N = columns of weight"),
    # query and product take biases, half the columns each are summed and made a gate, two gates weigh the output
    work=ELEMENTWISE * (X + 2 * RESULTS - 2 * RESULT_ROWS + 4 * RESULT_ROWS + Y) + 2 * SIGMOID * RESULT_ROWS,
)
declare(
    "HyperConnectionPostMix",
    MICROSOFT,
    products=one_product("matmul", mixed_streams, "M = K = streams, N = hidden size, batch = positions"),
    work=2 * ELEMENTWISE * Y,
)
declare(
    "HyperConnectionLowRankMix",
    MICROSOFT,
    products=unsized("matmul", "can't be sized yet: a network of low rank inside one operator"),
)
