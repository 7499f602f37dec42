"""A tile plan in whole numbers; no ONNX in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Accumulate = Literal["chain", "tree", "sum"]
ACCUMULATIONS: tuple[Accumulate, ...] = ("chain", "tree", "sum")


@dataclass(frozen=True)
class Axis:
    """One axis of a product, cut into pieces of `tile` elements; the last piece may be shorter.

    `size` is None where it is known only at run time; `tile` is then the limit, or None for an axis that is
    left whole however long it turns out to be. An axis of no elements has one piece, of no elements.

        >>> list(Axis.cut(130, 64))
        [(0, 64), (64, 128), (128, 130)]
    """

    size: int | None
    tile: int | None

    @classmethod
    def cut(cls, size: int | None, limit: int | None, full: bool = False) -> Axis:
        """Cut `size` elements (None: known at run time) into pieces of at most `limit` (None: unlimited).

        A tile is never larger than the axis, so that nothing is padded beyond what raggedness needs; `full` tiles have
        the limit's size whatever the axis'.
        """
        if size is None or (full and limit is not None):
            return cls(size, limit)
        return cls(size, max(1, size if limit is None else min(size, limit)))

    @property
    def whole(self) -> bool:
        """The axis stays in one piece, whatever its size turns out to be."""
        return self.tile is None or (self.size is not None and self.size <= self.tile)

    @property
    def count(self) -> int | None:
        """The number of pieces; None where it is known only at run time."""
        if self.tile is None:
            return 1
        return None if self.size is None else max(1, -(-self.size // self.tile))

    @property
    def padding(self) -> int | None:
        """Elements that fill the last piece up to a whole tile; None where it is known only at run time."""
        if self.tile is None:
            return 0
        return None if self.size is None or self.count is None else self.count * self.tile - self.size

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield the pieces as (start, stop), in order. The axis' size must be known."""
        assert self.size is not None and self.tile is not None and self.count is not None
        for index in range(self.count):
            yield index * self.tile, min((index + 1) * self.tile, self.size)

    @property
    def lengths(self) -> list[int]:
        return [stop - start for start, stop in self]


@dataclass(frozen=True)
class TilePlan:
    """The tiles along each axis of one product C[m, n] = sum over k of A[m, k] * B[k, n]."""

    m: Axis
    k: Axis
    n: Axis
    empty: bool = False
    """An axis, or the batch, has no elements: there's nothing to compute."""

    full: bool = False
    """Every tile is computed at its full size, padded with zeros."""

    schedule: str = ""
    """How the tiles run, as metadata has it; '': in the order of m, n, k."""

    unscheduled: str = ""
    """Why no schedule was chosen where one was asked for."""

    @property
    def padded(self) -> TilePlan:
        """The plan of the product with its axes padded to whole tiles."""
        axes = (self.m, self.k, self.n)
        m, k, n = (axis if axis.size is None else Axis(axis.size + (axis.padding or 0), axis.tile) for axis in axes)
        return TilePlan(m, k, n, self.empty, self.full, self.schedule)

    @property
    def tile(self) -> tuple[int | None, int | None, int | None]:
        return (self.m.tile, self.k.tile, self.n.tile)

    @property
    def products(self) -> int | None:
        """Tile products of one matrix product; None where that is known only at run time."""
        counts = (self.m.count, self.k.count, self.n.count)
        return None if None in counts else counts[0] * counts[1] * counts[2]  # type: ignore[operator]  # None excluded


@dataclass(frozen=True)
class VectorPlan(TilePlan):
    """The plan of a product that is written element by element: none is left for the engine."""


@dataclass(frozen=True)
class SplitPlan(TilePlan):
    """The plan of a convolution that becomes smaller ones: the largest piece stands where tiles do."""

    products_in_all: int = 0
    """Of all groups and batches; a batch that isn't a number counts once."""
    nodes: int = 0
    """That the pieces are."""


def additions(count: int, how: Accumulate) -> list[tuple[int, int]]:
    """Return the pairs to add, in order, so that `count` partial sums become one.

    Partial sums are numbered from 0; each addition's result takes the next free number, and the last result is
    the total. `chain` adds one after the other, `tree` halves the number each round (the odd one waits).

    >>> additions(4, "chain")
    [(0, 1), (4, 2), (5, 3)]
    >>> additions(4, "tree")
    [(0, 1), (2, 3), (4, 5)]
    """
    if how == "chain":
        return [(count + step - 2 if step > 1 else 0, step) for step in range(1, count)]
    pairs: list[tuple[int, int]] = []
    waiting = list(range(count))
    while len(waiting) > 1:
        level = list(zip(waiting[::2], waiting[1::2], strict=False))
        sums = range(count + len(pairs), count + len(pairs) + len(level))
        pairs += level
        waiting = [*sums, *waiting[2 * len(level) :]]
    return pairs
