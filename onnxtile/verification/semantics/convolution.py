"""Convolutions by their specification: windows of the padded data, each multiplied by each kernel and summed."""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.stride_tricks import as_strided

from onnxtile.verification.semantics.arithmetic import elementwise
from onnxtile.verification.semantics.entry import Call, operator
from onnxtile.verification.semantics.moves import limited, padded, reshaped
from onnxtile.verification.semantics.products import in_units_of, product, swapped
from onnxtile.verification.value import Array, UnprovenError, Value

ATTRIBUTES = "auto_pad dilations group kernel_shape pads strides"


@operator("Conv", attributes=ATTRIBUTES)
def _conv(call: Call) -> Value:
    y = convolved(call, call.value(0), call.value(1))
    bias = call.optional(2)
    if bias is None:
        return y
    factor, own, rank = y.factor, bias.factor, len(y.shape)
    if own is not None and len(own) == 1 and own[0].shape:
        own = (along_channels(own[0], rank),)
    y = elementwise(call, [y, in_units_of(call, along_channels(bias, rank), own, factor)], "Add")
    y.factor = factor
    return y


def _factor(call: Call, x: Value, w: Value) -> tuple[Value, ...] | None:
    """The scales that a convolution of dequantized numbers is whole numbers times: x's, and w's a filter or one."""
    if x.factor is None or w.factor is None or len(x.factor) != 1 or len(w.factor) != 1 or not call.run.is_original:
        return None
    (a,), (b,) = x.factor, w.factor
    if math.prod(a.shape) != 1 or (math.prod(b.shape) != 1 and b.shape != (w.shape[0], *[1] * (len(w.shape) - 1))):
        return None
    b = reshaped(b, []) if math.prod(b.shape) == 1 else reshaped(b, [w.shape[0], *[1] * (len(w.shape) - 2)])
    return reshaped(a, []), b


def along_channels(value: Value, rank: int) -> Value:
    """A number a channel, so that it broadcasts over [batch, channels, *positions]."""
    if len(value.shape) != 1:
        raise UnprovenError(f"numbers a channel of shape {list(value.shape)}")
    return reshaped(value, [*value.shape, *[1] * (rank - 2)])


def convolved(call: Call, x: Value, w: Value, filler: Value | None = None) -> Value:
    """y[b, f, p] = sum over c, t of x[b, c, stride * p + dilation * t - begin] * w[f, c, t], x padded with `filler`.

    x is [batch, channels, *positions], w [filters, channels / group, *kernel].
    """
    axes, group, factor = len(x.shape) - 2, int(call.attributes.get("group", 1)), _factor(call, x, w)
    kernel = list(w.shape[2:])
    batch, channels, filters = x.shape[0], x.shape[1], w.shape[0]
    if axes < 1 or len(kernel) != axes or group < 1 or channels != group * w.shape[1] or filters % group:
        raise UnprovenError(f"{call.node.op_type} of {list(x.shape)} and {list(w.shape)} in {group} groups")
    strides, dilations = (_numbers(call, name, [1] * axes) for name in ("strides", "dilations"))
    if _numbers(call, "kernel_shape", kernel) != kernel or min(*strides, *dilations) < 1:
        raise UnprovenError(f"{call.node.op_type} has contradicting attributes")
    extents = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
    begins, ends = _padding(call, list(x.shape[2:]), extents, strides)
    none = Value.constant(call.field, np.zeros((), x.dtype.numpy()), x.dtype)
    x = padded(call, x, [(0, 0), (0, 0), *zip(begins, ends, strict=True)], none if filler is None else filler)
    out = [(size - extent) // stride + 1
           for size, extent, stride in zip(x.shape[2:], extents, strides, strict=True)]  # fmt: skip
    call.run.decide(*(size - extent for size, extent in zip(x.shape[2:], extents, strict=True)))
    if min(out) < 0:
        raise UnprovenError(f"{call.node.op_type} reaches over {extents} of {list(x.shape[2:])}")
    depth, sizes = w.shape[1] * math.prod(kernel), tuple(x.shape)
    limited([batch, channels, *out, *kernel])

    def windows(array: Array, lead: int) -> Array:
        front, at = array.shape[:lead], lead + 3
        if array.shape[lead:] != sizes:  # the view below would read beyond its end
            raise UnprovenError(f"{call.node.op_type} of {list(array.shape[lead:])} in place of {list(sizes)}")
        split = array.reshape((*front, batch, group, w.shape[1], *array.shape[lead + 2 :]))
        own = split.strides[at:]
        moves = [stride * bytes_ for stride, bytes_ in zip(strides, own, strict=True)]
        taps = [dilation * bytes_ for dilation, bytes_ in zip(dilations, own, strict=True)]
        view = as_strided(  # no window is copied before all of them are
            split, (*split.shape[:at], *out, *kernel), (*split.strides[:at], *moves, *taps), writeable=False
        )
        order = [*range(lead), lead + 1, lead, *range(at, at + axes), lead + 2, *range(at + axes, at + 2 * axes)]
        return np.reshape(view.transpose(order), (*front, group, batch * math.prod(out), depth))

    rows = x.moved(windows)
    kernels = swapped(reshaped(w, [group, filters // group, depth]))
    y = reshaped(product(call, rows, kernels), [group, batch, *out, filters // group])
    order = [1, 0, axes + 2, *range(2, axes + 2)]
    y = y.moved(lambda array, lead: array.transpose(*range(lead), *(lead + axis for axis in order)))
    y = reshaped(y, [batch, filters, *out])
    y.factor = factor
    return y


def _numbers(call: Call, name: str, default: list[int]) -> list[int]:
    numbers = [int(number) for number in call.attributes.get(name, [])] or default
    if len(numbers) != len(default):
        raise UnprovenError(f"{call.node.op_type} has {name} {numbers} for {len(default)} numbers")
    return numbers


def _padding(call: Call, sizes: list[int], extents: list[int], strides: list[int]) -> tuple[list[int], list[int]]:
    """Elements in front of each axis and behind it; SAME: so that there are ceil(size / stride) windows."""
    auto_pad = call.attributes.get("auto_pad", b"NOTSET")
    pads = _numbers(call, "pads", [0] * (2 * len(sizes)))
    if auto_pad == b"NOTSET":
        return pads[: len(sizes)], pads[len(sizes) :]
    if auto_pad == b"VALID":
        return [0] * len(sizes), [0] * len(sizes)
    if auto_pad not in (b"SAME_UPPER", b"SAME_LOWER"):
        raise UnprovenError(f"{call.node.op_type} has auto_pad {auto_pad}")
    totals = [
        (-(-size // stride) - 1) * stride + extent - size
        for size, extent, stride in zip(sizes, extents, strides, strict=True)
    ]
    call.run.decide(*(total + less for total in totals for less in (0, 1)))
    if min(totals) < -1:
        raise UnprovenError(f"{call.node.op_type} would be padded by {totals}, over which engines differ")
    less = [max(total, 0) // 2 for total in totals]
    more = [max(total, 0) - half for total, half in zip(totals, less, strict=True)]
    return (less, more) if auto_pad == b"SAME_UPPER" else (more, less)
