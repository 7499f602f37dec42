"""Windows that are added where they overlap: a sum of moved elements, for each tap of a kernel one of each window."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import onnx_ir as ir

from onnxtile.verification.semantics.arithmetic import elementwise
from onnxtile.verification.semantics.casts import cast
from onnxtile.verification.semantics.entry import Call, operator
from onnxtile.verification.semantics.moves import limited, reshaped
from onnxtile.verification.semantics.products import product
from onnxtile.verification.semantics.schemas import since
from onnxtile.verification.value import Array, UnprovenError, Value

NARROW = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16)
"""Types of sums that are made in float, and rounded once."""


@dataclass(frozen=True)
class Axis:
    """Tap t of window i is added to element stride * i + dilation * t; `front` and `back` are taken off then."""

    windows: int
    taps: int
    stride: int
    dilation: int
    front: int
    back: int

    @property
    def length(self) -> int:
        """Elements before any are taken off."""
        return self.stride * (self.windows - 1) + self.dilation * (self.taps - 1) + 1

    @property
    def kept(self) -> int:
        return self.length - self.front - self.back


def overlapped(call: Call, windows: Value, axes: Sequence[Axis]) -> Value:
    """The sums of windows [batch, channels, *taps, *windows], as [batch, channels, *lengths]."""
    if min((min(axis.length, axis.kept) for axis in axes), default=0) < 0:
        raise UnprovenError(f"{call.node.op_type} gives {[axis.kept for axis in axes]} elements")
    limited([*windows.shape[:2], *(axis.length for axis in axes)])
    count = len(axes)
    taps = itertools.product(*(range(axis.taps) for axis in axes))
    terms = [_placed(windows, axes, tap) for tap in taps]
    total = reduce(lambda one, other: elementwise(call, [one, other], "Add"), terms)
    inner = tuple(slice(max(axis.front, 0), axis.length - max(axis.back, 0)) for axis in axes)
    grown = [(max(-axis.front, 0), max(-axis.back, 0)) for axis in axes]

    def cropped(array: Array, lead: int) -> Array:
        return np.pad(array[(slice(None),) * (lead + 2) + inner], [(0, 0)] * (array.ndim - count) + grown)

    return total.moved(cropped)


def _placed(windows: Value, axes: Sequence[Axis], tap: tuple[int, ...]) -> Value:
    """One tap's elements in their places, and zeros elsewhere."""
    places = tuple(
        at * axis.dilation + axis.stride * np.arange(axis.windows) for at, axis in zip(tap, axes, strict=True)
    )

    def placed(array: Array, lead: int) -> Array:
        front = (slice(None),) * (lead + 2)
        made = np.zeros((*array.shape[: lead + 2], *(axis.length for axis in axes)), array.dtype)
        made[front + np.ix_(*places)] = array[front + tap]
        return made

    return windows.moved(placed)


@operator("Col2Im", "number shape shape", "dilations pads strides")
def _col2im(call: Call) -> Value:
    value, image, kernel = call.value(0), call.whole(1) or [], call.whole(2) or []
    count = len(image)
    strides, dilations = (call.attributes.get(name) or [1] * count for name in ("strides", "dilations"))
    pads = call.attributes.get("pads") or [0] * (2 * count)
    if len(value.shape) != 3 or len({count, len(kernel), len(strides), len(dilations), len(pads) / 2}) > 1 or not count:
        raise UnprovenError(f"Col2Im of {list(value.shape)} to {image} by {kernel}")
    if min((*kernel, *strides, *dilations), default=1) < 1 or value.shape[1] % math.prod(kernel):
        raise UnprovenError(f"Col2Im of {list(value.shape)} by {kernel}, strides {strides}, dilations {dilations}")
    axes = []
    for size, taps, stride, dilation, *around in zip(
        image, kernel, strides, dilations, pads[:count], pads[count:], strict=True
    ):
        rest = size + sum(around) - dilation * (taps - 1) - 1
        call.run.decide(rest % stride)
        if rest < -stride:
            raise UnprovenError(f"Col2Im to {image} by {kernel}")
        axes.append(Axis(rest // stride + 1, taps, stride, dilation, around[0], around[1] - rest % stride))
    windows = [axis.windows for axis in axes]
    if value.shape[2] != math.prod(windows):
        raise UnprovenError(f"Col2Im of {value.shape[2]} windows, not of {windows}")
    channels = value.shape[1] // math.prod(kernel)
    return overlapped(call, reshaped(value, [value.shape[0], channels, *kernel, *windows]), axes)


@operator("ConvTranspose",
          attributes="auto_pad dilations group kernel_shape output_padding output_shape pads strides")  # fmt: skip
def _conv_transpose(call: Call) -> Value:
    """Each element of X times the kernels of its channel, added where they overlap; B is added to all of a channel."""
    x, w, bias = call.value(0), call.value(1), call.optional(2)
    rank, group = len(x.shape), int(call.attributes.get("group", 1))
    if rank < 3 or len(w.shape) != rank or group < 1 or x.shape[1] != w.shape[0] or x.shape[1] % group:
        raise UnprovenError(f"ConvTranspose of {list(x.shape)} by {list(w.shape)} in {group} groups")
    kernel = list(w.shape[2:])
    if call.attributes.get("kernel_shape", kernel) != kernel:
        raise UnprovenError(f"ConvTranspose has kernel_shape {call.attributes['kernel_shape']}, W is {list(w.shape)}")
    axes = _axes(call, x.shape[2:], kernel)
    dtype = x.dtype
    if dtype in NARROW:
        x, w = (cast(call, value, ir.DataType.FLOAT) for value in (x, w))
    batch, channels, positions = x.shape[0], x.shape[1] // group, math.prod(x.shape[2:])
    rows = reshaped(x, [batch, group, channels, positions]).moved(lambda array, lead: array.swapaxes(-1, -2))
    columns = reshaped(w, [group, channels, math.prod(w.shape[1:])])
    y = product(call, rows, columns).moved(lambda array, lead: array.swapaxes(-1, -2))
    y = overlapped(call, reshaped(y, [batch, group * w.shape[1], *kernel, *x.shape[2:]]), axes)
    y = cast(call, y, dtype)
    if bias is None:
        return y
    if bias.shape != (y.shape[1],):
        raise UnprovenError(f"ConvTranspose has a bias of {list(bias.shape)} for {y.shape[1]} channels")
    return elementwise(call, [y, reshaped(bias, [y.shape[1], *[1] * (rank - 2)])], "Add")


def _axes(call: Call, lengths: Sequence[int], kernel: Sequence[int]) -> list[Axis]:
    """The axes of ConvTranspose, pads as the specification has them."""
    count = len(lengths)
    defaults = {"strides": 1, "dilations": 1, "output_padding": 0}
    strides, dilations, more = (call.attributes.get(key) or [number] * count for key, number in defaults.items())
    pads = call.attributes.get("pads") or [0] * (2 * count)
    auto_pad = call.attributes.get("auto_pad", b"NOTSET").decode()
    wanted = list(call.attributes.get("output_shape") or [])[-count:]
    if len({count, len(strides), len(dilations), len(more), len(pads) / 2, len(wanted) or count}) > 1:
        raise UnprovenError("ConvTranspose has attributes of another number of axes")
    if min(lengths) < 1:
        raise UnprovenError("ConvTranspose of no positions isn't specified")
    if min((*strides, *dilations, *kernel)) < 1 or min((*more, *pads)) < 0:
        raise UnprovenError("ConvTranspose has sizes, strides or pads that are too small")
    if auto_pad == "VALID":
        pads = [0] * (2 * count)
    elif auto_pad.startswith("SAME") and not wanted:
        wanted = [length * stride for length, stride in zip(lengths, strides, strict=True)]
    axes = []
    for at, (length, taps, stride, dilation) in enumerate(zip(lengths, kernel, strides, dilations, strict=True)):
        full = Axis(length, taps, stride, dilation, 0, 0).length
        front, back = pads[at], pads[at + count]
        if wanted:
            call.run.decide(full + more[at] - wanted[at])
            front, back = _halves(call, full + more[at] - wanted[at], auto_pad)
        axes.append(Axis(length, taps, stride, dilation, front, back - more[at]))
    return axes


def _halves(call: Call, total: int, auto_pad: str) -> tuple[int, int]:
    """An odd total's larger half is behind with SAME_UPPER, else in front; below 0 engines differ, but for -1."""
    if (total, auto_pad) == (-1, "NOTSET"):
        return 0, -1
    if total < 0 or (total % 2 and since(call) < 11):
        raise UnprovenError(f"ConvTranspose pads by {total} in all, where engines differ")
    return (total // 2, total - total // 2) if auto_pad == "SAME_UPPER" else (total - total // 2, total // 2)
