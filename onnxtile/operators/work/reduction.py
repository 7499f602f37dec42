"""Operators that bring many elements to one: sums, extremes, means, softmax, running sums, the largest.

A sum of n elements is n - 1 additions, an extreme of them n - 1 comparisons. Softmax of n: n - 1 comparisons for the
maximum, n subtractions of it, n exponentials, n - 1 additions, n divisions; LogSoftmax: a logarithm of the sum and n
subtractions of it instead of the divisions.
"""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.ir.attributes import attribute_int
from onnxtile.ir.symbolic.amounts import Amount
from onnxtile.operators.formula import Formula, measure, unknown
from onnxtile.operators.measures import X, Y, before, constant_int, lines, version
from onnxtile.operators.work.work import COMPARISON, ELEMENTWISE, MOVEMENT, TRANSCENDENTAL, Work, each


def softmax(size: Formula, sums: Formula) -> Work:
    """Softmax of so many elements in so many sums."""
    return ELEMENTWISE * (3 * size - sums) + TRANSCENDENTAL * size + COMPARISON * (size - sums)


def softmax_lines(node: ir.Node, opset: int) -> Amount:
    """Before version 13 a line is all axes from `axis` on."""
    if opset < 13:
        return before(node, attribute_int(node, "axis", 1))
    return lines(node, attribute_int(node, "axis", -1))


_LINES = measure("lines", "lines of X along `axis`; Softmax and its like before version 13: blocks from `axis` on")(
    lambda node, opset: softmax_lines(node, version(opset))
)
_RUNS = measure("lines", "")(lambda node, opset: lines(node, constant_int(node, 1, "axis")))
_BIASED_LINES = measure("blocks", "")(lambda node, opset: before(node, attribute_int(node, "axis", 1)))
SORTED = COMPARISON * unknown("how many comparisons a sort takes depends on the data and on the engine")
ONNX: dict[str, Work] = {
    **each("ReduceSum ReduceProd", ELEMENTWISE * (X - Y)),
    **each("ReduceMax ReduceMin ArgMax ArgMin", COMPARISON * (X - Y)),
    "ReduceMean": ELEMENTWISE * X,
    **each("ReduceL1 ReduceSumSquare", ELEMENTWISE * (2 * X - Y)),
    "ReduceL2": ELEMENTWISE * (2 * X - Y) + TRANSCENDENTAL * Y,
    "ReduceLogSum": ELEMENTWISE * (X - Y) + TRANSCENDENTAL * Y,
    "ReduceLogSumExp": ELEMENTWISE * (X - Y) + TRANSCENDENTAL * (X + Y),
    "Softmax": softmax(X, _LINES),
    "LogSoftmax": softmax(X, _LINES) + TRANSCENDENTAL * _LINES,
    "Hardmax": COMPARISON * (X - _LINES) + MOVEMENT * Y,
    **each("CumSum CumProd", ELEMENTWISE * (X - _RUNS)),
    "TopK": SORTED + MOVEMENT * Y,
    "Unique": SORTED + MOVEMENT * Y,
}
MICROSOFT: dict[str, Work] = {
    "BiasSoftmax": ELEMENTWISE * X + softmax(X, _BIASED_LINES),
    "ReduceSumInteger": ELEMENTWISE * (X - Y),
    "Unique": SORTED + MOVEMENT * Y,
}
