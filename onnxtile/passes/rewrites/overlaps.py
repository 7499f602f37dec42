"""Add up what overlaps in a transposed convolution: by Col2Im, or tap by tap along one axis after the other."""

from __future__ import annotations

from itertools import chain
from math import prod
from typing import Literal

import onnx_ir as ir

from onnxtile.operators.sizes import count_of
from onnxtile.passes.rewrites.moves import Moves, dims_of
from onnxtile.passes.rewrites.run_time_sizes import Along, AnySize, RunTimeSizes
from onnxtile.passes.rewrites.transposed_geometry import TransposedGeometry

COL2IM_FROM = 18
"""The version of the default operator set that brought Col2Im."""
Order = Literal["positions", "taps", "pairs"]
"""Axes behind filters: positions (and the kernel is one axis with them), taps and positions, or a tap a position."""


def by_col2im(geometry: TransposedGeometry, dtype: ir.DataType, opset: int) -> bool:
    """Return whether Col2Im adds up what overlaps: onnxruntime has it for float, with dilations along two axes."""
    dilated = len(geometry.kernel) > 2 and max(geometry.dilations) > 1
    return opset >= COL2IM_FROM and dtype == ir.DataType.FLOAT and not dilated and not geometry.is_tiling


class Overlaps:
    """Adds up the windows of a transposed convolution's product: [batch, filters, *output] comes of them."""

    def __init__(self, moves: Moves, geometry: TransposedGeometry, sizes: RunTimeSizes) -> None:
        self._moves, self._geometry, self._sizes = moves, geometry, sizes
        self._filters = geometry.filters * geometry.group
        self._lengths = [Along(2 + axis) for axis in range(len(geometry.lengths))]

    def windows(self, y: ir.Value, order: Order) -> ir.Value:
        """Return the product as [batch, (group,) filters, ...], with what `order` says behind."""
        if self._geometry.is_by_image:
            return self._windows_of_image(self._moves.swap_last_axes("filters_first", y), order)
        geometry, filters, kernel = self._geometry, self._geometry.filters, self._geometry.kernel
        axes, groups, one = len(geometry.lengths), ["group"] * (geometry.group > 1), order == "positions"
        lengths, taps = [f"length{axis}" for axis in range(axes)], [f"tap{axis}" for axis in range(axes)]
        letters = [*groups, "batch", *lengths, "filters", *([] if one else taps)]
        extents: dict[str, AnySize] = {"group": geometry.group, "batch": Along(0)}
        extents |= {"filters": filters * prod(kernel) if one else filters}
        extents |= dict(zip(lengths, self._lengths, strict=True)) | dict(zip(taps, kernel, strict=True))
        y = self._sizes.reshape("windows", y, [extents[letter] for letter in letters])
        behind = {"positions": lengths, "taps": [*taps, *lengths], "pairs": [*chain(*zip(lengths, taps, strict=True))]}
        wanted = ["batch", *groups, "filters", *behind[order]]
        return self._moves.transpose("filters_first", y, [letters.index(letter) for letter in wanted])

    def _windows_of_image(self, y: ir.Value, order: Order) -> ir.Value:
        """Take y [(batch,) (group,) filters x kernel, positions], whose positions are known."""
        geometry, sizes, lengths = self._geometry, self._sizes, self._lengths
        front: list[AnySize] = [Along(0), *[geometry.group] * (geometry.group > 1)]
        if order == "positions":
            return sizes.reshape("windows", y, [*front, geometry.filters * prod(geometry.kernel), *lengths])
        if order == "taps":
            return sizes.reshape("windows", y, [*front, geometry.filters, *geometry.kernel, *lengths])
        # only the last axis moves element by element; of the others, rows of it do
        *outer, last = geometry.kernel
        positions, at = count_of(geometry.lengths), len(front) + 1
        assert isinstance(positions, int)
        y = sizes.reshape("last_taps", y, [*front, geometry.filters * prod(outer), last, positions])
        y = self._moves.transpose("last_paired", y, [*range(at), at + 1, at])
        row = Along(1 + len(geometry.kernel), last)
        y = sizes.reshape("last_joined", y, [*front, geometry.filters, *outer, *lengths[:-1], row])
        pairs = [(at + len(outer) + axis, at + axis) for axis in range(len(outer))]
        return self._moves.transpose("paired", y, [*range(at), *chain(*pairs), at + 2 * len(outer)])

    def by_col2im(self, y: ir.Value) -> ir.Value:
        """Take y [batch, (group,) filters x kernel, *positions]."""
        moves, geometry, sizes = self._moves, self._geometry, self._sizes
        y = sizes.join("columns", y, [Along(0), self._filters * prod(geometry.kernel)], self._lengths)
        one = [1] * (len(geometry.kernel) == 1)  # of one axis onnxruntime's Col2Im forgets dilations
        overlap = [span - stride for span, stride in zip(geometry.spans, geometry.strides, strict=True)]
        image: list[AnySize] = [*one, *self._strided(overlap)]
        inputs = [y, sizes.vector("image", image), moves.numbers("kernel", [*one, *geometry.kernel])]
        attributes = {"strides": [*one, *geometry.strides], "dilations": [*one, *geometry.dilations]}
        dims = [sizes.dim(Along(0)), self._filters, *map(sizes.dim, image)]
        y = moves.node("Col2Im", "overlapped", inputs, dims, {**attributes, "pads": [0] * (2 * len(image))})
        if one:
            y = moves.node("Squeeze", "line", [y, moves.numbers("line_axes", [2])], [*dims[:2], *dims[3:]])
        return self._cropped(y, overlap)

    def by_taps(self, y: ir.Value) -> ir.Value:
        """Take y [batch, (group,) filters, *kernel, *positions].

        Tap t of element i goes to element stride * (i + q) + r, where q and r are the quotient and the rest of
        t * dilation / stride: it's moved by q, taps of equal r are added, and the sums are interleaved.
        """
        geometry = self._geometry
        front: list[AnySize] = [Along(0), self._filters]
        if geometry.group > 1:
            y = self._sizes.reshape("merged", y, [*front, *geometry.kernel, *self._lengths])
        reach = [(span - 1) // stride for span, stride in zip(geometry.spans, geometry.strides, strict=True)]
        grown = [stride * amount for stride, amount in zip(geometry.strides, reach, strict=True)]
        joined = self._strided(grown)
        for axis in reversed(range(len(geometry.kernel))):
            taps, along = 2 + axis, 3 + 2 * axis
            y = self._phases(y, axis, reach[axis])
            if geometry.strides[axis] > 1:
                order = [index for index in range(len(dims_of(y))) if index != taps]
                y = self._moves.transpose(f"axis{axis}_paired", y, [*order[:along], taps, *order[along:]])
            kept: list[AnySize] = [*geometry.kernel[:axis], *self._lengths[:axis]]
            y = self._sizes.reshape(f"axis{axis}_interleaved", y, [*front, *kept, *joined[axis:]])
        return self._cropped(y, grown)

    def interleaved(self, y: ir.Value) -> ir.Value:
        """Take y [batch, (group,) filters, *positions], each with its taps behind it, none of which overlap."""
        none = [0] * len(self._lengths)
        return self._cropped(
            self._sizes.reshape("interleaved", y, [Along(0), self._filters, *self._strided(none)]), none
        )

    def _strided(self, grown: list[int]) -> list[Along]:
        """Return the sizes stride * length + grown along all axes."""
        pairs = zip(self._geometry.strides, grown, strict=True)
        return [Along(2 + axis, stride, more) for axis, (stride, more) in enumerate(pairs)]

    def _cropped(self, y: ir.Value, grown: list[int]) -> ir.Value:
        """Crop or pad y, stride * length + grown long along its axes, to what the operator gives."""
        geometry = self._geometry
        ends = [own - other + begin for own, other, begin in zip(geometry.grown, grown, geometry.begins, strict=True)]
        pads = [(-begin, end) for begin, end in zip(geometry.begins, ends, strict=True)]
        return self._moves.pad("cropped", y, [(0, 0), (0, 0), *pads])

    def _phases(self, y: ir.Value, axis: int, reach: int) -> ir.Value:
        """Return y with as many phases as the stride in the place of the axis of taps."""
        moves, geometry, rank = self._moves, self._geometry, len(dims_of(y))
        size, stride, dilation = geometry.kernel[axis], geometry.strides[axis], geometry.dilations[axis]
        taps, along = 2 + axis, 3 + 2 * axis
        phases: dict[int, list[ir.Value]] = {}
        for tap in range(size):
            leaf, (shift, phase) = f"axis{axis}_tap{tap}", divmod(tap * dilation, stride)
            piece = moves.slice(leaf, y, taps, tap, tap + 1, 1, 1) if size > 1 else y
            pads = [(shift, reach - shift) if index == along else (0, 0) for index in range(rank)]
            phases.setdefault(phase, []).append(moves.pad(f"{leaf}_moved", piece, pads))
        sums, filled = [], sorted(phases)
        for phase, following in zip(filled, [*filled[1:], stride], strict=True):
            leaf, (total, *more) = f"axis{axis}_phase{phase}", phases[phase]
            for index, piece in enumerate(more):
                total = moves.node("Add", f"{leaf}_{index}", [total, piece], dims_of(total))
            pads = [(0, following - phase - 1) if index == taps else (0, 0) for index in range(rank)]
            sums.append(moves.pad(f"{leaf}_spaced", total, pads))
        return moves.concat(f"axis{axis}_phases", sums, taps)
