"""Quantized operators: integers that stand for scaled numbers, real = scale * (integer - zero point).

Quantizing an element: a division by the scale, a rounding, an addition of the zero point if it's given, two comparisons
to saturate. Dequantizing it: a subtraction of the zero point if it's given, a multiplication. A product of integers is
brought to the output's scale by one multiplication, the scales being combined ahead of time.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

import onnx_ir as ir

from onnxtile.ir.attributes import attribute_int
from onnxtile.operators.elementwise import GELU, SIGMOID
from onnxtile.operators.formula import measure
from onnxtile.operators.matmul import GEMM, MATMUL, gemm, matmul
from onnxtile.operators.measures import ROWS, X, Y, is_given, of_input
from onnxtile.operators.normalization import by_variance
from onnxtile.operators.pooling import kernel
from onnxtile.operators.reduction import softmax, softmax_lines
from onnxtile.operators.registry import (
    MICROSOFT,
    NHWC,
    Products,
    declare,
    one_product,
    quantized_at_run_time,
    types_of,
)
from onnxtile.operators.sizes import Size, count_of, quotient, shape
from onnxtile.operators.work import COMPARISON, ELEMENTWISE, MOVEMENT, NONE, Work

# Products


def _ordered(node: ir.Node) -> Size:
    """QOrderedMatMul: A [batch, M, K] by B [K, N], stored in an order of cuBLASLt's, transposed or not."""
    a, b = shape(node, 0, least=2), shape(node, 2)
    return Size(a[-2], a[-1], quotient(node, "number of weights", count_of(b), a[-1]), count_of(a[:-2]))


def _product(formula: str, a: int, b: int) -> Products:
    """Return the products of a quantized MatMul, or Gemm, of these inputs."""
    size = gemm if formula == GEMM else matmul
    refused = (
        "vectors with scales or zero points that aren't 0; types other than int8 and uint8; parameters that contradict"
    )
    types = types_of(a, b)
    return one_product("matmul", lambda node: size(node, a, b), formula, "decompose-quantized", refused, types)


_BATCHED = f"A, B: {MATMUL}"

# Work and inputs

QUANTIZED = 3 * ELEMENTWISE + 2 * COMPARISON
DEQUANTIZED = 2 * ELEMENTWISE
DYNAMIC = 3 * ELEMENTWISE + 4 * COMPARISON
"""DynamicQuantizeLinear: minimum and maximum, 0 among them, and then quantized."""


def shifted(index: int, name: str, point: int, point_name: str) -> Work:
    """Return the work of subtracting the zero point from each element of an operand, if it's given."""
    return ELEMENTWISE * of_input(index, name) * is_given(point, point_name)


def _unary(function: Work) -> Work:
    """Return the work of a function whose operand and result are quantized."""
    return (DEQUANTIZED + function + QUANTIZED) * X


_LINES = measure("lines", "")(lambda node, opset: softmax_lines(node, attribute_int(node, "opset", 13)))
_UNSHIFTED = 2 * ELEMENTWISE + 2 * COMPARISON
_QUANTIZE = _UNSHIFTED * X + ELEMENTWISE * X * is_given(2, "y_zero_point")
_DEQUANTIZE = ELEMENTWISE * X + shifted(0, "X", 2, "x_zero_point")
_GLOBAL_AVERAGE = (DEQUANTIZED + ELEMENTWISE) * X + QUANTIZED * Y
_AVERAGE = DEQUANTIZED * X + ELEMENTWISE * Y * kernel + QUANTIZED * Y
TWO_OPERANDS = (1, 2, 4, 5, 6, 7)
"""Scales and zero points of an operator on A, B and its result, each followed by its own."""
_ONE_OPERAND = (1, 2, 3, 4)


class _Concatenated(Container[int]):
    """Inputs of QLinearConcat that are scales and zero points: the result's, and two behind each operand."""

    def __contains__(self, index: object) -> bool:
        return isinstance(index, int) and (index < 2 or index % 3 != 2)


declare("QuantizeLinear", "", MICROSOFT, work=_QUANTIZE, quantization=(1, 2))
declare("DequantizeLinear", "", MICROSOFT, work=_DEQUANTIZE, quantization=(1, 2))
declare("DynamicQuantizeLinear", work=DYNAMIC * X)
declare(
    "MatMulInteger",
    products=_product(_BATCHED, 0, 1),
    work=shifted(0, "A", 2, "a_zero_point") + shifted(1, "B", 3, "b_zero_point"),
    quantization=(2, 3),
)
declare(
    "QLinearMatMul",
    products=_product(_BATCHED, 0, 3),
    work=ELEMENTWISE * (X + of_input(3, "B")) + QUANTIZED * Y,
    quantization=TWO_OPERANDS,
)
declare(
    "QGemm",
    MICROSOFT,
    products=_product(GEMM, 0, 3),
    # alpha and the scales are one factor; without y_scale the result is a float, which isn't quantized
    work=ELEMENTWISE * (X + of_input(3, "B") + Y * is_given(6, "C") + Y)
    + 2 * (ELEMENTWISE + COMPARISON) * Y * is_given(7, "y_scale"),
    quantization=(1, 2, 4, 5, 7, 8),
)
declare(
    "MatMulIntegerToFloat",
    MICROSOFT,
    products=_product(_BATCHED, 0, 1),
    work=shifted(0, "A", 4, "a_zero_point")
    + shifted(1, "B", 5, "b_zero_point")
    + ELEMENTWISE * (Y + Y * is_given(6, "bias")),
    quantization=(2, 3, 4, 5),
)
declare(
    "DynamicQuantizeMatMul",
    MICROSOFT,
    products=replace(_product(_BATCHED, 0, 1), types=quantized_at_run_time),
    work=(DYNAMIC + ELEMENTWISE) * X + shifted(1, "B", 3, "b_zero_point") + ELEMENTWISE * (Y + Y * is_given(4, "bias")),
    quantization=(2, 3),
)
declare(
    "MatMulInteger16",
    MICROSOFT,
    products=one_product(
        "matmul",
        matmul,
        _BATCHED,
        refused="no engine at hand runs it, so nothing could be compared",
        types=types_of(0, 1),
    ),
    work=NONE,
)
declare(
    "QLinearAdd",
    MICROSOFT,
    work=DEQUANTIZED * (X + of_input(3, "B")) + (ELEMENTWISE + QUANTIZED) * Y,
    quantization=TWO_OPERANDS,
)
declare(
    "QLinearMul", MICROSOFT, work=ELEMENTWISE * (X + of_input(3, "B") + Y) + QUANTIZED * Y, quantization=TWO_OPERANDS
)
declare(
    "MulInteger",
    MICROSOFT,
    work=shifted(0, "A", 1, "A_zero_point") + shifted(2, "B", 3, "B_zero_point") + ELEMENTWISE * Y,
)
declare("QLinearLeakyRelu", MICROSOFT, work=_unary(ELEMENTWISE + COMPARISON), quantization=_ONE_OPERAND)
declare("QLinearSigmoid", MICROSOFT, work=_unary(SIGMOID), quantization=_ONE_OPERAND)
declare("QLinearSoftmax", MICROSOFT, work=(DEQUANTIZED + QUANTIZED) * X + softmax(X, _LINES), quantization=_ONE_OPERAND)
declare("QLinearAveragePool", MICROSOFT, NHWC, work=_AVERAGE, quantization=_ONE_OPERAND)
declare("QLinearGlobalAveragePool", MICROSOFT, work=_GLOBAL_AVERAGE, quantization=_ONE_OPERAND)
declare("QLinearReduceMean", MICROSOFT, work=_GLOBAL_AVERAGE)
declare("QLinearConcat", MICROSOFT, work=(DEQUANTIZED + QUANTIZED + MOVEMENT) * Y, quantization=_Concatenated())
declare("QLinearWhere", MICROSOFT, work=(DEQUANTIZED + QUANTIZED + MOVEMENT) * Y)
# those of one GPU library have no zero points
declare("QuantizeWithOrder", MICROSOFT, work=_UNSHIFTED * X)
declare("DequantizeWithOrder", MICROSOFT, work=ELEMENTWISE * X)
declare("QOrderedGelu", MICROSOFT, work=(ELEMENTWISE + GELU + _UNSHIFTED) * X)
declare(
    "QOrderedLayerNormalization",
    MICROSOFT,
    work=(ELEMENTWISE + _UNSHIFTED) * X + by_variance(X, ROWS, X + X * is_given(3, "B")),
)
declare(
    "QOrderedMatMul",
    MICROSOFT,
    products=one_product(
        "matmul",
        _ordered,
        "MatMul, batch of A; B in a layout of one GPU library",
        refused="its operands are in layouts of one GPU library, and nothing else runs it",
        types=types_of(0, 2),
    ),
    work=_UNSHIFTED * Y + ELEMENTWISE * Y * (is_given(5, "bias") + 2 * is_given(6, "C")),
)
