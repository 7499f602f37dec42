"""Windows: what a kernel meets of its data along each axis, with strides, dilations and padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import attribute_int, attribute_ints, attribute_string, input_of, node_name
from onnxtile.ir.symbolic.amounts import Dim
from onnxtile.operators.sizes import Size, count_of, quotient, read_size, same, shape

AUTO_PADS = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")


@dataclass(frozen=True)
class WindowAxis:
    """One axis: `out` windows of `kernel` elements that are `dilation` apart; a window starts every `stride` elements.

    `begin`, `end`: elements of padding; None where auto_pad says so and the length is known only at run time.
    `missing`: elements that auto_pad SAME would have to cut off, as strides pass them over.
    """

    length: Dim
    kernel: Dim
    stride: int
    dilation: int
    begin: int | None
    end: int | None
    out: Dim
    missing: int = 0

    @property
    def extent(self) -> int:
        """From the first element of a window to its last."""
        assert isinstance(self.kernel, int)
        return (self.kernel - 1) * self.dilation + 1

    @property
    def padded(self) -> Dim:
        if self.length is None or self.begin is None or self.end is None:
            return None
        return self.length + self.begin + self.end


@dataclass(frozen=True)
class Geometry:
    """A convolution of data by `filters` kernels; `channels` and `filters` are those of all groups.

    `channels_last`: the data has its channels behind its positions; `kernel_first`: so has the weight.
    `lower`: auto_pad puts the larger half of its padding in front.
    """

    batch: Dim
    channels: Dim
    filters: Dim
    group: int
    channels_of_group: Dim
    filters_of_group: Dim
    axes: tuple[WindowAxis, ...]
    channels_last: bool = False
    kernel_first: bool = False
    lower: bool = False

    @classmethod
    def of(
        cls, node: ir.Node, x: int = 0, w: int = 1, channels_last: bool = False, kernel_first: bool = False
    ) -> Geometry:
        """Read that of input `x` [batch, channels, *positions] and input `w` [filters, channels / group, *kernel].

        Raises ModelError where they contradict each other or the attributes, and UnsizedError for unknown shapes.
        """
        batch, channels, positions, weight = operands(node, x, w, channels_last, kernel_first)
        group = attribute_int(node, "group", 1)
        of_group = quotient(node, "number of channels", channels, group)
        of_group = same(node, "the number of channels of a group", of_group, weight[1])
        channels = count_of([of_group, group]) if channels is None else channels
        filters_of_group = quotient(node, "number of output channels", weight[0], group)
        axes = _axes(node, positions, weight[2:], channels_last)
        layout, lower = (channels_last, kernel_first), attribute_string(node, "auto_pad", "") == "SAME_LOWER"
        return cls(batch, channels, weight[0], group, of_group, filters_of_group, axes, *layout, lower)

    @property
    def out(self) -> list[Dim]:
        return [axis.out for axis in self.axes]

    @property
    def taps(self) -> Dim:
        """Positions of the kernel."""
        return count_of([axis.kernel for axis in self.axes])

    @property
    def depth(self) -> Dim:
        """Elements of a window: K."""
        return count_of([self.channels_of_group, self.taps])

    @property
    def size(self) -> Size:
        """Return the size of the product: a batch that isn't a number counts independent ones, so that M is one."""
        if isinstance(self.batch, int):
            return Size(count_of([self.batch, *self.out]), self.depth, self.filters_of_group, self.group)
        return Size(count_of(self.out), self.depth, self.filters_of_group, count_of([self.batch, self.group]))


def operands(
    node: ir.Node, x: int, w: int, channels_last: bool, kernel_first: bool = False
) -> tuple[Dim, Dim, list[Dim], list[Dim]]:
    """Return batch, channels and positions of the data, and the weight's shape, its kernel last.

    Data of unknown shape has as many axes as a Conv's weight.
    """
    value = input_of(node, x)
    if (node.domain, node.op_type) == ("", "Conv") and value is not None and value.shape is None:
        weight = shape(node, w, least=3)
        data: list[Dim] = [None] * len(weight)
    else:
        data = shape(node, x, least=3)
        weight = shape(node, w, len(data))
    if kernel_first:
        weight = [weight[0], weight[-1], *weight[1:-1]]
    kernel = per_axis(node, "kernel_shape", weight[2:])
    weight[2:] = [same(node, "the kernel", *pair) for pair in zip(kernel, weight[2:], strict=True)]
    if channels_last:
        return data[0], data[-1], data[1:-1], weight
    return data[0], data[1], data[2:], weight


def per_axis(node: ir.Node, name: str, default: Sequence[Dim]) -> Sequence[Dim]:
    """Read an attribute with a number for each axis (pads: two); ModelError where it has another length."""
    values = attribute_ints(node, name, ()) or default
    if len(values) != len(default):
        raise ModelError(f"{node.op_type} {node_name(node)!r}: {name} has {len(values)} numbers, not {len(default)}")
    return values


def numbers_per_axis(node: ir.Node, name: str, default: Sequence[int]) -> list[int]:
    """Do what `per_axis` does, for numbers."""
    return [number for number in per_axis(node, name, default) if isinstance(number, int)]


def positive(node: ir.Node, name: str, article: str, axes: int) -> list[int]:
    """Read strides or dilations: 1 or more along each axis; ModelError otherwise."""
    numbers = numbers_per_axis(node, name, [1] * axes)
    if (wrong := min(numbers, default=1)) < 1:
        raise ModelError(f"{node.op_type} {node_name(node)!r}: {article} is {wrong}; it must be 1 or more")
    return numbers


def _axes(node: ir.Node, positions: list[Dim], kernel: list[Dim], last: bool) -> tuple[WindowAxis, ...]:
    """Return the axes; windows are counted where sizes are numbers, and else are what the output's shape says."""
    count = len(positions)
    strides = positive(node, "strides", "a stride", count)
    dilations = positive(node, "dilations", "a dilation", count)
    pads = numbers_per_axis(node, "pads", [0] * (2 * count))
    auto_pad = attribute_string(node, "auto_pad", "NOTSET")
    if auto_pad not in AUTO_PADS:
        words = f"auto_pad is {auto_pad!r}, not one of {', '.join(AUTO_PADS)}"
        raise ModelError(f"{node.op_type} {node_name(node)!r}: {words}")
    output = node.outputs[0].shape
    said = None if output is None or len(output) != count + 2 else output[1:-1] if last else output[2:]
    axes = []
    for index in range(count):
        length, extent, stride, dilation = positions[index], kernel[index], strides[index], dilations[index]
        padding: tuple[int | None, int | None, int] = (pads[index], pads[index + count], 0)
        if auto_pad != "NOTSET":
            padding = _automatic(auto_pad, length, extent, stride, dilation)
        out = None if said is None else read_size(said[index])
        axis = WindowAxis(length, extent, stride, dilation, padding[0], padding[1], out, padding[2])
        axes.append(_counted(node, axis) if isinstance(length, int) and isinstance(extent, int) else axis)
    return tuple(axes)


def _automatic(
    auto_pad: str, length: Dim, kernel: Dim, stride: int, dilation: int
) -> tuple[int | None, int | None, int]:
    """Return begin, end and what's missing of the padding that gives ceil(length / stride) windows, or none (VALID)."""
    if auto_pad == "VALID":
        return 0, 0, 0
    if not isinstance(kernel, int):
        return None, None, 0
    extent = (kernel - 1) * dilation + 1
    if isinstance(length, int):
        total = (-(-length // stride) - 1) * stride + extent - length
    elif stride == 1:
        total = extent - 1
    elif extent == 1:
        total = 1 - stride
    else:
        return None, None, 0
    less = max(total, 0) // 2
    more = max(total, 0) - less
    return (less, more, max(-total, 0)) if auto_pad == "SAME_UPPER" else (more, less, max(-total, 0))


def _counted(node: ir.Node, axis: WindowAxis) -> WindowAxis:
    """Return the axis with its windows counted; ModelError where there would be fewer than none."""
    assert isinstance(axis.padded, int) and isinstance(axis.length, int)
    out = (axis.padded - axis.extent) // axis.stride + 1
    if axis.padded < 0 or out < 0:
        words = f"its kernel reaches over {axis.extent} elements, the padded data has {axis.padded}"
        raise ModelError(f"{node.op_type} {node_name(node)!r}: {words}")
    return replace(axis, out=out)
