"""Convolutions as smaller ones, for engines with a unit of their own for them, each within the limits by its im2col.

Output channels are cut and joined; input channels are cut and added up; positions are cut with the elements around them
that their windows reach into; kernel positions, where they're cut, are added up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product as every

import numpy as np
import onnx_ir as ir

from onnxtile.errors import wrong_name
from onnxtile.ir.arrays import lazily, read_array
from onnxtile.ir.dtypes import WIDER
from onnxtile.ir.metadata import OF, TILE
from onnxtile.ir.symbolic.amounts import Dim
from onnxtile.operators.windows import Geometry
from onnxtile.passes.rewrites.convolution_pieces import AnyPiece, Piece, Pieces, cut, number, read
from onnxtile.passes.rewrites.im2col import padded_data, with_axes, with_bias
from onnxtile.passes.rewrites.moves import Moves, dims_of
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.call_writer import WEIGHTS
from onnxtile.tiling.forms.table import form_of
from onnxtile.tiling.plan import ACCUMULATIONS, Accumulate, additions

Range = tuple[int, int, int, Dim]
"""An axis, the first element that is taken, the end, and how many that are."""


@dataclass(frozen=True)
class Joining:
    """Say how weights are cut and pieces joined: options of `lower`. Raises UsageError for what can't be."""

    weights: str = "pretile"
    accumulate: Accumulate = "chain"
    max_fan_in: int | None = None
    narrow_products: bool = False

    def __post_init__(self) -> None:
        for name, choices in (("weights", WEIGHTS), ("accumulate", ACCUMULATIONS)):
            if getattr(self, name) not in choices:
                raise wrong_name(f"{name} is {getattr(self, name)!r}", getattr(self, name), choices)
        form_of("unrolled", self.max_fan_in)


class Split:
    """Writes a convolution as those of its pieces."""

    def __init__(self, new: Replacement, geometry: Geometry, opset: int, pieces: Pieces, joining: Joining) -> None:
        self._new, self._geometry, self._pieces, self._joining = new, geometry, pieces, joining
        self._moves = _Shared(new, opset)
        self._slices: dict[object, ir.Value] = {}

    def write(
        self, node: ir.Node, x: ir.Value, w: ir.Value, bias: ir.Value | None,
        tensors: tuple[ir.TensorProtocol | None, ir.TensorProtocol | None],
    ) -> ir.Value:  # fmt: skip
        """Add the convolution; `tensors`: those of a constant weight and bias. Returns its result."""
        tensors = tensors if self._joining.weights == "pretile" else (None, None)
        geometry, pieces, own = self._geometry, self._pieces, x.dtype
        assert own is not None
        self._own, self._wide = own, WIDER.get(own, own) if pieces.sums > 1 else own
        self._typed = own if self._joining.narrow_products else self._wide
        kept = {name: node.attributes[name] for name in ("strides", "dilations") if name in node.attributes}
        self._attributes = {name: attribute.value for name, attribute in kept.items()}
        known = [*(axis.begin for axis in geometry.axes), *(axis.end for axis in geometry.axes)]
        if not pieces.cuts_windows and None in known:
            self._attributes["auto_pad"] = node.attributes["auto_pad"].value
        elif not pieces.cuts_windows and any(known):
            self._attributes["pads"] = known
        self._attributes["group"] = pieces.together
        padded = padded_data(self._moves, x, geometry) if pieces.cuts_windows else with_axes(self._new, x, geometry)
        later = None if self._wide == own else bias  # as it's added to what was rounded
        self._sources = (self._cast("x_wide", padded, self._typed), w, None if later else bias, *tensors)
        self._tile = node.metadata_props.get(TILE)
        batches = [self._of_batch(f"b{index}", piece) for index, piece in enumerate(cut(pieces.batch))]
        y = self._cast("y_own", self._joined("y_batch", batches, 0), own)
        return y if later is None else with_bias(self._new, geometry, y, later, tensors[1])

    def _of_batch(self, label: str, batch: AnyPiece) -> ir.Value:
        boxes: dict[tuple[int, ...], ir.Value] = {}
        places = [cut(axis) for axis in self._pieces.positions]
        grid = [range(len(axis)) for axis in places]
        for box in every(*grid):
            place = "_".join([label, *(f"p{index}" for index in box)])
            positions = [axis[index] for axis, index in zip(places, box, strict=True)]
            groups = [self._of_group(f"{place}_g{group}", batch, positions, group)
                      for group in range(self._pieces.groups)]  # fmt: skip
            boxes[box] = self._joined(f"{place}_groups", groups, 1)
        for axis in reversed(range(len(grid))):
            boxes = {
                front: self._joined(
                    "_".join(["y", label, f"axis{axis}", *map(str, front)]),
                    [boxes[front + (index,)] for index in grid[axis]], 2 + axis,  # noqa: RUF005  # no star there before Python 3.11
                )
                for front in every(*grid[:axis])
            }  # fmt: skip
        return boxes[()]

    def _of_group(self, label: str, batch: AnyPiece, positions: list[AnyPiece], group: int) -> ir.Value:
        pieces = self._pieces
        columns = []
        for index, filters in enumerate(pieces.filters):
            parts = []
            for at, (channels, *kernel) in enumerate(every(pieces.channels, *pieces.kernel)):
                data = self._data(batch, positions, group, channels, kernel)
                box = [self._filters(group, filters), channels, *kernel]
                weight = self._constant("w", 1, box)
                bias = [] if at or self._sources[2] is None else [self._constant("b", 2, box[:1])]
                inputs, shape = [data, weight, *bias], [end - start for start, end in box]
                parts.append(self._convolved(f"{label}_n{index}_k{at}", inputs, shape, positions))
            columns.append(self._added(f"{label}_n{index}", parts))
        return self._joined(f"{label}_filters", columns, 1)

    def _convolved(
        self, leaf: str, inputs: list[ir.Value], weight: list[int], positions: list[AnyPiece]
    ) -> ir.Value:  # fmt: skip
        """Add a piece's convolution. `weight`: its weight's shape."""
        batch = dims_of(inputs[0])[0]
        lengths = [size if piece is None else piece[1] - piece[0]
                   for size, piece in zip(self._geometry.out, positions, strict=True)]  # fmt: skip
        attributes = {**self._attributes, "kernel_shape": weight[2:]}
        y = self._moves.node("Conv", leaf, inputs, [batch, weight[0], *lengths], attributes)
        rows = [batch, *lengths] if isinstance(batch, int) else lengths
        sizes = [size for size in rows if isinstance(size, int)]
        m = math.prod(sizes) if len(sizes) == len(rows) else ""
        tile = f"m{m},k{math.prod(weight[1:])},n{weight[0] // self._pieces.together}"
        self._new.nodes[-1].metadata_props[TILE] = tile + (OF + self._tile if self._tile else "")
        return y

    def _added(self, leaf: str, parts: list[ir.Value]) -> ir.Value:
        """Add partial sums up, in a wider type where there is one."""
        moves, how = self._moves, self._joining
        if len(parts) > 1 and how.narrow_products:
            parts = [self._cast(f"{leaf}_k{index}_wide", part, self._wide) for index, part in enumerate(parts)]
        if how.accumulate == "sum":
            return self._merged("Sum", f"{leaf}_sum", parts, dims_of(parts[0]), {})
        for step, (left, right) in enumerate(additions(len(parts), how.accumulate), 1):
            parts.append(moves.node("Add", f"{leaf}_sum{step}", [parts[left], parts[right]], dims_of(parts[0])))
        return parts[-1]

    def _joined(self, leaf: str, values: list[ir.Value], axis: int) -> ir.Value:
        return self._merged("Concat", leaf, values, dims_of(values[0]), {"axis": axis}, axis)

    def _merged(
        self, op_type: str, leaf: str, values: Sequence[ir.Value], dims: list[Dim],
        attributes: dict[str, int | list[int]], axis: int | None = None,
    ) -> ir.Value:  # fmt: skip
        """Join values by a node, or by a tree of them; along `axis` their lengths add up. One alone stays as it is."""
        most, level = self._joining.max_fan_in, 0
        while most is not None and len(values) > most:
            groups = [values[start : start + most] for start in range(0, len(values), most)]
            values = [self._merged(op_type, f"{leaf}_{level}_{index}", group, dims, attributes, axis)
                      for index, group in enumerate(groups)]  # fmt: skip
            level += 1
        if len(values) == 1:
            return values[0]
        if axis is not None:
            dims = [*dims[:axis], sum(number(dims_of(value)[axis]) for value in values), *dims[axis + 1 :]]
        return self._moves.node(op_type, leaf, values, dims, attributes)

    def _data(
        self, batch: AnyPiece, positions: list[AnyPiece], group: int, channels: Piece, kernel: list[Piece]
    ) -> ir.Value:  # fmt: skip
        """Return what the windows at some positions have of some channels and kernel positions."""
        geometry, pieces = self._geometry, self._pieces
        ranges: list[Range] = [] if batch is None else [(0, *batch, batch[1] - batch[0])]
        if pieces.cuts_channels:
            first = group * number(geometry.channels_of_group)
            ranges.append((1, first + channels[0], first + channels[1], channels[1] - channels[0]))
        for at, (axis, piece, taps) in enumerate(zip(geometry.axes, positions, kernel, strict=True)):
            if piece is not None or not pieces.kernel[at].whole:
                ranges.append((at + 2, *read(axis, piece, taps)))
        return self._sliced("x", self._sources[0], ranges)

    def _sliced(self, letter: str, value: ir.Value, ranges: Sequence[Range]) -> ir.Value:
        """Cut axes one after the other, each cut made once."""
        for axis, start, end, length in ranges:
            key = (value, axis, start, end)
            if key not in self._slices:
                leaf = f"{letter}_piece{len(self._slices)}"
                self._slices[key] = self._moves.slice(leaf, value, axis, start, end, 1, length)
            value = self._slices[key]
        return value

    def _filters(self, group: int, filters: Piece) -> Piece:
        """Return the filters of a piece among those of all groups."""
        of_group = number(self._geometry.filters_of_group)
        return group * of_group + filters[0], (group + self._pieces.together - 1) * of_group + filters[1]

    def _constant(self, letter: str, index: int, box: list[Piece]) -> ir.Value:
        """Return a piece of the weight or the bias: cut ahead of time where it's a constant."""
        value, tensor, dtype = self._sources[index], self._sources[index + 2], self._typed
        assert isinstance(value, ir.Value)
        key = (letter, *box)
        if key in self._slices:
            return self._slices[key]
        if tensor is None:
            ranges = [(axis, start, end, end - start) for axis, (start, end) in enumerate(box)
                      if (start, end) != (0, dims_of(value)[axis])]  # fmt: skip
            made = self._cast(f"{letter}_wide{len(self._slices)}", self._sliced(letter, value, ranges), dtype)
        else:
            source, slices = tensor, tuple(slice(*piece) for piece in box)
            assert not isinstance(source, ir.Value)

            def numbers() -> np.ndarray:
                return np.ascontiguousarray(read_array(source)[slices]).astype(dtype.numpy(), copy=False)

            piece = lazily(numbers, dtype, [end - start for start, end in box])
            made = self._new.constant(f"{letter}_piece{len(self._slices)}", piece)
        self._slices[key] = made
        return made

    def _cast(self, leaf: str, value: ir.Value, dtype: ir.DataType) -> ir.Value:
        if value.dtype == dtype:
            return value
        return self._new.node("Cast", leaf, [value], {"to": dtype.value}, value.shape, dtype)


class _Shared(Moves):
    """Moves that share vectors of equal numbers: thousands of slices have few different ones."""

    def __init__(self, new: Replacement, opset: int) -> None:
        super().__init__(new, opset)
        self._vectors: dict[tuple[int, ...], ir.Value] = {}

    def numbers(self, leaf: str, numbers: Sequence[int]) -> ir.Value:
        key = tuple(numbers)
        if key not in self._vectors:
            self._vectors[key] = super().numbers("_".join(map(str, ("numbers", *key))), numbers)
        return self._vectors[key]
