"""Bytes that a product moves between memory and local memory under a schedule, and the local memory that it takes.

An operand is moved in pieces: the one that stays in blocks, one of the others in strips as long as a block, the third
in tiles. A piece is moved when it's needed and isn't the piece that's there; a row of it takes whole bursts. A piece of
partial sums that isn't finished is written and read again. docs/engine.md derives the counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from onnxtile.engine.description import Engine, Operand, ProductUnit
from onnxtile.engine.operands import Operands
from onnxtile.engine.product import Product
from onnxtile.engine.schedule import AXES, Schedule


@dataclass(frozen=True)
class Traffic:
    """Bytes of one product of the batch: of A and B read, of C written, of partial sums written and read again.

    `local` is the bits of local memory that A, B and C take.
    """

    a: int
    b: int
    c: int
    partial: int
    local: dict[Operand, int]

    @property
    def total(self) -> int:
        return self.a + self.b + self.c + self.partial


def traffic(product: Product, schedule: Schedule, unit: ProductUnit, engine: Engine) -> Traffic:
    """Return the bytes of one product of the batch."""
    operands = Operands(product, unit, engine)
    size = operands.size
    tile = {axis: min(schedule.size_of(axis), size[axis]) or 1 for axis in "mkn"}
    block = {axis: min(schedule.block_of(axis), size[axis]) or 1 for axis in AXES[schedule.stays]}
    x, y, z, _, last = tuple(schedule.order)
    parts = {axis: -(-size[axis] // block[axis]) for axis in (x, y)}
    whole_z = tile[z] >= size[z]
    moved: dict[Operand, tuple[int, int]] = {}
    local: dict[Operand, int] = {}
    for operand, axes in AXES.items():
        rest = 0  # what isn't moved again, as it's still there
        if operand == schedule.stays:
            pieces, times = block, 1
        else:
            own = x if x in axes else y
            pieces = {own: block[own] if own == last else tile[own], z: tile[z]}
            if own == y:  # moved for each block of x, but where it's a single piece
                times = 1 if whole_z and pieces[y] >= size[y] else parts[x]
            elif own == last:
                times = 1 if whole_z else parts[y]
            else:
                times = parts[y]
                start = (parts[x] - 1) * block[x]
                if whole_z and block[x] <= tile[x]:
                    times = 1
                elif whole_z and size[x] - start <= tile[x]:  # the last block is one tile
                    rest = operands.last(operand, x, start, True) * operands.swept(operand, z, tile[z], True)
        rows, width = axes
        once = operands.swept(operand, rows, pieces[rows]) * operands.swept(operand, width, pieces[width])
        again = operands.swept(operand, rows, pieces[rows], again=True)
        again *= operands.swept(operand, width, pieces[width], again=True)
        moved[operand] = once, (times - 1) * (again - rest)
        copies = 1 if operand == schedule.stays else operands.copies[operand]
        held = operands.held(operand, rows, pieces[rows]) * operands.held(operand, width, pieces[width])
        local[operand] = copies * held * operands.local_bits[operand]
    return Traffic(sum(moved["A"]), sum(moved["B"]), moved["C"][0], moved["C"][1], local)
