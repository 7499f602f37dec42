"""Pools: every output element is a sum or an extreme of a window, which counts whole at a border too.

An average of a window of n elements is n - 1 additions and a division, a maximum n - 1 comparisons. LpPool: n absolute
values or squares (p above 2: and powers), n - 1 additions, a root (none where p is 1).
"""

from __future__ import annotations

import math

import onnx_ir as ir

from onnxtile.ir.attributes import UnsizedError, attribute_ints
from onnxtile.ir.symbolic.amounts import Amount
from onnxtile.operators.formula import condition, measure, unknown
from onnxtile.operators.measures import X, Y, isnt, number
from onnxtile.operators.registry import MICROSOFT, NCHWC, NHWC, declare
from onnxtile.operators.work import COMPARISON, ELEMENTWISE, MOVEMENT, TRANSCENDENTAL


@measure("kernel", "elements of a window")
def kernel(node: ir.Node, opset: int | None) -> Amount:
    sizes = attribute_ints(node, "kernel_shape", ())
    if not sizes:
        raise UnsizedError("its kernel_shape isn't given")
    return math.prod(sizes)


_ROOT = isnt("p", 1, 2)
_POWERS = condition("p above 2")(lambda node, opset: number(node, "p", 2) not in (1, 2))
AVERAGE = ELEMENTWISE * Y * kernel
MAXIMUM = COMPARISON * (Y * kernel - Y)
declare("AveragePool", "", NHWC, NCHWC, work=AVERAGE)
declare("MaxPool", "", NHWC, NCHWC, work=MAXIMUM)
declare("NhwcMaxPool", MICROSOFT, work=MAXIMUM)
declare(
    "LpPool", "", NHWC, work=ELEMENTWISE * (2 * Y * kernel - Y) + TRANSCENDENTAL * (Y * _ROOT + Y * kernel * _POWERS)
)
declare("GlobalAveragePool", "", NHWC, NCHWC, work=ELEMENTWISE * X)
declare("GlobalMaxPool", "", NHWC, NCHWC, work=COMPARISON * (X - Y))
declare("GlobalLpPool", "", NHWC, work=ELEMENTWISE * (2 * X - Y) + TRANSCENDENTAL * (Y * _ROOT + X * _POWERS))
declare("MaxUnpool", "", NHWC, work=MOVEMENT * (X + Y))
declare("MaxRoiPool", work=COMPARISON * unknown("how many elements a bin has depends on the regions"))
declare(
    "MaxpoolWithMask",
    MICROSOFT,
    work=COMPARISON * unknown("how many elements of a window are compared depends on the mask"),
)
