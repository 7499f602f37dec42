"""Walk through calls in the order in which they stand, such as a file's, and count what they move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from onnxtile.engine.compute import call_cycles
from onnxtile.engine.description import Engine, Operand, ProductUnit
from onnxtile.engine.operands import bits_of, row_bytes
from onnxtile.engine.product import Product
from onnxtile.engine.schedule import AXES, Box, Schedule

Piece = tuple[int, int]
"""Which piece of an operand it is, along its rows and its columns."""


@dataclass(frozen=True)
class Walk:
    """Amounts that the calls of one product of a batch move and take: bytes as in `Traffic`, cycles of the array.

    `peak`: the most bytes a cycle that a call asks for while it's computed, what it's preceded by written among them.
    """

    calls: int
    a: int
    b: int
    c: int
    partial: int
    compute: int
    peak: Fraction

    @property
    def total(self) -> int:
        """Return the bytes that they move."""
        return self.a + self.b + self.c + self.partial


def pieces_of(schedule: Schedule, size: dict[str, int]) -> dict[Operand, tuple[int, int]]:
    """Return the rows and columns of the piece of each operand that local memory keeps until another is needed."""
    x, y, z, _, last = list(schedule.order)
    pieces: dict[Operand, tuple[int, int]] = {}
    for operand, axes in AXES.items():
        lengths = {z: schedule.size_of(z)}
        for own in {x, y} & set(axes):
            kept = operand == schedule.stays or own == last
            lengths[own] = schedule.block_of(own) if kept else schedule.size_of(own)
        pieces[operand] = tuple(max(min(lengths[axis], size[axis]), 1) for axis in axes)  # type: ignore[assignment]  # two
    return pieces


def walk(boxes: Iterable[Box], product: Product, schedule: Schedule, unit: ProductUnit, engine: Engine) -> Walk:
    """Return what calls of these boxes move one after the other, with the pieces kept that the schedule keeps.

    A piece of A or B is read where it isn't the one that is there; one of C is written where another is needed, as
    partial sums unless the end of K was reached, and these are read where it's needed again.
    """
    size = dict(zip("mkn", product.sizes, strict=True))
    pieces, bits, burst = pieces_of(schedule, size), bits_of(product, unit), engine.memory.burst
    known: dict[tuple[str, str, Piece], int] = {}

    def bytes_of(operand: Operand, piece: Piece, of: str) -> int:
        key = operand, of, piece
        if key not in known:
            lengths = zip(piece, pieces[operand], (size[axis] for axis in AXES[operand]), strict=True)
            rows, columns = (max(min(length, whole - at * length), 0) for at, length, whole in lengths)
            known[key] = rows * row_bytes(columns, max(columns, 1), bits[of], burst)
        return known[key]

    here: dict[Operand, Piece] = {}
    visits: Counter[Piece] = Counter()
    cycles: dict[tuple[int, int, int], int] = {}
    read = {"A": 0, "B": 0}
    calls = compute = 0
    peak, finished = Fraction(0), True
    for box in boxes:
        start = dict(zip("mkn", (span[0] for span in box), strict=True))
        moved = 0
        for operand, axes in AXES.items():
            piece = start[axes[0]] // pieces[operand][0], start[axes[1]] // pieces[operand][1]
            before = here.get(operand)
            if piece == before:
                continue
            here[operand] = piece
            if operand != "C":
                read[operand] += bytes_of(operand, piece, operand)
                moved += bytes_of(operand, piece, operand)
                continue
            if before is not None:
                moved += bytes_of("C", before, "C" if finished else "S")
            moved += bytes_of("C", piece, "S") if visits[piece] else 0
            visits[piece] += 1
        finished = box[1][1] >= size["k"]
        m, k, n = (stop - begin for begin, stop in box)
        taken = cycles.setdefault((m, k, n), call_cycles(unit, m, k, n))
        calls, compute = calls + 1, compute + taken
        if taken and moved * peak.denominator > peak.numerator * taken:
            peak = Fraction(moved, taken)
    partial = sum(2 * (times - 1) * bytes_of("C", piece, "S") for piece, times in visits.items())
    written = sum(bytes_of("C", piece, "C") for piece in visits)
    return Walk(calls, read["A"], read["B"], written, partial, compute, peak)
