"""Bytes that a product moves between memory and local memory under a schedule, and the local memory that it takes.

An operand is moved in pieces: the one that stays in blocks, one of the others in strips as long as a block, the third
in tiles. A piece is moved when it's needed and isn't the piece that's there; a row of it takes whole bursts. A piece of
partial sums that isn't finished is written and read again. docs/engine.md derives the counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from onnxtile.engine.description import BITS, Engine, Operand, ProductUnit, SplitSize
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


def bits_of(product: Product, unit: ProductUnit) -> dict[str, int]:
    """Return the bits of an element of A, B, C, and of a partial sum: `S`."""
    a, b = product.types
    return {"A": BITS[a], "B": BITS[b], "C": BITS[product.result], "S": BITS[unit.accumulate]}


def least_bytes(product: Product, unit: ProductUnit) -> int:
    """Return the fewest bytes that can be moved: each operand once, without what bursts add."""
    bits, (m, k, n) = bits_of(product, unit), product.sizes
    if not product.batch * m * n:
        return 0
    return product.batch * sum(-(-size // 8) for size in (m * k * bits["A"], k * n * bits["B"], m * n * bits["C"]))


def fits(local: dict[Operand, int], engine: Engine) -> bool:
    """Return whether the local memory holds these bits of A, B and C."""
    size = engine.local.size
    if isinstance(size, SplitSize):
        return all(bits <= 8 * getattr(size, operand) for operand, bits in local.items())
    return sum(local.values()) <= 8 * size


def traffic(product: Product, schedule: Schedule, unit: ProductUnit, engine: Engine) -> Traffic:
    """Return the bytes of one product of the batch."""
    size = dict(zip("mkn", product.sizes, strict=True))
    tile = {axis: min(schedule.size_of(axis), size[axis]) or 1 for axis in "mkn"}
    block = {axis: min(schedule.block_of(axis), size[axis]) or 1 for axis in AXES[schedule.stays]}
    x, y, z, _, last = tuple(schedule.order)
    bits, burst = bits_of(product, unit), engine.memory.burst
    whole_z = tile[z] >= size[z]
    pieces: dict[Operand, dict[str, int]] = {}
    times: dict[Operand, int] = {}
    rest = 0  # of axis x, in blocks of one tile: those tiles of the operand of x and z aren't moved again
    for operand, axes in AXES.items():
        if operand == schedule.stays:
            pieces[operand], times[operand] = block, 1
            continue
        own = x if x in axes else y
        pieces[operand] = {own: block[own] if own == last else tile[own], z: tile[z]}
        if own == y:  # read for each block of x, but where nothing else was read since
            times[operand] = 1 if whole_z and pieces[operand][y] >= size[y] else _parts(size[x], block[x])
        elif own == last:
            times[operand] = 1 if whole_z else _parts(size[y], block[y])
        else:
            times[operand] = _parts(size[y], block[y])
            rest = _alone(size[x], block[x], tile[x]) if whole_z else 0

    def swept(operand: Operand, of: str, again: bool = False) -> int:
        """Bytes of all pieces; `again`: without those that stay from one block to the next."""
        rows, width = AXES[operand]
        cut = {axis: (size[axis], pieces[operand][axis]) for axis in (rows, width)}
        if again and rest and x in cut and operand != schedule.stays:
            cut[x] = (size[x] - rest, cut[x][1])
        return cut[rows][0] * row_bytes(*cut[width], bits[of], burst)

    read = {op: swept(op, op) + (times[op] - 1) * swept(op, op, again=True) for op in ("A", "B")}
    streams = engine.local.buffers
    local: dict[Operand, int] = {}
    for operand in AXES:
        one, two = pieces[operand].values()
        copies = 1 if operand in (schedule.stays, "C") else streams
        local[operand] = copies * one * two * bits["S" if operand == "C" else operand]
    partial = 2 * (times["C"] - 1) * swept("C", "S", again=True)
    return Traffic(read["A"], read["B"], swept("C", "C"), partial, local)


def row_bytes(length: int, piece: int, bits: int, burst: int) -> int:
    """Return the bytes of a row of `length` elements, moved in pieces that each take whole bursts."""

    def whole(elements: int) -> int:
        return -(-elements * bits // (8 * burst)) * burst

    return length // piece * whole(piece) + whole(length % piece)


def _parts(length: int, size: int) -> int:
    return -(-length // size)


def _alone(length: int, block: int, tile: int) -> int:
    """Return how much of an axis lies in blocks of a single tile."""
    if block <= tile:
        return length
    last = length - (_parts(length, block) - 1) * block
    return last if last <= tile else 0
