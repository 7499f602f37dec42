"""Find the fewest bytes by numbers of blocks, where a row costs the same however it's cut.

Without bursts and input rows the bytes of a schedule that keeps a strip depend on how many blocks there are along x and
y alone. Tiles decide what local memory has room for: for each number of blocks along x, the size along y that the
tiles leave room for is the largest that there is, so that no floors of single tiles are needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from onnxtile.engine.operands import Operands
from onnxtile.engine.placements import Kind, Placements, Roles, schedule_of
from onnxtile.engine.schedule import Schedule
from onnxtile.engine.search import STRIPS, Group, Least, Search
from onnxtile.engine.sizes import block_numbers, finest

AT_ONCE = 1 << 13
"""Schedules whose bytes are computed at once."""
PROMISING = 32
"""Tiles that take the least local memory: their bytes are a limit for all others."""


class Tiles:
    """Tiles along M, K and N that are allowed, without the sizes that none of them has."""

    def __init__(self, allowed: np.ndarray, sizes: list[np.ndarray]) -> None:
        flat = np.logical_or.reduce(allowed, axis=2)
        used = flat.any(axis=1), flat.any(axis=0), allowed.reshape(-1, allowed.shape[2]).any(axis=0)
        places = [np.flatnonzero(flags) for flags in used]
        self.grid = np.ix_(*places)
        self.allowed = allowed[self.grid]
        self.sizes = [size[place] for size, place in zip(sizes, places, strict=True)]
        self.smallest = {axis: int(size[0]) for axis, size in zip("mkn", self.sizes, strict=True) if len(size)}
        self._columns: dict[str, Columns] = {}

    def along(self, roles: Roles) -> Columns:
        """Return for each size along x and y the smallest along z."""
        if roles.z not in self._columns:
            axes = ["mkn".index(axis) for axis in roles[3:]]
            flags, (tx, ty, tz) = self.allowed.transpose(axes), (self.sizes[axis] for axis in axes)
            x, y = np.nonzero(flags.any(axis=2))
            self._columns[roles.z] = Columns(tx[x], ty[y], tz[flags.argmax(axis=2)[x, y]])
        return self._columns[roles.z]


@dataclass(frozen=True)
class Columns:
    """Tiles, each with its size along x, y and z."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray

    def some(self, places: np.ndarray) -> Columns:
        return Columns(self.x[places], self.y[places], self.z[places])


class Strips:
    """The schedules that keep an operand, and a strip of another one along x or y, with tiles of any sizes."""

    def __init__(self, operands: Operands, roles: Roles, kind: Kind, numbers: np.ndarray, never: int) -> None:
        self.operands, self.roles, self.kind, self.numbers, self.never = operands, roles, kind, numbers, never
        swept, (stays, of_x, of_y, x, y, z) = operands.swept, roles
        self.size_x, self.size_y = operands.size[x], operands.size[y]
        self.once = swept(stays, x, 1) * swept(stays, y, 1)
        self.once += sum(swept(name, own, 1) * swept(name, z, 1) for name, own in ((of_x, x), (of_y, y)))
        self.again_x = swept(of_x, x, 1, True) * swept(of_x, z, 1, True)
        self.again_y = swept(of_y, y, 1, True) * swept(of_y, z, 1, True)
        self.even = -(-self.size_x // numbers)
        self.axes = ["mkn".index(axis) for axis in roles[3:]]

    def floor(self, smallest: dict[str, int]) -> float:
        """Return bytes that no schedule is below whose tiles have at least these sizes.

        A block of P by Q and a strip along its first axis take P (Q + w) elements beside a tile of the third operand.
        So there are at least p (Q + w) / room parts of p, and q / Q of q, which each cost a constant: convex in Q.
        """
        (stays, of_x, of_y, x, y, z), operands = self.roles, self.operands
        p, q, of_p, of_q, strip, other = self.size_x, self.size_y, self.again_y, self.again_x, of_x, (of_y, y)
        if self.kind == "strip of y":
            p, q, of_p, of_q, strip, other = q, p, of_q, of_p, of_y, (of_x, x)
        local, copies, room, width = operands.local_bits, operands.copies, operands.room, 0.0
        if isinstance(room, int):
            room -= copies[other[0]] * smallest[other[1]] * smallest[z] * local[other[0]]
            width = copies[strip] * smallest[z] * local[strip] / local[stays]
        else:
            room = room[stays]
        if room <= 0:
            return self.never
        elements = room / local[stays]
        balanced = min(max(math.sqrt(of_q * q * elements / (of_p * p)), elements / p - width), q)
        more = (max(p * (balanced + width) / elements, 1) - 1) * of_p + (q / balanced - 1) * of_q
        return float(self.once + more * (1 - 1e-9))

    def floor_once(self, tiles: Tiles) -> float:
        """Return bytes that no schedule is below whose tiles take the whole of z, with this strip or a tile moved once.

        With a strip along x that's for all blocks along y, each a tile of y, but where one tile takes all of y. Else
        the last block along x may be a tile that is moved once, or all of them may be.
        """
        (_, of_x, _, x, y, z), operands = self.roles, self.operands
        most_x, most_y = (int(tiles.sizes["mkn".index(axis)][-1]) for axis in (x, y))
        once = float(self.once)
        if self.kind == "strip of x":
            if most_y >= self.size_y:
                return once
            room = operands.room if isinstance(operands.room, int) else operands.room[of_x]
            parts = self.size_x * operands.copies[of_x] * operands.size[z] * operands.local_bits[of_x] / room
            return once + float(max(parts - 1, 0) * self.again_y * (1 - 1e-9))
        alone = (self.size_x / most_x - 1) * self.again_y
        moved_again = (self.floor(tiles.smallest | {z: operands.size[z]}) - once) * (1 - most_x / self.size_x)
        return once + float(min(alone, moved_again) * (1 - 1e-9))

    def bytes(self, second: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Return the bytes with blocks of `second` along y, 0 where there's no room, and so many of them along x."""
        parts = -(-self.size_y // np.maximum(second, 1))
        moved: np.ndarray = (parts - 1) * self.again_x + ((numbers - 1) * self.again_y + self.once)
        moved[second <= 0] = self.never
        return moved

    def bounds(self, tiles: Tiles) -> np.ndarray:
        """Return for each number of blocks along x bytes that none of the tiles is below."""
        columns, (x, y, z) = tiles.along(self.roles), self.roles[3:]
        least = {"x": tiles.smallest[x], "y": tiles.smallest[y]}
        own = (
            "y" if self.kind == "strip of x" else "x"
        )  # beside the block and its strip there is a tile along z and this
        least[own] = max(int((columns.z * getattr(columns, own)).min()) // tiles.smallest[z], 1)
        tile = least["x"], least["y"], tiles.smallest[z]
        rows = Placements(self.operands, self.roles, self.kind, tile, self.even)
        return self.bytes(rows.room(in_tiles=False), self.numbers)

    def least(self, tiles: Tiles, limit: int) -> int:
        """Return the fewest bytes with these tiles where that's below `limit`; else the limit."""
        bounds = self.bounds(tiles)
        if not (bounds < limit).any():
            return limit
        columns = tiles.along(self.roles)
        if len(columns.x) > PROMISING:
            beside = columns.z * (columns.y if self.kind == "strip of x" else columns.x)
            few = np.argpartition(beside, PROMISING)[:PROMISING]
            limit = self._within(columns.some(few), bounds, limit)
        return self._within(columns, bounds, limit)

    def _within(self, tiles: Columns, bounds: np.ndarray, limit: int) -> int:
        places = np.flatnonzero(bounds < limit)
        places = places[np.argsort(bounds[places], kind="stable")]
        step = max(AT_ONCE // len(tiles.x), 1)
        for start in range(0, len(places), step):
            part = places[start : start + step]
            if bounds[part[0]] >= limit:
                break
            rows = self._rows(tiles, part)
            limit = min(limit, int(self.bytes(rows.room(), self.numbers[part]).min()))
        return limit

    def _rows(self, tiles: Columns, part: np.ndarray) -> Placements:
        """Return the schedules with these tiles and some of the numbers of blocks along x."""
        tx, ty, tz = tiles.x[:, None], tiles.y[:, None], tiles.z[:, None]
        first = np.minimum(-(-self.even[part] // tx) * tx, self.size_x)
        return Placements(self.operands, self.roles, self.kind, (tx, ty, tz), first)

    def fewest_calls(self, moved: int, tiles: Tiles, calls: np.ndarray, limit: int) -> tuple[int, Schedule] | None:
        """Return a schedule with the fewest calls of those that move `moved` bytes at most; None if none is below."""
        usable = np.flatnonzero(self.bounds(tiles) <= moved)
        if not len(usable):
            return None
        flags, of_calls = tiles.allowed.transpose(self.axes), calls.transpose(self.axes)
        x, y = np.nonzero(flags.any(axis=2))
        tx, ty, tz = (tiles.sizes[axis] for axis in self.axes)
        fewest = np.where(flags, of_calls, self.never)[x, y]
        fewest = np.minimum.accumulate(fewest, axis=1)  # of this size along z and smaller ones
        places = np.flatnonzero(fewest[:, -1] < limit)
        if not len(places):
            return None
        fewest, columns = fewest[places], (tx[x[places]], ty[y[places]])
        more = moved - self.once - (self.numbers - 1) * self.again_y
        number_y = np.minimum(more // self.again_x, self.size_y - 1) + 1
        best: tuple[int, Schedule] | None = None
        step = max(AT_ONCE // len(places), 1)
        for start in range(0, len(usable), step):
            part = usable[start : start + step]
            of_x, of_y = (column[:, None] for column in columns)
            first = np.minimum(-(-self.even[part] // of_x) * of_x, self.size_x)
            second = np.minimum(-(-self.size_y // number_y[part] // of_y) * of_y, self.size_y)
            room = Placements(self.operands, self.roles, self.kind, (of_x, of_y, tz[0]), first).room_of_z(second)
            at = np.searchsorted(tz, room, side="right") - 1
            found = np.where(at >= 0, fewest[np.arange(len(places))[:, None], np.maximum(at, 0)], self.never)
            place = int(np.argmin(found))
            if found.flat[place] < limit:
                limit = int(found.flat[place])
                row, column = np.unravel_index(place, found.shape)
                which = int(np.argmax(fewest[row] == limit))
                tile = {
                    self.roles.x: int(columns[0][row]), self.roles.y: int(columns[1][row]), self.roles.z: int(tz[which])
                }  # fmt: skip
                blocks = int(first[row, column]), int(second[row, column])
                best = limit, schedule_of(self.roles, self.kind, tile, *blocks)
        return best


class EvenSearch(Search):
    """The search where a row costs the same however it's cut."""

    def __init__(self, operands: Operands, tiles: dict[str, list[int]]) -> None:
        super().__init__(operands, tiles, np.int64)
        size = operands.size
        self.numbers = {axis: block_numbers(size[axis], finest(size[axis], sizes)) for axis, sizes in tiles.items()}
        self.strips = [
            Strips(operands, roles, kind, self.numbers[roles.x], self.never) for roles in self.roles for kind in STRIPS
        ]
        self._turned = {(strips.roles, strips.kind): strips for strips in self.strips}

    def _sizes_of_blocks(self, axis: str) -> int:
        return len(self.numbers[axis])

    def least(self, allowed: np.ndarray) -> Least | None:
        tiles = Tiles(allowed, list(self.tiles.values()))
        if not tiles.smallest:
            return None
        limit = self.never
        for floor, strips in self._by_floor(tiles):
            if floor >= limit or limit <= self.ideal:
                break
            limit = strips.least(tiles, limit)
        best = None if limit == self.never else Least(limit)
        return best if limit <= self.ideal else self._best_of(self._whole_below(tiles, limit - 1), allowed, best)

    def fewest_calls(self, found: Least, allowed: np.ndarray, calls: np.ndarray) -> Schedule:
        """Return the schedule with the fewest calls that moves no more bytes than `found`.

        Of those that keep a whole axis only some are looked at.
        """
        limit = self.never if found.group is None else int(found.group.of(calls).flat[found.place])
        tiles = Tiles(allowed, list(self.tiles.values()))
        some = calls[tiles.grid]
        best: Schedule | None = None
        for floor, strips in self._by_floor(tiles):
            if floor > found.bytes:
                break
            if better := strips.fewest_calls(found.bytes, tiles, some, limit):
                limit, best = better
        fewer = self._fewer(self._whole_below(tiles, found.bytes), found, limit, allowed, calls)
        if best is None or fewer is not found:
            return self._nearby(fewer, allowed, calls)
        return best

    def _whole_below(self, tiles: Tiles, most: int) -> list[Group]:
        """Return the kinds where a tile takes the whole third axis, but for those that move more bytes than that."""
        kinds: dict[Kind, Kind] = {"x once": "strip of x", "last of x once": "strip of y"}
        found = []
        for group in self.whole:
            key = group.roles, kinds[group.kind]
            strips = self._turned.get(key)
            if strips is None:
                strips = Strips(self.operands, *key, self.numbers[group.roles.x], self.never)
                self._turned[key] = strips
            if strips.floor_once(tiles) <= most:
                found.append(group)
        return found

    def _by_floor(self, tiles: Tiles) -> list[tuple[float, Strips]]:
        """Return the kinds of schedules that keep a strip, by the bytes that none is below."""
        return sorted(((strips.floor(tiles.smallest), strips) for strips in self.strips), key=lambda pair: pair[0])
