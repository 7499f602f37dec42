"""Convolutions: for each group, a product of the windows of the data by the kernels (im2col).

A bias is an addition for every output element. ConvTranspose adds every element of its product to one of the output.
DeformConv interpolates what it multiplies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import onnx_ir as ir

from onnxtile.ir.attributes import attribute_int
from onnxtile.ir.symbolic.amounts import Amount
from onnxtile.operators.elementwise import activation, bias
from onnxtile.operators.formula import measure
from onnxtile.operators.fused import ACTIVATED
from onnxtile.operators.measures import RESULTS, WINDOWS, X, Y, input_sizes, is_given, of_input, of_output
from onnxtile.operators.quantized import QUANTIZED, TWO_OPERANDS, shifted
from onnxtile.operators.registry import MICROSOFT, NCHWC, NHWC, Products, declare, one_product, types_of, unsized
from onnxtile.operators.resampling import interpolated
from onnxtile.operators.sizes import Size, count_of, quotient, same, shape
from onnxtile.operators.windows import Geometry, operands
from onnxtile.operators.work import ELEMENTWISE, MOVEMENT


def convolution(
    x: int, w: int, channels_last: Callable[[ir.Node], bool], kernel_first: bool = False
) -> Callable[[ir.Node], Size]:
    """Conv of input `x` [batch, channels, *positions], or with its channels last, by input `w` [output channels,
    channels / group, *kernel], or with `kernel_first` [output channels, *kernel, channels / group].
    """

    def size(node: ir.Node) -> Size:
        return Geometry.of(node, x, w, channels_last(node), kernel_first).size

    return size


def transposed(node: ir.Node) -> Size:
    """ConvTranspose of X [batch, channels, *positions] by W [channels, output channels / group, *kernel]: each position
    times all kernels; what overlaps is then added (col2im). So M has no part in strides and pads.
    A batch that alone isn't known is one of products: M is a number then.
    """
    batch, channels, positions, weight = operands(node, 0, 1, channels_last=False)
    group = attribute_int(node, "group", 1)
    k = quotient(node, "number of channels", same(node, "the number of channels", channels, weight[0]), group)
    apart = not isinstance(batch, int) and all(isinstance(length, int) for length in positions)
    m, count = (count_of(positions), count_of([batch, group])) if apart else (count_of([batch, *positions]), group)
    return Size(m, k, count_of(weight[1:]), count)


def depthwise(node: ir.Node) -> Size:
    """CausalConvWithState: every channel by a kernel of its own, W [channels, 1, *kernel], at every position.

    com.microsoft's may have its channels last; its variant for ragged sequences is [tokens, channels].
    """
    x, weight = shape(node, 0, least=2), shape(node, 1, least=3)
    last = node.op_type.startswith("Varlen") or bool(attribute_int(node, "channels_last", 0))
    channels = same(node, "the number of channels", x[-1] if last else x[1], weight[0])
    return Size(count_of(x[:-1] if last else [x[0], *x[2:]]), count_of(weight[1:]), 1, channels)


_IM2COL = (
    "M = batch x output positions, K = channels / group x kernel, N = output channels / group, batch = group (im2col); "
    "a batch that isn't a number is one of batch"
)


_WINDOWS = (
    "weights of unknown shape or without elements; auto_pad that would pad by a negative amount; negative pads; below "
    "opset 10 strides along unknown lengths; below opset 11 auto_pad that follows from unknown lengths"
)
_REFUSED = {
    "decompose-convolution": f"types other than floats of 16, 32, 64 bits; {_WINDOWS}",
    "decompose-fused-convolution": f"types other than floats of 16, 32, 64 bits; activations that onnxruntime doesn't "
    f"fuse or that lack parameters; unknown attributes; {_WINDOWS}",
    "decompose-quantized-convolution": "types other than int8 and uint8; parameters that contradict, scales "
    f"that aren't positive; below opset 11 any padding; {_WINDOWS}",
}


def _im2col(
    w: int = 1, more: str = "", last: bool | None = False, kernel_first: bool = False, lowered_by: str | None = None
) -> Products:
    """Return the products of a convolution by input `w`. `last`: whether channels are; None: as channels_last says."""

    def channels_last(node: ir.Node) -> bool:
        return bool(attribute_int(node, "channels_last", 0)) if last is None else last

    refused, size = _REFUSED.get(lowered_by or "", ""), convolution(0, w, channels_last, kernel_first)
    return one_product("conv", size, _IM2COL + more, lowered_by, refused, types_of(0, w))


_TRANSPOSED = (
    "M = batch x input positions, K = channels / group, N = output channels / group x kernel, batch = group; "
    "a batch that alone isn't known is one of products; what overlaps is added (col2im)"
)
_DEPTHWISE = "M = batch x positions, K = kernel, N = 1, batch = channels"
_INTERNAL = unsized(
    "conv", "is onnxruntime's own, in a layout of its own; lower the model that onnxruntime hasn't optimized yet"
)
_FUSED = bias(2, "B") + bias(3, "Z") + ACTIVATED
_SILU = bias(2, "bias") + activation("activation", "none") * Y + MOVEMENT * of_output(1, "Y[1]")
"""Behind it, its new state is copied."""
_QUANTIZED = ELEMENTWISE * (X + of_input(3, "W") + Y * is_given(8, "bias")) + QUANTIZED * Y


@measure("interpolation", "")
def _deformed(node: ir.Node, opset: int | None) -> Amount:
    return interpolated([2] * (len(input_sizes(node, 0, 3)) - 2))


declare("Conv", products=_im2col(lowered_by="decompose-convolution"), work=bias(2, "B"))
declare("Conv", NHWC, products=_INTERNAL, work=bias(2, "B"))
declare("Conv", NCHWC, products=_INTERNAL, work=_FUSED)
declare("FusedConv", MICROSOFT, products=_im2col(lowered_by="decompose-fused-convolution"), work=_FUSED)
declare(
    "NhwcConv",
    MICROSOFT,
    products=_im2col(
        more="; channels last, in W too", last=True, kernel_first=True, lowered_by="decompose-fused-convolution"
    ),
    work=bias(2, "B"),
)
declare(
    "NhwcFusedConv",
    MICROSOFT,
    products=_im2col(more="; channels last, W as Conv's", last=True, lowered_by="decompose-fused-convolution"),
    work=_FUSED,
)
declare(
    "ConvInteger",
    products=_im2col(lowered_by="decompose-quantized-convolution"),
    work=shifted(0, "X", 2, "x_zero_point") + shifted(1, "W", 3, "w_zero_point"),
    quantization=(2, 3),
)
declare(
    "QLinearConv",
    products=_im2col(3, lowered_by="decompose-quantized-convolution"),
    work=_QUANTIZED,
    quantization=TWO_OPERANDS,
)
declare(
    "QLinearConv",
    MICROSOFT,
    products=_im2col(
        3, "; channels last where channels_last says so", last=None, lowered_by="decompose-quantized-convolution"
    ),
    work=_QUANTIZED,
    quantization=TWO_OPERANDS,
)
declare("QLinearConv", NHWC, products=_INTERNAL, quantization=TWO_OPERANDS)
declare("QLinearConvTranspose", NHWC, products=_INTERNAL)
_OFFSETS = of_input(2, "offset")
declare(
    "DeformConv",
    products=replace(_im2col(more="; the windows are interpolated first"), refused="its windows are interpolated"),
    # an offset is added to a place, whose fraction gives two weights; a mask weighs what was interpolated
    work=ELEMENTWISE * (WINDOWS * _deformed + 4 * _OFFSETS + WINDOWS * is_given(4, "mask")) + bias(3, "B"),
)
declare(
    "ConvTranspose",
    products=one_product(
        "conv",
        transposed,
        _TRANSPOSED,
        "decompose-conv-transpose",
        "types other than floats of 16, 32, 64 bits; pads that would be negative, and odd ones below opset 11 that "
        "follow from auto_pad or output_shape; output_shape with lengths that aren't known; no positions or output",
    ),
    work=ELEMENTWISE * RESULTS + bias(2, "B"),
)
declare("ConvTranspose", NHWC, products=_INTERNAL, work=ELEMENTWISE * RESULTS + bias(2, "B"))
declare(
    "ConvTransposeWithDynamicPads",
    MICROSOFT,
    products=one_product("conv", transposed, _TRANSPOSED),
    work=ELEMENTWISE * RESULTS + bias(3, "B"),
)
declare("Col2Im", work=ELEMENTWISE * X)
_STATE = "its windows carry a state from one call to the next"
declare("CausalConvWithState", products=one_product("conv", depthwise, _DEPTHWISE, refused=_STATE), work=_SILU)
declare(
    "CausalConvWithState",
    MICROSOFT,
    products=one_product("conv", depthwise, f"{_DEPTHWISE}; channels last where channels_last says so", refused=_STATE),
    work=_SILU,
)
declare(
    "VarlenCausalConvWithState",
    MICROSOFT,
    products=one_product("conv", depthwise, "M = tokens, K = kernel, N = 1, batch = channels", refused=_STATE),
    work=bias(3, "bias") + activation("activation", "none") * Y + MOVEMENT * of_output(1, "Y[1]"),
)
declare(
    "WordConvEmbedding",
    MICROSOFT,
    products=unsized("conv", "can't be sized: how long its words are is known only at run time"),
)
