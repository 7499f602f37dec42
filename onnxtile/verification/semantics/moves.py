"""Operators that move elements: no number changes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from onnxtile.verification.semantics.entry import Call, Results, operator
from onnxtile.verification.value import SIZE, Array, UnprovenError, Value, joined

ENDLESS = 1 << 31
"""Ends of slices from which on they mean all."""
MOST = 1 << 28
"""Elements that a node may make."""


def limited(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape, unless it's too large to be evaluated."""
    if math.prod(shape) > MOST:
        raise UnprovenError(f"shape {list(shape)} has more than {MOST:,} elements")
    return tuple(shape)


@operator("Identity", attributes="")
def _identity(call: Call) -> Value:
    return call.value(0)


@operator("Transpose", attributes="perm")
def _transpose(call: Call) -> Value:
    value = call.value(0)
    perm = call.attributes.get("perm", list(reversed(range(len(value.shape)))))
    if sorted(perm) != list(range(len(value.shape))):
        raise UnprovenError(f"Transpose has perm {perm} for {len(value.shape)} axes")
    return value.moved(lambda array, lead: array.transpose(*range(lead), *(lead + axis for axis in perm)))


@operator("Reshape", "number shape", "allowzero shape")
def _reshape(call: Call) -> Value:
    value, sizes = call.value(0), call.whole(1, "shape") or []
    call.run.decide(*(size - least for size in sizes for least in (0, 1)))
    if not call.attributes.get("allowzero"):
        sizes = [_kept(value, axis) if size == 0 else size for axis, size in enumerate(sizes)]
    return reshaped(value, sizes)


def _kept(value: Value, axis: int) -> int:
    if axis >= len(value.shape):
        raise UnprovenError(f"Reshape keeps axis {axis} of a value of {len(value.shape)}")
    return value.shape[axis]


def reshaped(value: Value, sizes: list[int]) -> Value:
    """The value with these sizes, of which one may be -1."""
    count = int(np.prod(value.shape, dtype=np.int64))
    if sizes.count(-1) == 1:
        rest = int(np.prod([size for size in sizes if size != -1], dtype=np.int64))
        if rest == 0 or count % rest:
            raise UnprovenError(f"Reshape can't make {sizes} of {list(value.shape)}")
        sizes = [count // rest if size == -1 else size for size in sizes]
    if min(sizes, default=0) < 0 or int(np.prod(sizes, dtype=np.int64)) != count:
        raise UnprovenError(f"Reshape can't make {sizes} of {list(value.shape)}")
    return value.moved(lambda array, lead: array.reshape((*array.shape[:lead], *sizes)))


@operator("Flatten", attributes="axis")
def _flatten(call: Call) -> Value:
    value = call.value(0)
    rank = len(value.shape)
    axis = int(call.attributes.get("axis", 1))
    axis += rank if axis < 0 else 0
    if not 0 <= axis <= rank:
        raise UnprovenError(f"Flatten has axis {axis} of a value of {rank}")
    front, back = (int(np.prod(sizes, dtype=np.int64)) for sizes in (value.shape[:axis], value.shape[axis:]))
    return reshaped(value, [front, back])


@operator("Squeeze", "number axis", "axes")
def _squeeze(call: Call) -> Value:
    value, axes = call.value(0), call.whole(1, "axes")
    rank = len(value.shape)
    dropped = {axis for axis, size in enumerate(value.shape) if size == 1} if axes is None else _axes(axes, rank)
    if any(value.shape[axis] != 1 for axis in dropped):
        raise UnprovenError(f"Squeeze drops axes {sorted(dropped)} of {list(value.shape)}")
    return reshaped(value, [size for axis, size in enumerate(value.shape) if axis not in dropped])


@operator("Unsqueeze", "number axis", "axes")
def _unsqueeze(call: Call) -> Value:
    value, axes = call.value(0), call.whole(1, "axes") or []
    added = _axes(axes, len(value.shape) + len(axes))
    if len(added) != len(axes):
        raise UnprovenError(f"Unsqueeze adds axes {axes}")
    rest = iter(value.shape)
    return reshaped(value, [1 if axis in added else next(rest) for axis in range(len(value.shape) + len(axes))])


def _axes(axes: list[int], rank: int) -> set[int]:
    if any(not -rank <= axis < rank for axis in axes):
        raise UnprovenError(f"axes {axes} of a value of {rank}")
    return {axis % rank for axis in axes}


@operator("Expand", "number shape")
def _expand(call: Call) -> Value:
    sizes = call.whole(1) or []
    call.run.decide(*(size - 1 for size in sizes))
    return expanded(call.value(0), sizes)


def expanded(value: Value, sizes: list[int]) -> Value:
    """The value broadcast with these sizes."""
    try:
        shape = limited(np.broadcast_shapes(value.shape, tuple(sizes)))
    except ValueError as error:
        raise UnprovenError(f"{list(value.shape)} isn't broadcast to {sizes}") from error
    front = (1,) * (len(shape) - len(value.shape))

    def expand(array: Array, lead: int) -> Array:
        own = array.shape[:lead]
        return np.broadcast_to(array.reshape((*own, *front, *array.shape[lead:])), (*own, *shape))

    return value.moved(expand)


@operator("Concat", attributes="axis")
def _concat(call: Call) -> Value:
    values = [call.value(index) for index in range(len(call.inputs))]
    axis = call.axis("axis", len(values[0].shape), 1)
    if len({value.dtype for value in values}) > 1:
        raise UnprovenError("Concat of different types")
    try:
        return joined(values, lambda arrays, lead: np.concatenate(arrays, axis + lead))
    except ValueError as error:
        raise UnprovenError(f"Concat of {[list(value.shape) for value in values]} along {axis}") from error


@operator("Split", "number length", "axis split num_outputs")
def _split(call: Call) -> Results:
    value, lengths = call.value(0), call.whole(1, "split")
    axis = call.axis("axis", len(value.shape))
    size, count = value.shape[axis], len(call.node.output)
    if lengths is None:
        piece = -(-size // count)
        lengths = [min(piece, max(size - at * piece, 0)) for at in range(count)]
        if "num_outputs" not in call.attributes and size % count:
            raise UnprovenError(f"Split of {size} into {count}")
    if sum(lengths) != size or min(lengths, default=0) < 0 or len(lengths) != count:
        raise UnprovenError(f"Split of {size} into {lengths}")
    ends = np.cumsum(lengths)
    return [_piece(value, axis, slice(end - length, end)) for end, length in zip(ends, lengths, strict=True)]


def _piece(value: Value, axis: int, piece: slice) -> Value:
    return value.moved(lambda array, lead: array[(slice(None),) * (axis + lead) + (piece,)])


@operator("Slice", "number index index axis index", "axes starts ends")
def _slice(call: Call) -> Value:
    value = call.value(0)
    rank = len(value.shape)
    starts, ends = call.whole(1, "starts") or [], call.whole(2, "ends") or []
    axes = call.whole(3, "axes")
    axes = list(range(len(starts))) if axes is None else axes
    steps = call.whole(4) or [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or len(_axes(axes, rank)) != len(axes) or 0 in steps:
        raise UnprovenError(f"Slice has starts {starts}, ends {ends}, axes {axes}, steps {steps}")
    if any(value is not None and value.sized == SIZE for value in call.inputs[1:]):
        _look_up(call, value, [axis % rank for axis in axes], call.inputs[1:])
    crossings: list[int] = []
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        size, axis = value.shape[axis % rank], axis % rank
        if step < 0 and end >= ENDLESS - 1:
            raise UnprovenError(f"Slice runs backwards to {end}: its last element, or its first")
        start, end = (position + size if position < 0 else position for position in (start, end))
        crossings += [size - position for position in (start, end) if abs(position) < ENDLESS] + [
            start,
            end,
            end - start,
        ]
        if step > 0:
            piece = slice(min(max(start, 0), size), min(max(end, 0), size), step)
        else:
            start, end = min(max(start, 0), size - 1), min(max(end, -1), size - 1)
            piece = slice(start, None if end < 0 else end, step)
        value = _piece(value, axis, piece)
    call.run.decide(*crossings)
    return value


def _look_up(call: Call, table: Value, axes: list[int], places: Sequence[Value | None]) -> None:
    """Tell what a table of constants makes of a size, unless its numbers grow with their places, or are the same."""
    if table.known is None or table.sized == SIZE or table.known.dtype.kind in "OSU":
        return
    order = 2 if table.dtype.is_integer() else 1
    numbers = table.known.astype(np.float64)
    if any(np.any(np.diff(numbers, order, axis)) or np.isnan(numbers).any() for axis in axes):
        call.run.look(call.node.op_type, table, *(value for value in places if value is not None))


@operator("Gather", "number number", "axis")
def _gather(call: Call) -> Value:
    value, indices = call.value(0), call.value(1)
    axis = call.axis("axis", len(value.shape))
    if indices.known is None:
        return call.run.lookup(call, value, indices, axis)
    size, numbers = value.shape[axis], indices.known.astype(np.int64)
    if numbers.size and (numbers.min() < -size or numbers.max() >= size):
        raise UnprovenError(f"Gather takes elements outside of {size}")
    if indices.sized == SIZE:
        _look_up(call, value, [axis], [indices])
    if indices.sized and numbers.size:
        call.run.decide(numbers.min(), size - numbers.max())
    places = np.where(numbers < 0, numbers + size, numbers)
    taken = value.moved(lambda array, lead: np.take(array, places, axis + lead))
    taken.sized = max(taken.sized, indices.sized)
    return taken


def _padded_outer(value: Value, outer: tuple[Array, Array], grown: list[tuple[int, int]]) -> Value:
    """An outer product with zeros around it: around either of its factors."""
    one, other = outer
    for axis, (pair, size) in enumerate(zip(grown, value.shape, strict=True), 1):
        if any(pair):
            widths = [(0, 0)] * axis + [pair] + [(0, 0)] * (one.ndim - axis - 1)
            if other.shape[axis] == size != 1:
                other = np.pad(other, widths)
            else:
                one = one if one.shape[axis] == size else np.repeat(one, size, axis)
            one = np.pad(one, widths) if one.shape[axis] == size else one
    shape = tuple(size + sum(pair) for size, pair in zip(value.shape, grown, strict=True))
    return replace(value, shape=shape, outer=(one, other), numbers=None, factor=None, _zeros=None)


@operator("Pad", "number length number axis", "mode pads value")
def _pad(call: Call) -> Value:
    value, amounts = call.value(0), call.whole(1, "pads") or []
    rank = len(value.shape)
    axes = call.whole(3)
    axes = list(range(rank)) if axes is None else [axis % rank for axis in axes]
    if call.attributes.get("mode", b"constant") != b"constant":
        raise UnprovenError("Pad in another mode than constant")
    if len(amounts) != 2 * len(axes):
        raise UnprovenError(f"Pad by {amounts} of {len(axes)} axes")
    pairs = [(0, 0)] * rank
    for place, axis in enumerate(axes):
        pairs[axis] = (amounts[place], amounts[place + len(axes)])
    filler = call.optional(2)
    if filler is None:
        number = np.array(call.attributes.get("value", 0), value.dtype.numpy())
        filler = Value.constant(call.field, number, value.dtype)
    return padded(call, value, pairs, filler)


def padded(call: Call, value: Value, pairs: list[tuple[int, int]], filler: Value) -> Value:
    """The value with so many elements more in front of each axis and behind it, or fewer where they're negative."""
    rank = len(value.shape)
    for axis, pair in enumerate(pairs):
        front, back = (max(-pad, 0) for pad in pair)
        if front + back > value.shape[axis]:
            raise UnprovenError(f"Pad takes {front + back} off {value.shape[axis]}")
        if front or back:
            value = _piece(value, axis, slice(front, value.shape[axis] - back))
    call.run.decide(*(pad for pair in pairs for pad in pair))
    grown = [(max(front, 0), max(back, 0)) for front, back in pairs]
    if not any(map(any, grown)):
        return value
    if value.outer is not None and not value.met and filler.known is not None and not filler.known.any():
        return _padded_outer(value, value.outer, grown)
    limited([size + sum(pair) for size, pair in zip(value.shape, grown, strict=True)])

    def pad(arrays: list[Array], lead: int) -> Array:
        array, own = arrays
        shape = [size + sum(pair) for size, pair in zip(array.shape[lead:], grown, strict=True)]
        padded = np.empty((*array.shape[:lead], *shape), array.dtype)
        padded[...] = own.reshape((*own.shape[:lead], *[1] * rank))
        inner = tuple(slice(front, front + size) for (front, _), size in zip(grown, array.shape[lead:], strict=True))
        padded[(slice(None),) * lead + inner] = array
        return padded

    return joined([value, filler], pad)
