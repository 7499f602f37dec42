"""Many schedules at once that keep the same operands alike: their bytes, and what they take of local memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from onnxtile.engine.description import Operand
from onnxtile.engine.operands import Operands, Sizes
from onnxtile.engine.schedule import AXES, Schedule

Kind = Literal["strip of x", "strip of y", "x once", "last of x once"]
"""The operand that is kept beside the block: a strip along x, or along y, of the operand that has that axis.

The other two are for tiles that take the whole third axis. `x once`: a strip along x, which is moved once for all
blocks of y; these are single tiles. `last of x once`: a strip along y; where the last block of x is a single tile, that
tile is moved once for all blocks of y.
"""


class Roles(NamedTuple):
    """The operand that stays, with axes x and y, x the outermost; those with x and z, and y and z; these axes."""

    stays: Operand
    of_x: Operand
    of_y: Operand
    x: str
    y: str
    z: str

    @classmethod
    def of(cls, stays: Operand, x: str, y: str) -> Roles:
        z = next(axis for axis in "mkn" if axis not in (x, y))
        of_x, of_y = (next(name for name, axes in AXES.items() if set(axes) == {axis, z}) for axis in (x, y))
        return cls(stays, of_x, of_y, x, y, z)

    def turned(self) -> Roles:
        """Return them with x and y exchanged."""
        return Roles.of(self.stays, self.y, self.x)


@dataclass(frozen=True)
class Placements:
    """Schedules of a product: tiles of x, y and z as columns, and for each a row of sizes of blocks along x."""

    operands: Operands
    roles: Roles
    kind: Kind
    tile: tuple[Sizes, Sizes, Sizes]
    first: Sizes

    @property
    def along_x(self) -> bool:
        """A strip along x is kept."""
        return self.kind in ("strip of x", "x once")

    def bytes(self, second: Sizes, bound: bool = False) -> Sizes:
        """Return the bytes of one product of the batch with blocks of `second` along y.

        `bound`: as if rows cost the same however they're cut along y.
        """
        roles, (tx, ty, _) = self.roles, self.tile
        size_x, size_y = self.operands.size[roles.x], self.operands.size[roles.y]
        parts_x, parts_y = -(-size_x // self.first), -(-size_y // second)
        once, again_x, again_y = self._moves(size_y if bound else second)
        if self.kind == "x once":
            more_x, more_y = 0, np.where(ty >= size_y, 0, parts_x - 1)
        elif self.kind == "last of x once":
            start = (parts_x - 1) * self.first
            rest = np.where(size_x - start <= tx, self._last_of_x(start), 0)
            again_x = np.where(self.first <= tx, 0, again_x - rest)
            more_x, more_y = parts_y - 1, np.where(parts_y == 1, 0, parts_x - 1)
        else:
            more_x, more_y = parts_y - 1, parts_x - 1
        return once + more_x * again_x + more_y * again_y

    def _moves(self, second: Sizes) -> tuple[Sizes, Sizes, Sizes]:
        """Return the bytes of moving everything once, and those of x's operand and y's each further time."""
        swept, (stays, of_x, of_y, x, y, z), (tx, ty, tz) = self.operands.swept, self.roles, self.tile
        cut_x, cut_y = (self.first, ty) if self.along_x else (tx, second)
        once_x = again_x = swept(of_x, x, cut_x) * swept(of_x, z, tz)
        once_y = again_y = swept(of_y, y, cut_y) * swept(of_y, z, tz)
        if of_x == "C":
            again_x = swept(of_x, x, cut_x, True) * swept(of_x, z, tz, True)
        if of_y == "C":
            again_y = swept(of_y, y, cut_y, True) * swept(of_y, z, tz, True)
        block = swept(stays, x, self.first) * swept(stays, y, second)
        return block + once_x + once_y, again_x, again_y

    def _last_of_x(self, start: Sizes) -> Sizes:
        """Return the bytes of the last piece of x's operand, which begins at `start`, each further time it's moved."""
        operands, roles = self.operands, self.roles
        last = operands.last(roles.of_x, roles.x, start, True)
        return last * operands.swept(roles.of_x, roles.z, self.tile[2], True)

    def floor(self) -> np.ndarray:
        """Return for each tile a number of bytes that no size of its blocks is below: `first` is all of x here.

        With n and m blocks along x and y, n * m is at least the operand's size over the room for a block, and the bytes
        are least where what n and m cost is balanced.
        """
        operands, (stays, of_x, of_y, x, y, z), (tx, ty, tz) = self.operands, self.roles, self.tile
        size_x, size_y = operands.size[x], operands.size[y]
        once, again_x, again_y = self._moves(size_y)
        if self.kind == "last of x once":
            again_x = np.where(tx >= size_x, 0, again_x - self._last_of_x(np.maximum(size_x - tx, 0)))
        if operands.rows is not None and stays == "A":  # how many windows there is room for isn't known
            return np.asarray(once, dtype=float)
        if isinstance(operands.room, int):
            whole = (of_y, y, ty) if self.along_x else (of_x, x, tx)
            room = operands.room - self._bits(*whole, z, tz, operands.copies[whole[0]])
        else:
            room = operands.room[stays]
        parts = once, again_x, again_y, room
        once, again_x, again_y, room = (np.asarray(part, dtype=float) for part in parts)
        per_element = operands.local_bits[stays]
        blocks = np.maximum(float(size_x) * size_y * per_element / np.maximum(room, 1e-9), 1.0)
        if self.kind == "x once":
            more = np.where(
                ty >= size_y, 0, (np.maximum(blocks * (np.asarray(ty, dtype=float) / size_y), 1.0) - 1) * again_y
            )
        else:
            parts_x = np.minimum(np.maximum(np.sqrt(blocks * again_x / np.maximum(again_y, 1e-9)), 1.0), blocks)
            more = (blocks / parts_x - 1) * again_x + (parts_x - 1) * again_y
            if self.kind == "last of x once":
                more = np.minimum(more, np.maximum(size_x / np.asarray(tx, dtype=float) - 1, 0) * again_y)
        floors: np.ndarray = (once + more) * (1 - 1e-9)
        return floors

    def fits(self, second: Sizes) -> Sizes:
        """Return where local memory has room for blocks of `second` along y."""
        (stays, of_x, of_y, x, y, z), (tx, ty, tz) = self.roles, self.tile
        cut_x, cut_y = (self.first, ty) if self.along_x else (tx, second)
        used = {
            stays: self._bits(stays, x, self.first, y, second, 1),
            of_x: self._bits(of_x, x, cut_x, z, tz, self.operands.copies[of_x]),
            of_y: self._bits(of_y, y, cut_y, z, tz, self.operands.copies[of_y]),
        }
        return self.operands.fits(used)

    def _bits(self, operand: Operand, one: str, size: Sizes, two: str, other: Sizes, copies: int) -> Sizes:
        held = self.operands.held
        return held(operand, one, size) * held(operand, two, other) * (self.operands.local_bits[operand] * copies)

    def room(self, in_tiles: bool = True) -> Sizes:
        """Return the largest size of blocks along y that local memory has room for, in whole tiles; 0: there is none.

        Where an engine forms windows, the largest that it might have room for. `in_tiles=False`: of any number of rows.
        """
        operands, (stays, of_x, of_y, x, y, z), (tx, ty, tz) = self.operands, self.roles, self.tile
        used_x = self._bits(of_x, x, self.first if self.along_x else tx, z, tz, operands.copies[of_x])
        used_y = self._bits(of_y, y, ty, z, tz, operands.copies[of_y]) if self.along_x else 0
        per_block = operands.held(stays, x, self.first) * operands.local_bits[stays]
        per_strip = (
            0 if self.along_x else operands.held(of_y, z, tz) * (operands.local_bits[of_y] * operands.copies[of_y])
        )
        scale = 1
        if operands.rows is not None and "A" in (stays, of_y):
            # a part of K touches at least one channel for each window's worth; for M there is no such bound
            scale, of_a = (operands.rows.window.taps, 1) if y == "k" else (1, 0)
            per_block = per_block * (of_a if stays == "A" else scale)
            per_strip = per_strip * (of_a if of_y == "A" else scale)
        length = operands.size[y]
        if isinstance(operands.room, int):
            left = operands.room - used_x - used_y
            most = np.where(left < 0, 0, _quotient(left * scale, per_block + per_strip, length))
        else:
            has = operands.room
            of_block, of_strip = (
                _quotient(has[name] * scale, per, length) for name, per in ((stays, per_block), (of_y, per_strip))
            )
            most = np.where((used_x > has[of_x]) | (used_y > has[of_y]), 0, np.minimum(of_block, of_strip))
        return np.where(most >= length, length, most // ty * ty if in_tiles else most)

    def room_of_z(self, second: Sizes) -> Sizes:
        """Return the largest tile along z that blocks of `second` along y leave room for; 0: there is none.

        Only where the engine forms no windows.
        """
        operands, (stays, of_x, of_y, _, _, z), (tx, ty, _) = self.operands, self.roles, self.tile
        length, local = operands.size[z], operands.local_bits
        cut_x, cut_y = (self.first, ty) if self.along_x else (tx, second)
        block = self.first * second * local[stays]
        per_x, per_y = cut_x * (local[of_x] * operands.copies[of_x]), cut_y * (local[of_y] * operands.copies[of_y])
        if isinstance(operands.room, int):
            return np.minimum((operands.room - block) // (per_x + per_y), length)
        has = operands.room
        most = np.minimum(np.minimum(has[of_x] // per_x, has[of_y] // per_y), length)
        return np.where(block <= has[stays], most, 0)


def schedule_of(roles: Roles, kind: Kind, tile: dict[str, int], first: int, second: int) -> Schedule:
    """Return the schedule of a kind with a tile, and blocks of `first` along x and `second` along y."""
    stays, _, _, x, y, z = roles
    block = {x: first, y: second}
    one, two = AXES[stays]
    inner = (y, x) if kind in ("strip of x", "x once") else (x, y)
    return Schedule((tile["m"], tile["k"], tile["n"]), stays, (block[one], block[two]), "".join((x, y, z, *inner)))


def _quotient(amount: Sizes, per: Sizes, without: int) -> Sizes:
    """Return how often `per` is in an amount; `without` where it's 0."""
    return np.where(per > 0, amount // np.maximum(per, 1), without)
