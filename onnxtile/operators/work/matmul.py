"""Operators that are a product, or a convolution: what they compute beside it.

A bias is an addition for every output element. ConvTranspose adds every element of its product to one of the output.
DeformConv interpolates what it multiplies. Packed weights are unpacked in every run: a subtraction of the zero point,
which they have by default, and a multiplication by the scale for each; without zero points a multiplication.
"""

from __future__ import annotations

import math

import onnx_ir as ir

from onnxtile.ir.attributes import attribute_int
from onnxtile.ir.symbolic.amounts import Amount, Number, product, total
from onnxtile.operators.einsum import Einsum
from onnxtile.operators.formula import Formula, condition, measure
from onnxtile.operators.measures import (
    ROWS,
    X,
    Y,
    input_sizes,
    is_given,
    isnt,
    of_input,
    of_output,
    of_products,
    output_sizes,
    says,
    sizes_of,
)
from onnxtile.operators.work.elementwise import SIGMOID, SWIGLU, TANH_GELU, activation
from onnxtile.operators.work.normalization import by_root_mean_square
from onnxtile.operators.work.resampling import interpolated
from onnxtile.operators.work.work import ELEMENTWISE, MOVEMENT, NONE, TRANSCENDENTAL, Work

RESULTS = of_products("M x N", "elements of the products' results", lambda size: (size.m, size.n, size.batch))
WINDOWS = of_products("M x K", "elements of the products' first operands", lambda size: (size.m, size.k, size.batch))
WEIGHTS = of_products("K x N", "elements of a product's second operand", lambda size: (size.k, size.n))
RESULT_ROWS = of_products("M", "rows of the product's result", lambda size: (size.m, size.batch))
_COLUMNS = of_products("N", "columns of the product's result", lambda size: (size.n,))


def bias(index: int, name: str, output: Formula = Y) -> Work:
    return ELEMENTWISE * output * is_given(index, name)


ACTIVATED = activation("activation") * Y
_ALPHA = ELEMENTWISE * Y * isnt("alpha", 1)
_GEMM = _ALPHA + ELEMENTWISE * (Y + of_input(2, "C") * isnt("beta", 1)) * is_given(2, "C")
_FUSED_CONV = bias(2, "B") + bias(3, "Z") + ACTIVATED
_SILU_CONV = bias(2, "bias") + activation("activation", "none") * Y + MOVEMENT * of_output(1, "Y[1]")
"""Behind it, its new state is copied."""


@measure("interpolation", "")
def _deformed(node: ir.Node, opset: int | None) -> Amount:
    return interpolated([2] * (len(input_sizes(node, 0, 3)) - 2))


_OFFSETS = of_input(2, "offset")
_DEFORM = ELEMENTWISE * (WINDOWS * _deformed + 4 * _OFFSETS + WINDOWS * is_given(4, "mask")) + bias(3, "B")
"""An offset is added to a place, whose fraction gives two weights; a mask weighs what was interpolated."""


@measure("axes' lengths", "lengths of the grid's axes together")
def _grid_axes(node: ir.Node, opset: int | None) -> Amount:
    return total(output_sizes(node, 3)[1:-1])


@measure("summed", "additions along letters that no other operand and no output has, before a product")
def _summed(node: ir.Node, opset: int | None) -> Amount:
    equation = Einsum.of(node).equation
    operands = [
        dict(zip(letters, sizes_of(value), strict=True))
        for letters, value in zip(equation.terms, node.inputs, strict=True)
    ]
    output, left, sums = set(equation.output), operands[0], []
    for index, right in enumerate(operands[1:], 1):
        later = output.union(*operands[index + 1 :])
        sums += [_sum_of(left, later.union(right)), _sum_of(right, later.union(left))]
        both = {**right, **{letter: size for letter, size in left.items() if size != 1 or letter not in right}}
        left = {letter: size for letter, size in both.items() if letter in later}
    return total([*sums, _sum_of(left, output)])


def _sum_of(sizes: dict[str, Number], kept: set[str]) -> Amount:
    """Additions that are left of an operand with one element for each of the letters kept."""
    left = math.prod(size for letter, size in sizes.items() if letter in kept)
    return total([math.prod(sizes.values()), product([-1, left])])


@condition("one operand, and nothing summed")
def _rearranged(node: ir.Node, opset: int | None) -> bool:
    if len(node.inputs) > 1:
        return False
    equation = Einsum.of(node).equation
    return set(equation.terms[0]) == set(equation.output)


_NORMED = is_given(2, "norm_scale")
_NORM = (ELEMENTWISE * X * is_given(1, "skip") + by_root_mean_square(X, ROWS, X)) * _NORMED
_UNPACKED = 2 * ELEMENTWISE * WEIGHTS
_INVERSE = condition("inverse")(lambda node, opset: bool(attribute_int(node, "inverse", 0)))
ONNX: dict[str, Work] = {
    "MatMul": NONE,
    "Gemm": _GEMM,
    "Einsum": ELEMENTWISE * _summed + MOVEMENT * Y * _rearranged,
    "Conv": bias(2, "B"),
    "ConvTranspose": ELEMENTWISE * RESULTS + bias(2, "B"),
    "DeformConv": _DEFORM,
    "CausalConvWithState": _SILU_CONV,
    "Col2Im": ELEMENTWISE * X,
    "DFT": ELEMENTWISE * Y * _INVERSE,
    "STFT": ELEMENTWISE * WINDOWS * is_given(2, "window"),
    "AffineGrid": 2 * ELEMENTWISE * _grid_axes,
}
MICROSOFT: dict[str, Work] = {
    "FusedMatMul": _ALPHA,
    "TransposeMatMul": _ALPHA,
    "SparseToDenseMatMul": _ALPHA,
    "FusedMatMulActivation": _ALPHA + ACTIVATED,
    "FusedGemm": _GEMM + ACTIVATED,
    "GemmFastGelu": bias(2, "bias") + TANH_GELU * Y,
    "GemmFloat8": _GEMM + bias(3, "scaleA") + bias(5, "scaleY") + activation("activation", "NONE") * Y,
    "MatMulInteger16": NONE,
    "Rfft": NONE,
    "Irfft": NONE,
    # squares of both operands' elements and their sums, -2 times the product, two additions
    "CDist": (
        ELEMENTWISE * (2 * X - RESULT_ROWS + 2 * of_input(1, "B") - _COLUMNS + 3 * Y)
        + TRANSCENDENTAL * Y * says("metric", "euclidean", default="sqeuclidean")
    ),
    "FusedConv": _FUSED_CONV,
    "NhwcFusedConv": _FUSED_CONV,
    "NhwcConv": bias(2, "B"),
    "ConvTransposeWithDynamicPads": ELEMENTWISE * RESULTS + bias(3, "B"),
    "CausalConvWithState": _SILU_CONV,
    "VarlenCausalConvWithState": (
        bias(3, "bias") + activation("activation", "none") * Y + MOVEMENT * of_output(1, "Y[1]")
    ),
    "MatMulNBits": _UNPACKED + bias(5, "bias"),
    "MatMulBnb4": ELEMENTWISE * WEIGHTS,
    "MatMulFpQ4": _UNPACKED,
    "MatMulPacked": (ELEMENTWISE * WEIGHTS + bias(2, "global_scale") + activation("activation_type", "none") * Y),
    "MatMulNBitsMlp": (
        _NORM + _UNPACKED + bias(5, "gate_bias") + bias(8, "up_bias") + activation("activation") * Y + ELEMENTWISE * Y
    ),
    "MatMulNBitsQkv": (
        _NORM
        + _UNPACKED
        + bias(5, "q_bias")
        + bias(8, "k_bias", of_output(1, "Y[1]"))
        + bias(11, "v_bias", of_output(2, "Y[2]"))
    ),
    "MatMulBlockQuantizedFp8Weight": (
        ELEMENTWISE * WEIGHTS + 2 * ELEMENTWISE * X * is_given(3, "a_scale") + bias(4, "bias")
    ),
    "MatMulBlockQuantizedFp4Weight": _UNPACKED + bias(5, "bias"),
    "RouterGateUpProj": SWIGLU * of_output(1, "Y[1]"),
    # query and product take biases, half the columns each are summed and made a gate, two gates weigh the output
    "GatedRelativePositionBias": (
        ELEMENTWISE * (X + 2 * RESULTS - 2 * RESULT_ROWS + 4 * RESULT_ROWS + Y) + 2 * SIGMOID * RESULT_ROWS
    ),
    "HyperConnectionPostMix": 2 * ELEMENTWISE * Y,
}
NCHWC: dict[str, Work] = {"Conv": _FUSED_CONV}
NHWC: dict[str, Work] = {
    "Conv": bias(2, "B"),
    "ConvTranspose": ONNX["ConvTranspose"],
}
