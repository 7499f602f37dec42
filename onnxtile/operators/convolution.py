"""Convolutions: for each group, a product of the windows of the data by the kernels (im2col)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import attribute_int, attribute_ints, attribute_string, node_name
from onnxtile.operators.arithmetic import quotient
from onnxtile.operators.entry import Entry, one
from onnxtile.operators.sizes import Dim, Size, count_of, same, shape


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
    """Batch, channels and positions of the data, and the weight's shape, its kernel last and as the node says it."""
    data = shape(node, x, least=3)
    weight = shape(node, w, len(data))
    if kernel_first:
        weight = [weight[0], weight[-1], *weight[1:-1]]
    kernel = _list(node, "kernel_shape", weight[2:])
    weight[2:] = [same(node, "the kernel", told, size) for told, size in zip(kernel, weight[2:], strict=True)]
    return data[0], data[-1 if last else 1], data[1:-1] if last else data[2:], weight


def _windows(node: ir.Node, positions: list[Dim], kernel: list[Dim], last: bool) -> list[Dim]:
    """Output positions along each axis: worked out where the sizes are numbers, else as the output's shape says."""
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
            windows.append(dim.value if isinstance(dim, ir.SymbolicDim) else dim)
        elif auto_pad.startswith("SAME"):
            windows.append(-(-length // stride))
        else:
            padded = length + sum(pads[axis::axes]) if auto_pad == "NOTSET" else length  # type: ignore[arg-type]  # numbers
            windows.append(max(0, (padded - (extent - 1) * dilation - 1) // stride + 1))
    return windows


def _list(node: ir.Node, name: str, default: Sequence[Dim]) -> Sequence[Dim]:
    """An attribute with a number for each axis (pads: two); ModelError where it has another length."""
    values = attribute_ints(node, name, ()) or default
    if len(values) != len(default):
        raise ModelError(f"{node.op_type} {node_name(node)!r}: {name} has {len(values)} numbers, not {len(default)}")
    return values


def _first(node: ir.Node) -> bool:
    return False


def _last(node: ir.Node) -> bool:
    return True


def _told(node: ir.Node) -> bool:
    return bool(attribute_int(node, "channels_last", 0))


_IM2COL = (
    "M = batch x output positions, K = channels / group x kernel, N = output channels / group, batch = group (im2col)"
)
_COL2IM = (
    "M = batch x input positions, K = channels / group, N = output channels / group x kernel, batch = group; "
    "what overlaps is added (col2im)"
)
_DEPTHWISE = "M = batch x positions, K = kernel, N = 1, batch = channels"
_INTERNAL = "is onnxruntime's own, in a layout of its own; lower the model that onnxruntime hasn't optimized yet"
ONNX: dict[str, Entry] = {
    "Conv": one("conv", convolution(0, 1, _first), _IM2COL),
    "ConvInteger": one("conv", convolution(0, 1, _first), _IM2COL),
    "QLinearConv": one("conv", convolution(0, 3, _first), _IM2COL),
    "DeformConv": one("conv", convolution(0, 1, _first), f"{_IM2COL}; the windows are interpolated first"),
    "ConvTranspose": one("conv", transposed, _COL2IM),
    "CausalConvWithState": one("conv", depthwise, _DEPTHWISE),
}
MICROSOFT: dict[str, Entry] = {
    "FusedConv": one("conv", convolution(0, 1, _first), _IM2COL),
    "NhwcConv": one("conv", convolution(0, 1, _last, kernel_first=True), f"{_IM2COL}; channels last, in W too"),
    "NhwcFusedConv": one("conv", convolution(0, 1, _last), f"{_IM2COL}; channels last, W as Conv's"),
    "QLinearConv": one("conv", convolution(0, 3, _told), f"{_IM2COL}; channels last where channels_last says so"),
    "ConvTransposeWithDynamicPads": one("conv", transposed, _COL2IM),
    "CausalConvWithState": one("conv", depthwise, f"{_DEPTHWISE}; channels last where channels_last says so"),
    "VarlenCausalConvWithState": one("conv", depthwise, "M = tokens, K = kernel, N = 1, batch = channels"),
    "WordConvEmbedding": Entry("conv", reason="can't be sized: how long its words are is known only at run time"),
}
NHWC: dict[str, Entry] = dict.fromkeys(
    ("Conv", "ConvTranspose", "QLinearConv", "QLinearConvTranspose"), Entry("conv", reason=_INTERNAL)
)
NCHWC: dict[str, Entry] = {"Conv": Entry("conv", reason=_INTERNAL)}
