"""Convolutions as smaller ones, for engines with a unit of their own for them, each within the limits by its im2col.

Output channels are cut and joined; input channels are cut and added up; positions are cut with the elements around them
that their windows reach into; kernel positions are cut only where a single channel's don't fit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product as every

import numpy as np
import onnx_ir as ir

from onnxtile.ir.arrays import lazily, read_array
from onnxtile.ir.dtypes import WIDER
from onnxtile.ir.symbolic.amounts import Dim
from onnxtile.operators.windows import Geometry
from onnxtile.passes.rewrites.im2col import padded_data, with_bias
from onnxtile.passes.rewrites.moves import ENDLESS, Moves, dims_of
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.limits import Limits
from onnxtile.tiling.plan import Axis, TilePlan

Piece = tuple[int, int]
"""From the first element to behind the last one."""
AnyPiece = Piece | None
"""None: the length isn't cut, and may be unknown."""


@dataclass(frozen=True)
class Pieces:
    """What a convolution is cut into."""

    batch: list[AnyPiece]
    positions: list[list[AnyPiece]]
    groups: int
    """Groups that are convolved apart; 1: they stay together in each piece."""
    filters: list[Piece]
    """Of one group."""
    channels: list[Piece]
    kernel: list[list[Piece]]
    most: tuple[int | None, int, int]
    """M, K and N of the largest piece."""

    @classmethod
    def of(cls, geometry: Geometry, limits: Limits) -> Pieces:
        """Cut to the limits; sizes have to be numbers, but batch and positions only where M is limited."""
        kernel = [_number(axis.kernel) for axis in geometry.axes]
        channels, filters = _number(geometry.channels_of_group), _number(geometry.filters_of_group)
        box = _kernel_box(kernel, limits.k)
        taps = math.prod(box)
        deep = channels if limits.k is None else max(min(channels, limits.k // taps), 1)
        wide = filters if limits.n is None else min(filters, limits.n)
        apart = geometry.group if deep < channels or wide < filters else 1
        batch, positions, most = _positions(geometry, limits.m)
        cuts = [list(Axis.cut(size, piece)) for size, piece in zip(kernel, box, strict=True)]
        return cls(batch, positions, apart, list(Axis.cut(filters, wide)), list(Axis.cut(channels, deep)), cuts,
                   (most, deep * taps, wide))  # fmt: skip

    @property
    def sums(self) -> int:
        """Convolutions that are added up to one piece of the result."""
        return len(self.channels) * math.prod(map(len, self.kernel))

    def plan(self, plan: TilePlan) -> TilePlan:
        """Return the plan of a product with these pieces in place of tiles."""
        axes = zip((plan.m, plan.k, plan.n), self.most, strict=True)
        m, k, n = (Axis.cut(axis.size, most) for axis, most in axes)
        return TilePlan(m, k, n, plan.empty)


def _number(size: Dim) -> int:
    assert isinstance(size, int)
    return size


def _kernel_box(kernel: Sequence[int], most: int | None) -> list[int]:
    """Return the largest piece of a kernel with at most so many positions, its last axes kept longest."""
    box = list(kernel)
    for axis, size in enumerate(box):
        others = math.prod(box) // size
        if most is not None and math.prod(box) > most:
            box[axis] = min(size, max(most // others, 1))
    return box


def _positions(geometry: Geometry, most: int | None) -> tuple[list[AnyPiece], list[list[AnyPiece]], int | None]:
    """Cut batch and positions so that a piece has at most `most` of them: whole rows, then pieces of the last axes."""
    whole: list[AnyPiece] = [None]
    if most is None:
        return whole, [whole for _ in geometry.axes], None
    out = [_number(size) for size in geometry.out]
    together = min(geometry.batch, most) if isinstance(geometry.batch, int) else 1
    left = most // max(together, 1)
    sizes: list[int] = []
    for size in reversed(out):
        sizes.insert(0, max(min(size, left), 1))
        left //= sizes[0]
    positions = [whole if piece >= size else list[AnyPiece](Axis.cut(size, piece))
                 for size, piece in zip(out, sizes, strict=True)]  # fmt: skip
    uncut = not isinstance(geometry.batch, int) or together == geometry.batch
    batch = whole if uncut else list[AnyPiece](Axis.cut(_number(geometry.batch), together))
    return batch, positions, together * math.prod(sizes)


class Split:
    """Writes a convolution as those of its pieces."""

    def __init__(self, new: Replacement, geometry: Geometry, opset: int, pieces: Pieces) -> None:
        self._new, self._geometry, self._pieces, self._moves = new, geometry, pieces, Moves(new, opset)
        self._slices: dict[object, ir.Value] = {}

    def write(
        self, node: ir.Node, x: ir.Value, w: ir.Value, bias: ir.Value | None,
        tensors: tuple[ir.TensorProtocol | None, ir.TensorProtocol | None],
    ) -> ir.Value:  # fmt: skip
        """Add the convolution; `tensors`: those of a constant weight and bias. Returns its result."""
        geometry, pieces, own = self._geometry, self._pieces, x.dtype
        assert own is not None
        wide = WIDER.get(own, own) if pieces.sums > 1 else own
        cut = any(len(axis) > 1 for axis in pieces.positions) or any(len(axis) > 1 for axis in pieces.kernel)
        kept = {name: node.attributes[name] for name in ("strides", "dilations") if name in node.attributes}
        self._attributes = {name: attribute.value for name, attribute in kept.items()}
        known = [*(axis.begin for axis in geometry.axes), *(axis.end for axis in geometry.axes)]
        if not cut and None in known:
            self._attributes["auto_pad"] = node.attributes["auto_pad"].value
        elif not cut and any(known):
            self._attributes["pads"] = known
        self._attributes["group"] = geometry.group if pieces.groups == 1 else 1
        self._wide = wide
        data = self._cast("x_wide", padded_data(self._moves, x, geometry) if cut else x, wide)
        later = None if wide == own else bias  # as it's added to what was rounded
        self._sources = (data, w, None if later else bias, *tensors)
        batches = [self._of_batch(f"b{index}", piece) for index, piece in enumerate(pieces.batch)]
        y = self._cast("y_own", self._moves.concat("y_batch", batches, 0), own)
        return y if later is None else with_bias(self._new, geometry, y, later, tensors[1])

    def _of_batch(self, label: str, batch: AnyPiece) -> ir.Value:
        boxes: dict[tuple[int, ...], ir.Value] = {}
        grid = [range(len(axis)) for axis in self._pieces.positions]
        for box in every(*grid):
            place = "_".join([label, *(f"p{index}" for index in box)])
            positions = [axis[index] for axis, index in zip(self._pieces.positions, box, strict=True)]
            groups = [self._of_group(f"{place}_g{group}", batch, positions, group)
                      for group in range(self._pieces.groups)]  # fmt: skip
            boxes[box] = self._moves.concat(f"{place}_groups", groups, 1)
        for axis in reversed(range(len(grid))):
            boxes = {
                front: self._moves.concat(
                    "_".join(["y", label, f"axis{axis}", *map(str, front)]),
                    [boxes[front + (index,)] for index in grid[axis]], 2 + axis,  # noqa: RUF005  # no star there before Python 3.11
                )
                for front in every(*grid[:axis])
            }  # fmt: skip
        return boxes[()]

    def _of_group(self, label: str, batch: AnyPiece, positions: list[AnyPiece], group: int) -> ir.Value:
        pieces, moves = self._pieces, self._moves
        columns = []
        for number, filters in enumerate(pieces.filters):
            parts = []
            for index, (channels, *kernel) in enumerate(every(pieces.channels, *pieces.kernel)):
                data = self._data(batch, positions, group, channels, kernel)
                weight = self._weight(group, filters, channels, kernel)
                bias = [] if index or self._sources[2] is None else [self._bias(group, filters)]
                dims = self._dims(data, batch, positions, filters)
                parts.append(self._convolved(f"{label}_n{number}_k{index}", [data, weight, *bias], dims, kernel))
            total = parts[0]
            for index, part in enumerate(parts[1:], 1):
                total = moves.node("Add", f"{label}_n{number}_sum{index}", [total, part], dims_of(part))
            columns.append(total)
        return moves.concat(f"{label}_filters", columns, 1)

    def _dims(self, data: ir.Value, batch: AnyPiece, positions: list[AnyPiece], filters: Piece) -> list[Dim]:
        lengths = [size if piece is None else piece[1] - piece[0]
                   for size, piece in zip(self._geometry.out, positions, strict=True)]  # fmt: skip
        together = self._pieces.groups == 1 and self._geometry.group > 1
        count = self._geometry.filters if together else filters[1] - filters[0]
        return [dims_of(data)[0], count, *lengths]

    def _convolved(self, leaf: str, inputs: list[ir.Value], dims: list[Dim], kernel: list[Piece]) -> ir.Value:
        shape = {"kernel_shape": [end - start for start, end in kernel]}
        return self._moves.node("Conv", leaf, inputs, dims, {**self._attributes, **shape})

    def _data(
        self, batch: AnyPiece, positions: list[AnyPiece], group: int, channels: Piece, kernel: list[Piece]
    ) -> ir.Value:  # fmt: skip
        """Return what the windows at some positions have of some channels and kernel positions."""
        geometry, first = self._geometry, group * _number(self._geometry.channels_of_group)
        ranges: list[tuple[int, int, int, Dim]] = []
        if batch is not None:
            ranges.append((0, *batch, batch[1] - batch[0]))
        if self._pieces.groups > 1 or len(self._pieces.channels) > 1:
            ranges.append((1, first + channels[0], first + channels[1], channels[1] - channels[0]))
        for at, (axis, piece, (low, high)) in enumerate(zip(geometry.axes, positions, kernel, strict=True), 2):
            reach = (high - low - 1) * axis.dilation + 1
            behind = (_number(axis.kernel) - high) * axis.dilation
            if piece is not None:
                start = piece[0] * axis.stride + low * axis.dilation
                length = (piece[1] - 1 - piece[0]) * axis.stride + reach
                ranges.append((at, start, start + length, length))
            elif high - low < _number(axis.kernel):
                left = None if axis.padded is None else axis.padded - behind - low * axis.dilation
                ranges.append((at, low * axis.dilation, -behind if behind else ENDLESS, left))
        return self._sliced("x", self._sources[0], ranges)

    def _sliced(
        self, letter: str, value: ir.Value, ranges: Sequence[tuple[int, int, int, Dim]]
    ) -> ir.Value:  # fmt: skip
        """Cut axes one after the other, each cut made once."""
        for axis, start, end, length in ranges:
            key = (value, axis, start, end)
            if key not in self._slices:
                leaf = f"{letter}_piece{len(self._slices)}"
                self._slices[key] = self._moves.slice(leaf, value, axis, start, end, 1, length)
            value = self._slices[key]
        return value

    def _weight(self, group: int, filters: Piece, channels: Piece, kernel: list[Piece]) -> ir.Value:
        of_group = _number(self._geometry.filters_of_group)
        start, end = (group * of_group + filter_ for filter_ in filters)
        if self._pieces.groups == 1:
            end = _number(self._geometry.filters) if self._geometry.group > 1 else end
        return self._constant("w", 1, [(start, end), channels, *kernel])

    def _bias(self, group: int, filters: Piece) -> ir.Value:
        first = group * _number(self._geometry.filters_of_group)
        stays = self._pieces.groups == 1 and self._geometry.group > 1
        return self._constant("b", 2, [(0, _number(self._geometry.filters)) if stays else
                                       (first + filters[0], first + filters[1])])  # fmt: skip

    def _constant(self, letter: str, index: int, box: list[Piece]) -> ir.Value:
        """Return a piece of the weight or the bias: cut ahead of time where it's a constant."""
        value, tensor, wide = self._sources[index], self._sources[index + 2], self._wide
        assert isinstance(value, ir.Value)
        key = (letter, *box)
        if key in self._slices:
            return self._slices[key]
        if tensor is None:
            ranges = [(axis, start, end, end - start) for axis, (start, end) in enumerate(box)
                      if (start, end) != (0, dims_of(value)[axis])]  # fmt: skip
            made = self._cast(f"{letter}_wide{len(self._slices)}", self._sliced(letter, value, ranges), wide)
        else:
            source, slices = tensor, tuple(slice(*piece) for piece in box)
            assert not isinstance(source, ir.Value)

            def numbers() -> np.ndarray:
                return np.ascontiguousarray(read_array(source)[slices]).astype(wide.numpy(), copy=False)

            piece = lazily(numbers, wide, [end - start for start, end in box])
            made = self._new.constant(f"{letter}_piece{len(self._slices)}", piece)
        self._slices[key] = made
        return made

    def _cast(self, leaf: str, value: ir.Value, dtype: ir.DataType) -> ir.Value:
        if value.dtype == dtype:
            return value
        return self._new.node("Cast", leaf, [value], {"to": dtype.value}, value.shape, dtype)
