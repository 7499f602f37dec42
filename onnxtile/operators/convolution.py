"""Convolutions: for each group, a product of the windows of the data by the kernels (im2col).

A bias is an addition for every output element. ConvTranspose adds every element of its product to one of the output.
DeformConv interpolates what it multiplies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import attribute_int, attribute_ints, attribute_string, node_name
from onnxtile.ir.symbolic.amounts import Amount, Dim
from onnxtile.operators.elementwise import activation, bias
from onnxtile.operators.formula import measure
from onnxtile.operators.fused import ACTIVATED
from onnxtile.operators.measures import RESULTS, WINDOWS, X, Y, input_sizes, is_given, of_input, of_output
from onnxtile.operators.quantized import QUANTIZED, TWO_OPERANDS, shifted
from onnxtile.operators.registry import MICROSOFT, NCHWC, NHWC, Products, declare, one_product, unsized
from onnxtile.operators.resampling import interpolated
from onnxtile.operators.sizes import Size, count_of, quotient, read_size, same, shape
from onnxtile.operators.work import ELEMENTWISE, MOVEMENT


def convolution(
    x: int, w: int, channels_last: Callable[[ir.Node], bool], kernel_first: bool = False
) -> Callable[[ir.Node], Size]:
    """Conv of input `x` [batch, channels, *positions], or with its channels last, by input `w` [output channels,
    channels / group, *kernel], or with `kernel_first` [output channels, *kernel, channels / group].
    """

    def size(node: ir.Node) -> Size:
        last = channels_last(node)
        batch, channels, positions, weight = _operands(node, x, w, last, kernel_first)
        group = attribute_int(node, "group", 1)
        of_group = quotient(node, "number of channels", channels, group)
        same(node, "the number of channels of a group", of_group, weight[1])
        n = quotient(node, "number of output channels", weight[0], group)
        windows = _windows(node, positions, weight[2:], last)
        return Size(count_of([batch, *windows]), count_of(weight[1:]), n, group)

    return size


def transposed(node: ir.Node) -> Size:
    """ConvTranspose of X [batch, channels, *positions] by W [channels, output channels / group, *kernel]: each position
    times all kernels; what overlaps is then added (col2im). So M has no part in strides and pads.
    """
    batch, channels, positions, weight = _operands(node, 0, 1, last=False)
    group = attribute_int(node, "group", 1)
    k = quotient(node, "number of channels", same(node, "the number of channels", channels, weight[0]), group)
    return Size(count_of([batch, *positions]), k, count_of(weight[1:]), group)


def depthwise(node: ir.Node) -> Size:
    """CausalConvWithState: every channel by a kernel of its own, W [channels, 1, *kernel], at every position.

    com.microsoft's may have its channels last; its variant for ragged sequences is [tokens, channels].
    """
    x, weight = shape(node, 0, least=2), shape(node, 1, least=3)
    last = node.op_type.startswith("Varlen") or bool(attribute_int(node, "channels_last", 0))
    channels = same(node, "the number of channels", x[-1] if last else x[1], weight[0])
    return Size(count_of(x[:-1] if last else [x[0], *x[2:]]), count_of(weight[1:]), 1, channels)


def _operands(
    node: ir.Node, x: int, w: int, last: bool, kernel_first: bool = False
) -> tuple[Dim, Dim, list[Dim], list[Dim]]:
    """Return batch, channels and positions of the data, and the weight's shape, its kernel last."""
    data = shape(node, x, least=3)
    weight = shape(node, w, len(data))
    if kernel_first:
        weight = [weight[0], weight[-1], *weight[1:-1]]
    kernel = _list(node, "kernel_shape", weight[2:])
    weight[2:] = [same(node, "the kernel", *pair) for pair in zip(kernel, weight[2:], strict=True)]
    return data[0], data[-1 if last else 1], data[1:-1] if last else data[2:], weight


def _windows(node: ir.Node, positions: list[Dim], kernel: list[Dim], last: bool) -> list[Dim]:
    """Return output positions along each axis: worked out where sizes are numbers, else by the output's shape."""
    axes = len(positions)
    strides, dilations = (_list(node, name, [1] * axes) for name in ("strides", "dilations"))
    pads, auto_pad = _list(node, "pads", [0] * (2 * axes)), attribute_string(node, "auto_pad", "NOTSET")
    output = node.outputs[0].shape
    windows: list[Dim] = []
    for axis, (length, extent, stride, dilation) in enumerate(zip(positions, kernel, strides, dilations, strict=True)):
        assert isinstance(stride, int) and isinstance(dilation, int)
        if stride < 1:
            raise ModelError(f"{node.op_type} {node_name(node)!r}: a stride is {stride}; it must be 1 or more")
        if not isinstance(length, int) or not isinstance(extent, int):
            dim = None if output is None or len(output) != axes + 2 else output[axis + (1 if last else 2)]
            windows.append(None if dim is None else read_size(dim))
        elif auto_pad.startswith("SAME"):
            windows.append(-(-length // stride))
        else:
            padded = length + sum(pads[axis::axes]) if auto_pad == "NOTSET" else length  # type: ignore[arg-type]  # numbers
            windows.append(max(0, (padded - (extent - 1) * dilation - 1) // stride + 1))
    return windows


def _list(node: ir.Node, name: str, default: Sequence[Dim]) -> Sequence[Dim]:
    """Read an attribute with a number for each axis (pads: two); ModelError where it has another length."""
    values = attribute_ints(node, name, ()) or default
    if len(values) != len(default):
        raise ModelError(f"{node.op_type} {node_name(node)!r}: {name} has {len(values)} numbers, not {len(default)}")
    return values


_IM2COL = (
    "M = batch x output positions, K = channels / group x kernel, N = output channels / group, batch = group (im2col)"
)


def _im2col(w: int = 1, more: str = "", last: bool | None = False, kernel_first: bool = False) -> Products:
    """Return the products of a convolution by input `w`. `last`: whether channels are; None: as channels_last says."""

    def channels_last(node: ir.Node) -> bool:
        return bool(attribute_int(node, "channels_last", 0)) if last is None else last

    return one_product("conv", convolution(0, w, channels_last, kernel_first), _IM2COL + more)


_COL2IM = one_product(
    "conv",
    transposed,
    "M = batch x input positions, K = channels / group, N = output channels / group x kernel, batch = group; "
    "what overlaps is added (col2im)",
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


declare("Conv", products=_im2col(), work=bias(2, "B"))
declare("Conv", NHWC, products=_INTERNAL, work=bias(2, "B"))
declare("Conv", NCHWC, products=_INTERNAL, work=_FUSED)
declare("FusedConv", MICROSOFT, products=_im2col(), work=_FUSED)
declare(
    "NhwcConv",
    MICROSOFT,
    products=_im2col(more="; channels last, in W too", last=True, kernel_first=True),
    work=bias(2, "B"),
)
declare("NhwcFusedConv", MICROSOFT, products=_im2col(more="; channels last, W as Conv's", last=True), work=_FUSED)
declare(
    "ConvInteger",
    products=_im2col(),
    work=shifted(0, "X", 2, "x_zero_point") + shifted(1, "W", 3, "w_zero_point"),
    quantization=(2, 3),
)
declare("QLinearConv", products=_im2col(3), work=_QUANTIZED, quantization=TWO_OPERANDS)
declare(
    "QLinearConv",
    MICROSOFT,
    products=_im2col(3, "; channels last where channels_last says so", last=None),
    work=_QUANTIZED,
    quantization=TWO_OPERANDS,
)
declare("QLinearConv", NHWC, products=_INTERNAL, quantization=TWO_OPERANDS)
declare("QLinearConvTranspose", NHWC, products=_INTERNAL)
_OFFSETS = of_input(2, "offset")
declare(
    "DeformConv",
    products=_im2col(more="; the windows are interpolated first"),
    # an offset is added to a place, whose fraction gives two weights; a mask weighs what was interpolated
    work=ELEMENTWISE * (WINDOWS * _deformed + 4 * _OFFSETS + WINDOWS * is_given(4, "mask")) + bias(3, "B"),
)
declare("ConvTranspose", products=_COL2IM, work=ELEMENTWISE * RESULTS + bias(2, "B"))
declare("ConvTranspose", NHWC, products=_INTERNAL, work=ELEMENTWISE * RESULTS + bias(2, "B"))
declare("ConvTransposeWithDynamicPads", MICROSOFT, products=_COL2IM, work=ELEMENTWISE * RESULTS + bias(3, "B"))
declare("Col2Im", work=ELEMENTWISE * X)
declare("CausalConvWithState", products=one_product("conv", depthwise, _DEPTHWISE), work=_SILU)
declare(
    "CausalConvWithState",
    MICROSOFT,
    products=one_product("conv", depthwise, f"{_DEPTHWISE}; channels last where channels_last says so"),
    work=_SILU,
)
declare(
    "VarlenCausalConvWithState",
    MICROSOFT,
    products=one_product("conv", depthwise, "M = tokens, K = kernel, N = 1, batch = channels"),
    work=bias(3, "bias") + activation("activation", "none") * Y + MOVEMENT * of_output(1, "Y[1]"),
)
declare(
    "WordConvEmbedding",
    MICROSOFT,
    products=unsized("conv", "can't be sized: how long its words are is known only at run time"),
)
