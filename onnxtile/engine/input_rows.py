"""Input rows of a convolution that an engine reads which forms windows itself: what blocks of windows need, and share.

A block of windows, which are consecutive rows of A, reads each input row that one of its windows touches once, whole,
of each channel that its part of K touches. Rows go along the first spatial axis; rows between the taps of a dilated
kernel are read too, padding isn't. Two blocks that need the same input row both read it, unless halos are kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from onnxtile.engine.product import Window

MOST_BOUNDARIES = 1 << 16
"""Boundaries between blocks that are looked at one by one; beyond, the border of an image counts as its middle."""


@dataclass(frozen=True)
class InputRows:
    """The input rows of `images` images; `kept`: what two blocks share is read once."""

    window: Window
    images: int
    kept: bool

    @property
    def extent(self) -> int:
        """Input rows from the first that a window touches to the last."""
        return (self.window.kernel[0] - 1) * self.window.dilations[0] + 1

    @property
    def across(self) -> int:
        """Windows that start on the same input row."""
        return math.prod(self.window.outputs[1:])

    @property
    def width(self) -> int:
        """Elements of an input row."""
        return math.prod(self.window.lengths[1:])

    def _until(self, row: int) -> tuple[int, int, int]:
        """Return input rows that windows of output rows before `row` of an image touch, and of `row`: all, and shared.

        Shared are those that the output row before touches too.
        """
        window, stride = self.window, self.window.strides[0]
        start, length = -window.begin[0], window.lengths[0]
        ends = _sum_clipped(start + self.extent, stride, row, length)
        touched = ends - _sum_clipped(start, stride, row, length)
        if stride <= self.extent and row > 0:  # ends of rows 0 to row - 2 less starts of rows 1 to row - 1
            before = _sum_clipped(start + self.extent, stride, row - 1, length)
            touched -= before - _sum_clipped(start + stride, stride, row - 1, length)
        first, last = _clip(start + row * stride, length), _clip(start + row * stride + self.extent, length)
        previous = _clip(start + (row - 1) * stride + self.extent, length) if row else 0
        return touched, last - first, max(previous - first, 0) if row else 0

    def before(self, position: int) -> tuple[int, int]:
        """Return the input rows that windows before `position` touch, and those of them that the next one needs."""
        image, inside = divmod(position, self.window.positions)
        row, column = divmod(inside, self.across)
        touched, own, shared = self._until(row)
        whole = image * self._until(self.window.outputs[0])[0]
        return (whole + touched + own - shared, own) if column else (whole + touched, shared)

    def total(self) -> int:
        """Return the input rows that windows touch."""
        return self.images * self._until(self.window.outputs[0])[0]

    def last(self, start: int) -> int:
        """Return the input rows that the last block reads, which starts at the window `start`."""
        touched, shared = self.before(start)
        return self.total() - touched + (0 if self.kept else shared)

    def swept(self, block: int) -> int:
        """Return the input rows that all blocks of so many windows read."""
        return self.total() + (0 if self.kept else _shared(self, block))

    def most(self, block: int) -> int:
        """Return the most input rows that a block of so many windows needs, whatever window it starts at."""
        positions, rows = self.window.positions, self.window.outputs[0]
        touched = -(-block // self.across) if block % self.across == 0 else (block + self.across - 2) // self.across + 1
        crossed = 0 if positions % block == 0 else (block + positions - 2) // positions
        crossed = min(crossed, self.images - 1)
        touched = min(touched, rows * self.images)
        step = min(self.window.strides[0], self.extent)
        return min((touched - 1 - crossed) * step + (1 + crossed) * self.extent, (1 + crossed) * self._until(rows)[0])

    def channels(self, piece: int) -> int:
        """Return the channels that all parts of K of that size touch, those at the edges of parts twice."""
        taps, boundaries = self.window.taps, -(-self.window.channels * self.window.taps // piece) - 1
        return self.window.channels + boundaries - boundaries // (taps // math.gcd(piece, taps))

    def channels_of_last(self, start: int) -> int:
        """Return the channels that the last part of K touches, which begins at `start`."""
        return self.window.channels - start // self.window.taps

    def most_channels(self, piece: int) -> int:
        """Return the most channels that a part of K of that size touches."""
        taps = self.window.taps
        most = piece // taps if piece % taps == 0 else (piece + taps - 2) // taps + 1
        return min(most, self.window.channels)


@lru_cache(maxsize=1 << 14)
def _shared(rows: InputRows, block: int) -> int:
    """Return the input rows that are read again, as two neighbouring blocks need them."""
    window, across, positions = rows.window, rows.across, rows.window.positions
    boundaries = -(-rows.images * positions // block) - 1
    period = positions // math.gcd(block, positions)  # from there on blocks start at the same windows of an image
    if min(boundaries, period) > MOST_BOUNDARIES or positions * max(rows.window.strides) > 1 << 44:
        aligned = boundaries // (across // math.gcd(block, across))
        return (boundaries - aligned) * rows.extent + aligned * max(rows.extent - window.strides[0], 0)
    numbers = np.arange(1, min(boundaries, period) + 1)
    row, column = np.divmod(numbers * (block % positions) % positions, across)
    starts = row * window.strides[0] - window.begin[0]
    first, stop = (np.clip(at, 0, window.lengths[0]) for at in (starts, starts + rows.extent))
    previous = np.clip(starts - window.strides[0] + rows.extent, 0, window.lengths[0])
    again = np.where(column > 0, stop - first, np.where(row > 0, np.maximum(previous - first, 0), 0))
    cycles, rest = divmod(boundaries, period)
    return cycles * int(again.sum()) + int(again[:rest].sum()) if cycles else int(again.sum())


def _clip(value: int, most: int) -> int:
    return min(max(value, 0), most)


def _sum_clipped(start: int, step: int, count: int, most: int) -> int:
    """Return the sum of `start`, `start + step` and so on, `count` numbers, each made to lie from 0 to `most`."""
    below = _clip(-(start // step), count)
    within = _clip((most - start) // step + 1, count)
    within = max(within, below)
    inside = within - below
    return inside * start + step * (within * (within - 1) - below * (below - 1)) // 2 + (count - within) * most
