"""Operators that bring many elements to one: sums, extremes, means, softmax, running sums, the largest.

A sum of n elements is n - 1 additions, an extreme of them n - 1 comparisons. Softmax of n: n - 1 comparisons for the
maximum, n subtractions of it, n exponentials, n - 1 additions, n divisions; LogSoftmax: a logarithm of the sum and n
subtractions of it instead of the divisions.
"""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.ir.attributes import attribute_int
from onnxtile.ir.symbolic.amounts import Amount
from onnxtile.operators.formula import Count, measure, unknown
from onnxtile.operators.measures import X, Y, before, constant_int, lines, version
from onnxtile.operators.registry import MICROSOFT, declare
from onnxtile.operators.work import COMPARISON, ELEMENTWISE, MOVEMENT, TRANSCENDENTAL, Work


def softmax(size: Count, sums: Count) -> Work:
    """Return the work of Softmax of elements in so many sums."""
    return ELEMENTWISE * (3 * size - sums) + TRANSCENDENTAL * size + COMPARISON * (size - sums)


def softmax_lines(node: ir.Node, opset: int) -> Amount:
    """Count the lines of Softmax: before version 13 a line is all axes from `axis` on."""
    if opset < 13:
        return before(node, attribute_int(node, "axis", 1))
    return lines(node, attribute_int(node, "axis", -1))


_LINES = measure("lines", "lines of X along `axis`; Softmax and its like before version 13: blocks from `axis` on")(
    lambda node, opset: softmax_lines(node, version(opset))
)
_RUNS = measure("lines", "")(lambda node, opset: lines(node, constant_int(node, 1, "axis")))
_BIASED_LINES = measure("blocks", "")(lambda node, opset: before(node, attribute_int(node, "axis", 1)))
SORTED = COMPARISON * unknown("how many comparisons a sort takes depends on the data and on the engine")
declare("ReduceSum", work=ELEMENTWISE * (X - Y), settings=(1,))
declare("ReduceProd", work=ELEMENTWISE * (X - Y))
declare("ReduceSumInteger", MICROSOFT, work=ELEMENTWISE * (X - Y))
declare("ReduceMax ReduceMin", work=COMPARISON * (X - Y), settings=(1,))
declare("ArgMax ArgMin", work=COMPARISON * (X - Y))
declare("ReduceMean", work=ELEMENTWISE * X, settings=(1,))
declare("ReduceL1 ReduceSumSquare", work=ELEMENTWISE * (2 * X - Y))
declare("ReduceL2", work=ELEMENTWISE * (2 * X - Y) + TRANSCENDENTAL * Y)
declare("ReduceLogSum", work=ELEMENTWISE * (X - Y) + TRANSCENDENTAL * Y)
declare("ReduceLogSumExp", work=ELEMENTWISE * (X - Y) + TRANSCENDENTAL * (X + Y))
declare("Softmax", work=softmax(X, _LINES))
declare("LogSoftmax", work=softmax(X, _LINES) + TRANSCENDENTAL * _LINES)
declare("BiasSoftmax", MICROSOFT, work=ELEMENTWISE * X + softmax(X, _BIASED_LINES))
declare("Hardmax", work=COMPARISON * (X - _LINES) + MOVEMENT * Y)
declare("CumSum", work=ELEMENTWISE * (X - _RUNS), settings=(1,))
declare("CumProd", work=ELEMENTWISE * (X - _RUNS))
declare("TopK", work=SORTED + MOVEMENT * Y, settings=(1,))
declare("Unique", "", MICROSOFT, work=SORTED + MOVEMENT * Y)
