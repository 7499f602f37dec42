"""Choose the pieces that a convolution is split into, so that each is within the limits by its im2col; numbers only.

Output channels are cut, input channels, and batch and positions; kernel positions only where a single channel's don't
fit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from onnxtile.ir.symbolic.amounts import Dim
from onnxtile.operators.windows import Geometry, WindowAxis
from onnxtile.passes.rewrites.moves import ENDLESS
from onnxtile.tiling.limits import Limits
from onnxtile.tiling.plan import Accumulate, Axis, SplitPlan, TilePlan

MOST_BOXES = 2_000
"""Ways to cut positions that are compared: all that images have; the first ones cut the last axes least."""
Piece = tuple[int, int]
"""From the first element to behind the last one."""
AnyPiece = Piece | None
"""None: the length isn't cut, and may be unknown."""
_UNCUT = Axis(None, None)


@dataclass(frozen=True)
class Pieces:
    """Pieces that a convolution is cut into. `groups`: those that are convolved apart, 1 where they stay `together`.

    `filters` and `channels` are those of a group. `most`: M, K and N of the largest piece.
    """

    batch: Axis
    positions: tuple[Axis, ...]
    groups: int
    together: int
    filters: Axis
    channels: Axis
    kernel: tuple[Axis, ...]
    most: tuple[int | None, int, int]
    along: tuple[WindowAxis, ...]

    @classmethod
    def of(cls, geometry: Geometry, limits: Limits) -> Pieces:
        """Cut to the limits; sizes have to be numbers, but batch and positions only where M is limited."""
        kernel = [number(axis.kernel) for axis in geometry.axes]
        channels, filters = number(geometry.channels_of_group), number(geometry.filters_of_group)
        box = _kernel_box(kernel, limits.k)
        taps = math.prod(box)
        deep = channels if limits.k is None else max(min(channels, limits.k // taps), 1)
        wide = filters if limits.n is None else min(filters, limits.n)
        apart = geometry.group if deep < channels or wide < filters else 1
        (batch, *positions), most = _positions(geometry, limits.m)
        return cls(
            batch, tuple(positions), apart, geometry.group // apart, Axis.cut(filters, wide), Axis.cut(channels, deep),
            tuple(map(Axis.cut, kernel, box)), (most, deep * taps, wide), geometry.axes,
        )  # fmt: skip

    @property
    def cuts_windows(self) -> bool:
        """Return whether pieces see a part of the padded data along some axis."""
        return any(_count(axis) > 1 for axis in (*self.positions, *self.kernel))

    @property
    def cuts_channels(self) -> bool:
        return self.groups > 1 or _count(self.channels) > 1

    @property
    def sums(self) -> int:
        """Convolutions that are added up to one piece of the result."""
        return _count(self.channels, *self.kernel)

    @property
    def convolutions(self) -> int:
        return _count(self.batch, *self.positions, self.filters) * self.groups * self.sums

    def plan(
        self, plan: TilePlan, most: int, accumulate: Accumulate = "chain", max_fan_in: int | None = None
    ) -> SplitPlan:  # fmt: skip
        """Return the plan of a product with these pieces in place of tiles; beyond `most` only they count as nodes."""
        axes = zip((plan.m, plan.k, plan.n), self.most, strict=True)
        m, k, n = (Axis.cut(axis.size, limit) for axis, limit in axes)
        nodes = self.convolutions if self.convolutions > most else self.nodes(accumulate, max_fan_in)
        return SplitPlan(m, k, n, plan.empty, products_in_all=self.convolutions * self.together, nodes=nodes)

    def nodes(self, accumulate: Accumulate = "chain", max_fan_in: int | None = None) -> int:
        """Return how many nodes the pieces are: convolutions, and what cuts, adds and joins them.

        Not counted are casts of narrow floats and what goes with them, and what cuts weights at run time.
        """
        results = _count(self.batch, *self.positions)
        added = joints(self.sums, max_fan_in) if accumulate == "sum" else self.sums - 1
        joined = self.groups * joints(_count(self.filters), max_fan_in) + joints(self.groups, max_fan_in)
        total = self.convolutions + results * (self.groups * _count(self.filters) * added + joined)
        total += self.cuts_windows and any(axis.begin != 0 or axis.end != 0 for axis in self.along)  # a Pad
        before = 1
        for axis in (self.batch, *self.positions):
            total += before * joints(_count(axis), max_fan_in)
            before *= _count(axis)
        levels = [_count(self.batch)] if _count(self.batch) > 1 else []
        levels += [self.groups * _count(self.channels)] if self.cuts_channels else []
        for along, positions, kernel in zip(self.along, self.positions, self.kernel, strict=True):
            if _count(positions, kernel) > 1:
                levels.append(len({read(along, piece, taps) for piece in cut(positions) for taps in kernel}))
        return total + sum(math.prod(levels[: level + 1]) for level in range(len(levels)))


def number(size: Dim) -> int:
    """Return a size that is known to be a number."""
    assert isinstance(size, int)
    return size


def cut(axis: Axis) -> list[AnyPiece]:
    """Return the pieces of an axis, None for one that's whole."""
    return [None] if axis.whole else list(axis)


def joints(count: int, most: int | None) -> int:
    """Return how many nodes it takes to join so many values, at most `most` each (None: any number)."""
    nodes = 0
    while most is not None and count > most:
        nodes += count // most + (count % most > 1)
        count = -(-count // most)
    return nodes + (count > 1)


def read(axis: WindowAxis, positions: AnyPiece, kernel: Piece) -> tuple[int, int, Dim]:
    """Return start, end and length of what windows at some positions have of some kernel positions, in padded data."""
    low, high = kernel
    start = low * axis.dilation
    if positions is None:
        behind = (number(axis.kernel) - high) * axis.dilation
        left = None if axis.padded is None else axis.padded - behind - start
        return start, -behind if behind else ENDLESS, max(left, 0) if isinstance(left, int) else left
    start += positions[0] * axis.stride
    length = (positions[1] - 1 - positions[0]) * axis.stride + (high - low - 1) * axis.dilation + 1
    return start, start + length, length


def _count(*axes: Axis) -> int:
    return math.prod(axis.count or 1 for axis in axes)


def _kernel_box(kernel: Sequence[int], most: int | None) -> list[int]:
    """Return the largest piece of a kernel with at most so many positions, its last axes kept longest."""
    box = list(kernel)
    for axis, size in enumerate(box):
        others = math.prod(box) // size
        if most is not None and math.prod(box) > most:
            box[axis] = min(size, max(most // others, 1))
    return box


def _positions(geometry: Geometry, most: int | None) -> tuple[list[Axis], int | None]:
    """Cut batch and positions so that a piece has at most `most` of them, and return these of the largest, too.

    Of the ways that are compared, the one with the fewest pieces is taken, whose windows reach over the fewest
    elements.
    """
    if most is None:
        return [_UNCUT] * (len(geometry.axes) + 1), None
    out, batch = [number(size) for size in geometry.out], geometry.batch if isinstance(geometry.batch, int) else 1
    best: tuple[int, int, list[Axis]] | None = None
    for lengths in islice(_boxes(out, most), MOST_BOXES):
        together = max(min(batch, most // math.prod(lengths)), 1)
        axes = [Axis.cut(size, piece) for size, piece in zip((batch, *out), (together, *lengths), strict=True)]
        reach = math.prod((piece - 1) * axis.stride + axis.extent
                          for piece, axis in zip(lengths, geometry.axes, strict=True))  # fmt: skip
        pieces = _count(*axes)
        if best is None or (pieces, pieces * together * reach) < best[:2]:
            best = pieces, pieces * together * reach, axes
    assert best is not None  # a piece of one position is always one way
    return best[2], math.prod(min(axis.tile or 0, axis.size or 0) for axis in best[2])


def _boxes(sizes: Sequence[int], most: int) -> Iterator[list[int]]:
    """Yield boxes of at most `most` elements, of the least lengths at which axes have as few pieces."""
    if not sizes:
        yield []
        return
    size = max(sizes[-1], 1)
    length = min(size, most)
    while length:
        length = -(-size // -(-size // length))
        for before in _boxes(sizes[:-1], most // length):
            yield [*before, length]
        length -= 1
