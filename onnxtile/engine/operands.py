"""Costs of moving and keeping pieces of A, B and C: bursts, input rows of convolutions, partial sums.

An operand is cut into pieces along both axes. Its bytes are the product of two numbers: of rows, which depends on how
its first axis is cut, and of bytes a row, which depends on how its second one is. Sizes of pieces may be whole numbers
or arrays of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onnxtile.engine.description import BITS, Engine, Operand, ProductUnit, SplitSize
from onnxtile.engine.input_rows import InputRows
from onnxtile.engine.product import Product
from onnxtile.engine.schedule import AXES
from onnxtile.engine.sizes import ascending

Sizes = Any
"""A whole number, or an array of them: int64, or object where they may be larger."""
Room = dict[Operand, int] | int
"""Bits of local memory: of each operand, or of all."""


class Operands:
    """The operands of a product on an engine."""

    def __init__(self, product: Product, unit: ProductUnit, engine: Engine) -> None:
        self.size = {"m": product.m, "k": product.k, "n": product.n}
        self.burst = engine.memory.burst
        bits = bits_of(product, unit)
        self.bits: dict[Operand, int] = {"A": bits["A"], "B": bits["B"], "C": bits["C"]}
        self.local_bits: dict[Operand, int] = {**self.bits, "C": bits["S"]}
        self.copies: dict[Operand, int] = {"A": engine.local.buffers, "B": engine.local.buffers, "C": 1}
        self.rows: InputRows | None = None
        if product.window is not None and engine.conv.windows == "engine" and product.m and product.k:
            images = product.m // product.window.positions
            self.rows = InputRows(product.window, images, engine.conv.halo == "kept")
        self.even = self.burst == 1 and all(width % 8 == 0 for width in bits.values())
        """A row costs the same however it's cut."""
        self.room = room_of(engine)

    def swept(self, operand: Operand, axis: str, piece: Sizes, again: bool = False) -> Sizes:
        """Return the rows of all pieces along the first axis, or the bytes of a row of all pieces along the second.

        `again`: of each further time that it's moved. A piece of C is written and read then, as partial sums.
        """
        length = self.size[axis]
        first = axis == AXES[operand][0]
        if operand == "A" and self.rows is not None:
            return each(self.rows.swept, piece) if first else each(self.rows.channels, piece) * self._input_row()
        if first:
            return length
        bits, factor = self._row(operand, again)
        if self.even:
            return length * bits // 8 * factor
        return factor * row_bytes(length, piece, bits, self.burst)

    def last(self, operand: Operand, axis: str, start: Sizes, again: bool) -> Sizes:
        """Return the rows, or the bytes of a row, of the last piece along an axis, which begins at `start`."""
        first = axis == AXES[operand][0]
        if operand == "A" and self.rows is not None:
            return each(self.rows.last, start) if first else self.rows.channels_of_last(start) * self._input_row()
        if first:
            return self.size[axis] - start
        bits, factor = self._row(operand, again)
        return factor * whole_bursts(self.size[axis] - start, bits, self.burst)

    def held(self, operand: Operand, axis: str, piece: Sizes) -> Sizes:
        """Return the elements along an axis that a piece takes in local memory; of input rows, those of a row."""
        if operand == "A" and self.rows is not None:
            if axis == "m":
                return each(self.rows.most, piece) * self.rows.width
            return each(self.rows.most_channels, piece)
        return piece

    def least(self) -> int:
        """Return the fewest bytes: each operand once, without what bursts add."""
        a = self.size["m"] * self.size["k"]
        if self.rows is not None:
            a = self.rows.total() * self.rows.width * self.rows.window.channels
        elements = {"A": a, "B": self.size["k"] * self.size["n"], "C": self.size["m"] * self.size["n"]}
        return sum(-(-elements[operand] * bits // 8) for operand, bits in self.bits.items())

    def fits(self, local: dict[Operand, Sizes]) -> Sizes:
        """Return whether the local memory holds these bits of A, B and C."""
        return fits(local, self.room)

    def _row(self, operand: Operand, again: bool) -> tuple[int, int]:
        return (self.local_bits[operand], 2) if again and operand == "C" else (self.bits[operand], 1)

    def _input_row(self) -> int:
        """Return the bytes of an input row of a channel; one of a single element lies right beside the next."""
        assert self.rows is not None
        width = self.rows.width
        return int(whole_bursts(width, self.bits["A"], self.burst if width > 1 else 1))


def bits_of(product: Product, unit: ProductUnit) -> dict[str, int]:
    """Return the bits of an element of A, B, C, and of a partial sum: `S`."""
    a, b = product.types
    return {"A": BITS[a], "B": BITS[b], "C": BITS[product.result], "S": BITS[unit.accumulate]}


def room_of(engine: Engine) -> Room:
    """Return the bits of an engine's local memory."""
    size = engine.local.size
    return {"A": 8 * size.A, "B": 8 * size.B, "C": 8 * size.C} if isinstance(size, SplitSize) else 8 * size


def fits(local: dict[Operand, Sizes], room: Room) -> Sizes:
    """Return whether local memory has room for these bits of A, B and C."""
    if isinstance(room, int):
        return local["A"] + local["B"] + local["C"] <= room
    return (local["A"] <= room["A"]) & (local["B"] <= room["B"]) & (local["C"] <= room["C"])


def row_bytes(length: int, piece: Sizes, bits: int, burst: int) -> Sizes:
    """Return the bytes of a row of `length` elements, moved in pieces that each take whole bursts."""
    return length // piece * whole_bursts(piece, bits, burst) + whole_bursts(length % piece, bits, burst)


def whole_bursts(elements: Sizes, bits: int, burst: int) -> Sizes:
    """Return the bytes of elements that lie side by side, in whole bursts."""
    return -(-elements * bits // (8 * burst)) * burst


def each(function: Callable[[int], int], sizes: Sizes) -> Sizes:
    """Return what a function of whole numbers gives for each of `sizes`."""
    if not isinstance(sizes, np.ndarray):
        return function(int(sizes))
    distinct = ascending(sizes)
    values = np.array([function(int(size)) for size in distinct], dtype=sizes.dtype)
    return values[np.searchsorted(distinct, sizes)]
