"""Quantized operators: integers that stand for scaled numbers, real = scale * (integer - zero point).

Quantizing an element: a division by the scale, a rounding, an addition of the zero point if it's given, two comparisons
to saturate. Dequantizing it: a subtraction of the zero point if it's given, a multiplication. A product of integers is
brought to the output's scale by one multiplication, the scales being combined ahead of time.
"""

from __future__ import annotations

from onnxtile.ir.attributes import attribute_int
from onnxtile.operators.formula import measure
from onnxtile.operators.measures import ROWS, X, Y, is_given, of_input
from onnxtile.operators.work.elementwise import GELU, SIGMOID
from onnxtile.operators.work.normalization import by_variance
from onnxtile.operators.work.pooling import kernel
from onnxtile.operators.work.reduction import softmax, softmax_lines
from onnxtile.operators.work.work import COMPARISON, ELEMENTWISE, MOVEMENT, Work

QUANTIZED = 3 * ELEMENTWISE + 2 * COMPARISON
DEQUANTIZED = 2 * ELEMENTWISE
DYNAMIC = 3 * ELEMENTWISE + 4 * COMPARISON
"""DynamicQuantizeLinear: minimum and maximum, 0 among them, and then quantized."""


def shifted(index: int, name: str, point: int, point_name: str) -> Work:
    """The zero point is subtracted from each element of an operand, if it's given."""
    return ELEMENTWISE * of_input(index, name) * is_given(point, point_name)


def _unary(function: Work) -> Work:
    """A function of a quantized operand, quantized."""
    return (DEQUANTIZED + function + QUANTIZED) * X


_LINES = measure("lines", "")(lambda node, opset: softmax_lines(node, attribute_int(node, "opset", 13)))
_UNSHIFTED = 2 * ELEMENTWISE + 2 * COMPARISON
_QUANTIZE = _UNSHIFTED * X + ELEMENTWISE * X * is_given(2, "y_zero_point")
_DEQUANTIZE = ELEMENTWISE * X + shifted(0, "X", 2, "x_zero_point")
_GLOBAL_AVERAGE = (DEQUANTIZED + ELEMENTWISE) * X + QUANTIZED * Y
_AVERAGE = DEQUANTIZED * X + ELEMENTWISE * Y * kernel + QUANTIZED * Y
_ADDED = ELEMENTWISE * Y * is_given(6, "bias")
ONNX: dict[str, Work] = {
    "QuantizeLinear": _QUANTIZE,
    "DequantizeLinear": _DEQUANTIZE,
    "DynamicQuantizeLinear": DYNAMIC * X,
    "MatMulInteger": shifted(0, "A", 2, "a_zero_point") + shifted(1, "B", 3, "b_zero_point"),
    "ConvInteger": shifted(0, "X", 2, "x_zero_point") + shifted(1, "W", 3, "w_zero_point"),
    "QLinearMatMul": ELEMENTWISE * (X + of_input(3, "B")) + QUANTIZED * Y,
    "QLinearConv": ELEMENTWISE * (X + of_input(3, "W") + Y * is_given(8, "bias")) + QUANTIZED * Y,
}
MICROSOFT: dict[str, Work] = {
    "QuantizeLinear": _QUANTIZE,
    "DequantizeLinear": _DEQUANTIZE,
    "QLinearConv": ONNX["QLinearConv"],
    # alpha and the scales are one factor; without y_scale the result is a float, which isn't quantized
    "QGemm": (
        ELEMENTWISE * (X + of_input(3, "B") + Y * is_given(6, "C") + Y)
        + 2 * (ELEMENTWISE + COMPARISON) * Y * is_given(7, "y_scale")
    ),
    "MatMulIntegerToFloat": (
        shifted(0, "A", 4, "a_zero_point") + shifted(1, "B", 5, "b_zero_point") + ELEMENTWISE * Y + _ADDED
    ),
    "DynamicQuantizeMatMul": (
        (DYNAMIC + ELEMENTWISE) * X + shifted(1, "B", 3, "b_zero_point") + ELEMENTWISE * (Y + Y * is_given(4, "bias"))
    ),
    "QLinearAdd": DEQUANTIZED * (X + of_input(3, "B")) + (ELEMENTWISE + QUANTIZED) * Y,
    "QLinearMul": ELEMENTWISE * (X + of_input(3, "B") + Y) + QUANTIZED * Y,
    "MulInteger": shifted(0, "A", 1, "A_zero_point") + shifted(2, "B", 3, "B_zero_point") + ELEMENTWISE * Y,
    "QLinearLeakyRelu": _unary(ELEMENTWISE + COMPARISON),
    "QLinearSigmoid": _unary(SIGMOID),
    "QLinearSoftmax": (DEQUANTIZED + QUANTIZED) * X + softmax(X, _LINES),
    "QLinearAveragePool": _AVERAGE,
    "QLinearGlobalAveragePool": _GLOBAL_AVERAGE,
    "QLinearReduceMean": _GLOBAL_AVERAGE,
    "QLinearConcat": (DEQUANTIZED + QUANTIZED + MOVEMENT) * Y,
    "QLinearWhere": (DEQUANTIZED + QUANTIZED + MOVEMENT) * Y,
    # those of one GPU library have no zero points
    "QuantizeWithOrder": _UNSHIFTED * X,
    "DequantizeWithOrder": ELEMENTWISE * X,
    "QOrderedGelu": (ELEMENTWISE + GELU + _UNSHIFTED) * X,
    "QOrderedLayerNormalization": ((ELEMENTWISE + _UNSHIFTED) * X + by_variance(X, ROWS, X + X * is_given(3, "B"))),
    "QOrderedMatMul": _UNSHIFTED * Y + ELEMENTWISE * Y * (is_given(5, "bias") + 2 * is_given(6, "C")),
}
NHWC: dict[str, Work] = {"QLinearAveragePool": _AVERAGE}
