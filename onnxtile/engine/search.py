"""Find the schedule that moves the fewest bytes among those whose calls have certain sizes.

For each operand that may stay, sizes of its blocks along one axis (x) are gone through at once; along the other one (y)
a block is then as large as local memory allows. Where bytes depend on how rows are cut (bursts, input rows), that is a
bound from below, and sizes along y are gone through too, from the best bound on until none is better.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from onnxtile.engine.description import Operand
from onnxtile.engine.operands import Operands
from onnxtile.engine.placements import Kind, Placements, Roles, schedule_of
from onnxtile.engine.schedule import AXES, Schedule
from onnxtile.engine.sizes import block_sizes, most_blocks

CHUNK = 16
"""Bounds that are looked into at once."""
STRIPS: tuple[Kind, ...] = ("strip of x", "strip of y")
ONCE: tuple[Kind, ...] = ("x once", "last of x once")
TILES_AT_ONCE = 32
"""Tiles whose blocks are gone through at once."""


@dataclass(frozen=True)
class Axis:
    """Hold sizes of calls along an axis that another one is never worse than.

    Flags [i, j]: size i instead of j. `smaller`: it's smaller, and costs no more; `divides`: its blocks are finer, too;
    `kept`: as `smaller`, but nothing replaces the whole axis.
    """

    smaller: np.ndarray
    divides: np.ndarray
    kept: np.ndarray
    alone: np.ndarray
    """Size i is j."""


class Group:
    """The schedules of a kind, for all tiles along x, y and z: the bytes of each, or bytes that it isn't below."""

    def __init__(self, search: Search, roles: Roles, kind: Kind) -> None:
        self.search, self.roles, self.kind = search, roles, kind
        self.tiles = [search.tiles[axis] for axis in roles[3:]]
        if kind in ("x once", "last of x once"):
            self.tiles[2] = self.tiles[2][-1:]
        shape = tuple(map(len, self.tiles))
        self.known = np.zeros(shape, dtype=bool)
        self.block: np.ndarray = np.zeros((*shape, 2), dtype=search.kind)
        self.axes = ["mkn".index(axis) for axis in roles[3:]]

    @cached_property
    def bytes(self) -> np.ndarray:
        search, (tx, ty, tz) = self.search, self.tiles
        columns = tx[:, None, None], ty[:, None], tz
        whole: np.ndarray = np.array(search.operands.size[self.roles.x], dtype=search.kind)
        floors = np.minimum(Placements(search.operands, self.roles, self.kind, columns, whole).floor(), search.never)
        found: np.ndarray = np.array(np.broadcast_to(floors, self.known.shape)).astype(search.kind)
        return found

    def of(self, grid: np.ndarray) -> np.ndarray:
        """Return what a grid along M, K and N has for the tiles along x, y and z."""
        turned: np.ndarray = grid.transpose(self.axes)
        return turned if turned.shape[2] == len(self.tiles[2]) else turned[:, :, -1:]

    def look_into(self, places: np.ndarray, limit: int) -> None:
        """Find the bytes of tiles; where they aren't below `limit`, perhaps only that."""
        search, roles = self.search, self.roles
        x, y, z = np.unravel_index(places, self.bytes.shape)
        tile = self.tiles[0][x][:, None], self.tiles[1][y][:, None], self.tiles[2][z][:, None]
        first = search.blocks(roles.x, self.kind == "last of x once")[x]
        rows = Placements(search.operands, roles, self.kind, tile, first)
        if search.uneven:
            found, left, block = search.through(rows, y, limit)
        else:
            once = self.kind == "x once"
            second = np.broadcast_to(tile[1], first.shape) if once else rows.room()
            fits = rows.fits(second) if once else second > 0
            moved = np.where(fits, rows.bytes(np.maximum(second, 1)), search.never)
            at = np.arange(len(places)), np.argmin(moved, axis=1)
            found, left, block = moved[at], moved[at], np.array([first[at], second[at]]).T
        self.bytes.flat[places] = np.minimum(found, left)
        self.known.flat[places] = found <= left
        self.block.reshape(-1, 2)[places] = block

    def within(self, places: np.ndarray, moved: int) -> np.ndarray:
        """Return those of the tiles that move no more bytes than that."""
        places = places[self.bytes.flat[places] <= moved]
        unknown = places[~self.known.flat[places]]
        if len(unknown):
            self.look_into(unknown, moved + 1)
        hits: np.ndarray = places[self.known.flat[places] & (self.bytes.flat[places] <= moved)]
        return hits

    def schedule(self, place: int) -> Schedule:
        """Return the best schedule with a tile, whose bytes are known."""
        at = np.unravel_index(place, self.bytes.shape)
        size = {axis: int(tiles[which]) for axis, tiles, which in zip(self.roles[3:], self.tiles, at, strict=True)}
        first, second = (int(length) for length in self.block[at])
        y = self.roles.y
        if not self.search.uneven and self.kind != "x once":  # no larger than it takes for as many blocks
            length = self.search.operands.size[y]
            even = -(-length // -(-length // second))
            second = min(-(-even // size[y]) * size[y], length)
        return schedule_of(self.roles, self.kind, size, first, second)


@dataclass(frozen=True)
class Least:
    """The fewest bytes of one product of the batch, and the kind and tile of a schedule that moves no more."""

    bytes: int
    group: Group | None = None
    """None: any that keeps a strip, found by the number of blocks."""
    place: int = 0


class Search:
    """The schedules of a product with calls of the sizes `tiles` along m, k and n; `kind` is the type of numbers."""

    def __init__(self, operands: Operands, tiles: dict[str, list[int]], kind: type) -> None:
        self.operands, self.kind = operands, kind
        self.never = 1 << 62 if kind is np.int64 else 1 << 300  # more than the bytes of any schedule
        self.uneven = not operands.even or operands.rows is not None
        self.ideal = operands.least()
        self.tiles: dict[str, np.ndarray] = {axis: np.array(sizes, dtype=kind) for axis, sizes in tiles.items()}
        self._blocks: dict[tuple[str, bool], np.ndarray] = {}

    @cached_property
    def axes(self) -> dict[str, Axis]:
        return {axis: self._axis(axis, tiles) for axis, tiles in self.tiles.items()}

    def _axis(self, axis: str, tiles: np.ndarray) -> Axis:
        operands, length = self.operands, self.operands.size[axis]
        smaller = tiles[:, None] <= tiles[None, :]
        if self.uneven:
            for operand, axes in AXES.items():
                if axis in axes:
                    for cost in (
                        operands.swept(operand, axis, tiles), operands.swept(operand, axis, tiles, True),
                        operands.held(operand, axis, tiles),
                    ):  # fmt: skip
                        smaller &= np.less_equal.outer(cost, cost) if isinstance(cost, np.ndarray) else True
        whole = tiles == length
        divides = smaller & ((tiles[None, :] % tiles[:, None] == 0) | whole[None, :])
        kept = (divides if self.uneven else smaller) & (~whole[None, :] | whole[:, None])
        own = np.eye(len(tiles))
        return Axis(*(flags.astype(np.float32) for flags in (smaller, divides, kept, own)))

    def blocks(self, axis: str, alone: bool = False) -> np.ndarray:
        """Return for each tile a row of sizes of blocks; `alone`: with those that leave a last block of one tile."""
        found = self._blocks.get((axis, alone))
        if found is None:
            operands, tiles = self.operands, tuple(int(size) for size in self.tiles[axis])
            burst = 1
            if not operands.even and axis != "m":
                bits = min(operands.bits[name] for name, axes in AXES.items() if axis in axes)
                burst = max(8 * operands.burst // bits, 1)
            table = block_sizes(operands.size[axis], tiles, self.uneven, burst, alone, most_blocks(self.kind))
            found = self._blocks[axis, alone] = table.astype(self.kind, copy=False)
        return found

    @cached_property
    def roles(self) -> list[Roles]:
        return [self._roles(stays) for stays in ("C", "A", "B")]

    def _roles(self, stays: Operand) -> Roles:
        """Let x be the axis with fewer sizes of blocks, or M where input rows depend on it."""
        x, y = AXES[stays]
        by_rows = x == "m" and self.operands.rows is not None
        if not by_rows and self._sizes_of_blocks(y) < self._sizes_of_blocks(x):
            x, y = y, x
        return Roles.of(stays, x, y)

    def _sizes_of_blocks(self, axis: str) -> int:
        return len(self.blocks(axis)[0])

    @cached_property
    def groups(self) -> list[Group]:
        """The kinds of schedules: first those that most products run best with."""
        return [Group(self, roles, kind) for roles in self.roles for kind in STRIPS]

    @cached_property
    def whole(self) -> list[Group]:
        """The kinds where a tile takes the whole third axis."""
        return [
            Group(self, turned, kind)
            for kind in ONCE
            for roles in self.roles
            if self.tiles[roles.z][-1] >= self.operands.size[roles.z]
            for turned in (roles, roles.turned())
        ]

    def least(self, allowed: np.ndarray) -> Least | None:
        """Return the fewest bytes with tiles that are `allowed`, flags along M, K and N; None where none fits."""
        best = self._best_of(self.groups, allowed, None)
        return best if best is not None and best.bytes <= self.ideal else self._best_of(self.whole, allowed, best)

    def _best_of(self, groups: list[Group], allowed: np.ndarray, best: Least | None) -> Least | None:
        """Return the better of `best` and the best of some groups."""
        flags = [(group, self._undominated(group, group.of(allowed))) for group in groups]
        lowest = [(int(group.bytes[flag].min()), at) for at, (group, flag) in enumerate(flags) if flag.any()]
        for floor, at in sorted(lowest):
            if best is not None and best.bytes <= max(floor, self.ideal):
                break
            best = self._better(best, *flags[at])
        return best

    def _better(self, best: Least | None, group: Group, flags: np.ndarray) -> Least | None:
        """Return the better of `best` and the best of a group's tiles that have flags."""
        places = np.flatnonzero(flags)
        while True:
            moved, known = group.bytes.flat[places], group.known.flat[places]
            limit = self.never if best is None else best.bytes
            found = np.where(known, moved, self.never)
            at = int(np.argmin(found))
            if found[at] < limit:
                limit = int(found[at])
                best = Least(limit, group, int(places[at]))
            unknown = places[~known & (moved < limit)]
            if not len(unknown):
                return best
            if len(unknown) > TILES_AT_ONCE:
                unknown = unknown[np.argsort(group.bytes.flat[unknown], kind="stable")[:TILES_AT_ONCE]]
            group.look_into(unknown, limit)

    def fewest_calls(self, found: Least, allowed: np.ndarray, calls: np.ndarray) -> Schedule:
        """Return a schedule that moves no more bytes than `found` with few calls, of the sizes that are `allowed`.

        It's looked for among those with the fewest calls, and from `found` on, along one axis after the other.
        """
        number = self.never if found.group is None else int(found.group.of(calls).flat[found.place])
        found = self._fewer([*self.groups, *self.whole], found, number, allowed, calls)
        return self._nearby(found, allowed, calls)

    def _fewer(self, groups: list[Group], found: Least, number: int, allowed: np.ndarray, calls: np.ndarray) -> Least:
        """Return a tile of some groups that moves no more bytes with fewer calls than `number`; else `found`."""
        for group in groups:
            of_group = group.of(calls)
            places = np.flatnonzero(group.of(allowed) & (group.bytes <= found.bytes) & (of_group < number))
            places = places[np.argsort(of_group.flat[places], kind="stable")][:TILES_AT_ONCE]
            if len(hits := group.within(places, found.bytes)):
                found, number = Least(found.bytes, group, int(hits[0])), int(of_group.flat[hits[0]])
        return found

    def _nearby(self, found: Least, allowed: np.ndarray, calls: np.ndarray) -> Schedule:
        """Return a schedule that moves no more bytes with no more calls, from a tile on along each axis."""
        group, place = found.group, found.place
        assert group is not None
        of_group, flags = group.of(calls), group.of(allowed)
        grid, moved = np.arange(flags.size).reshape(flags.shape), True
        while moved:
            moved = False
            for axis in range(3):
                at = list(np.unravel_index(place, flags.shape))
                line = grid[tuple(slice(None) if each == axis else at[each] for each in range(3))]
                fewer = line[flags.flat[line] & (of_group.flat[line] < of_group.flat[place])]
                if len(hits := group.within(fewer, found.bytes)):
                    place, moved = int(hits[np.argmin(of_group.flat[hits])]), True
        return group.schedule(place)

    def through(self, rows: Placements, y: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Go through all sizes along y, from the least bounds on, until none below `limit` or what was found is left.

        Return for each tile the fewest bytes that were found, the least bound that is left, and the block's sizes.
        """
        room = rows.room()
        bounds = np.where(room > 0, rows.bytes(np.maximum(room, 1), bound=True), self.never)
        order = np.argsort(bounds, axis=None, kind="stable")
        table = self.blocks(rows.roles.y)
        found: np.ndarray = np.full(len(y), self.never, dtype=self.kind)
        block: np.ndarray = np.ones((len(y), 2), dtype=self.kind)
        for start in range(0, len(order), CHUNK):
            chunk = order[start : start + CHUNK]
            if bounds.flat[chunk[0]] >= limit:
                break
            row, column = np.unravel_index(chunk, bounds.shape)
            second = table[y[row]]
            tile = (rows.tile[0][row], rows.tile[1][row], rows.tile[2][row])
            first = rows.first[row, column][:, None]
            part = Placements(self.operands, rows.roles, rows.kind, tile, np.broadcast_to(first, second.shape))
            moved = np.where(part.fits(second), part.bytes(second), self.never)
            at = np.argmin(moved, axis=1)
            for number, (which, place) in enumerate(zip(row, at, strict=True)):
                if moved[number, place] < found[which]:
                    found[which] = moved[number, place]
                    block[which] = first[number, 0], second[number, place]
            bounds.flat[chunk] = self.never
            limit = min(limit, int(found.min()))
        return found, bounds.min(axis=1), block

    def _undominated(self, group: Group, flags: np.ndarray) -> np.ndarray:
        """Return which tiles aren't replaced by a smaller one that is never worse."""
        if np.count_nonzero(flags) <= 1:
            return flags
        x, y, z = (self.axes[axis] for axis in group.roles[3:])
        of_x = x.alone if group.kind == "last of x once" else x.divides
        of_y = y.kept if group.kind == "x once" else y.divides
        tiles = flags.shape
        better = (of_x.T @ flags.reshape(tiles[0], -1).astype(np.float32)).reshape(tiles)
        better = of_y.T @ better
        if tiles[2] > 1:
            better = better @ z.smaller
        undominated: np.ndarray = flags & (better < 1.5)  # only by itself
        return undominated
