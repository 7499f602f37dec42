"""Weigh the array's cycles against bytes: find the best of all schedules from the fewest bytes of single levels.

A level is a number of cycles that the array takes with some tiles. Fewer bytes may take smaller tiles, with more
cycles. Bytes fall as cycles rise, so that the best of both lies between two levels whose bytes differ, and what is
between these can't be better than the cycles of the one and the bytes of the other.
"""

from __future__ import annotations

import numpy as np

from onnxtile.engine.compute import compute_cycles, least_cycles, local_bits
from onnxtile.engine.description import Engine, ProductUnit
from onnxtile.engine.even_search import EvenSearch
from onnxtile.engine.operands import Operands
from onnxtile.engine.product import Product
from onnxtile.engine.schedule import Schedule
from onnxtile.engine.search import Least, Search
from onnxtile.engine.sizes import ascending
from onnxtile.errors import UnsupportedError

MOST_SEARCHES = 200
"""Levels that are looked into at most."""
SOME = 8
"""Sizes along an axis of the tiles whose cycles are a limit for all others."""
MANY = 1 << 14
"""Tiles from which on that limit is looked for."""


class Levels:
    """The schedules of a product with calls of the sizes `tiles` along m, k and n; `kind` is the type of numbers.

    Raises UnsupportedError where local memory has no room for any.
    """

    def __init__(
        self, operands: Operands, tiles: dict[str, list[int]], kind: type, product: Product, unit: ProductUnit,
        engine: Engine, minimize: str,
    ) -> None:  # fmt: skip
        self.product, self.engine, self.minimize, self.operands = product, engine, minimize, operands
        grid = _grid(tiles, kind)
        even = operands.even and operands.rows is None and kind is np.int64
        self.search = EvenSearch(operands, tiles) if even else Search(operands, tiles, kind)
        bandwidth = engine.local.bandwidth
        self.unit = parts_of_a_cycle(engine)
        self.array = compute_cycles(product, unit, grid) * (product.batch * self.unit)
        if bandwidth is not None:
            moved = local_bits(product, unit, grid) * (product.batch * bandwidth.denominator)
            self.array = np.maximum(self.array, moved)
        self.allowed = self._fitting(grid)
        self.smallest = " x ".join(str(sizes[0]) for sizes in tiles.values())
        if not self.allowed.any():
            raise self._no_room()
        of_m, of_k, of_n = (-(-size // tile) for size, tile in zip(product.sizes, grid, strict=True))
        self.calls = of_m * of_k * of_n
        if minimize == "calls":
            self.allowed = self._fewest_calls()
        self.found: dict[int, Least] = {}
        self.complete = True
        """No level was passed over for being one too many."""

    def _fitting(self, grid: tuple[np.ndarray, ...]) -> np.ndarray:
        """Return which tiles local memory has room for, where A's or B's tile stays; of input rows, may have."""
        m, k, n = grid
        operands = self.operands
        held, bits = operands.held, operands.local_bits
        rows, columns = held("A", "m", m), held("A", "k", k)
        if operands.rows is not None:  # a block may need fewer input rows or channels than a tile that lies across them
            rows = held("A", "m", self.search.blocks("m", alone=True)).min(axis=1)[:, None, None]
            columns = held("A", "k", self.search.blocks("k", alone=True)).min(axis=1)[:, None]
        a = rows * columns * bits["A"]
        b, c = k * n * bits["B"], m * n * bits["C"]
        f = self.engine.local.buffers
        fits: np.ndarray = operands.fits({"A": a, "B": f * b, "C": c}) | operands.fits({"A": f * a, "B": b, "C": c})
        return fits

    def _fewest_calls(self) -> np.ndarray:
        """Return which of the allowed tiles take the fewest calls of those that local memory has room for."""
        for calls in ascending(self.calls[self.allowed]):
            allowed: np.ndarray = self.allowed & (self.calls == calls)
            if self.operands.rows is None or self.search.least(allowed):
                return allowed
        raise self._no_room()

    def _no_room(self) -> UnsupportedError:
        words = f"the smallest call of {self.product}, {self.smallest}, takes more than its local memory"
        return UnsupportedError(f"engine {self.engine.name}: {words}")

    def least(self, level: int) -> Least:
        """Return the fewest bytes with that level at most; without room, more than any."""
        if level not in self.found:
            found = self.search.least(self.allowed & (self.array <= level))
            self.found[level] = found or Least(self.search.never)
        return self.found[level]

    def key(self, level: int, moved: int) -> tuple[int, int]:
        """Return what is minimized, at a level and with these bytes."""
        bandwidth = self.engine.memory.bandwidth
        if bandwidth is None:
            return moved, level
        numerator, denominator = moved * self.product.batch * bandwidth.denominator, bandwidth.numerator
        if self.engine.local.buffers == 2:
            cycles = max(-(-level // self.unit), -(-numerator // denominator))
        else:
            cycles = -(-(level * denominator + numerator * self.unit) // (self.unit * denominator))
        return (moved, cycles) if self.minimize == "bytes" else (cycles, moved)

    def _as_fast(self, level: int, moved: int) -> int:
        """Return the highest level that takes no more cycles than this one with these bytes."""
        bandwidth = self.engine.memory.bandwidth
        if bandwidth is None:
            return level
        most = self.key(level, moved)[1 if self.minimize == "bytes" else 0] * self.unit
        if self.engine.local.buffers == 2:
            return most
        return most - -(-moved * self.product.batch * bandwidth.denominator * self.unit // bandwidth.numerator)

    def best(self) -> Schedule:
        """Return the best schedule; among equals one with the fewest calls."""
        _, level = self._best_level()
        found = self.least(level)
        if found.bytes >= self.search.never:
            raise self._no_room()
        allowed = self.allowed & (self.array <= self._as_fast(level, found.bytes))
        return self.search.fewest_calls(found, allowed, self.calls)

    def first(self) -> tuple[tuple[int, int], int]:
        """Return the lowest level, and what is minimized there."""
        lowest = int(self.array[self.allowed].min())
        return self.key(lowest, self.least(lowest).bytes), lowest

    def _best_level(self) -> tuple[tuple[int, int], int]:
        """Return the least that can be had of what is minimized, and the level that has it."""
        best = self.first()
        lowest = best[1]
        most = self.least(lowest).bytes
        if self.key(lowest, self.search.ideal) >= best[0]:
            return best
        if self.minimize != "bytes" and self.engine.memory.bandwidth is not None:
            self.allowed &= self.array <= best[0][0] * self.unit  # what takes more cycles isn't better
        highest = int(self.array[self.allowed].max())
        if highest == lowest or self.least(highest).bytes == most:
            return best
        best = min(best, (self.key(highest, self.least(highest).bytes), highest))
        levels = self.array[self.allowed]
        between = [(lowest, highest)]
        while between:
            low, high = between.pop()
            fewest = self.least(high).bytes
            above = int(levels[levels > low].min())
            if above == high or self.least(low).bytes == fewest or self.key(above, fewest) >= best[0]:
                continue
            if len(self.found) > MOST_SEARCHES:
                self.complete = False
                break
            middle = self._middle(levels, low, high, fewest)
            best = min(best, (self.key(middle, self.least(middle).bytes), middle))
            between += [(low, middle), (middle, high)]
        return best

    def _middle(self, levels: np.ndarray, low: int, high: int, moved: int) -> int:
        """Return the last level between two that takes no longer than moving these bytes; else one in the middle."""
        bandwidth = self.engine.memory.bandwidth
        if bandwidth is not None and self.engine.local.buffers == 2:
            cycles = -(-moved * self.product.batch * bandwidth.denominator // bandwidth.numerator)
            middle = int(levels[levels <= max(cycles * self.unit, low)].max())
            if low < middle < high:
                return middle
        middle = int(levels[levels <= (low + high) // 2].max())
        return middle if middle > low else int(levels[levels > low].min())


def promising(
    operands: Operands, tiles: dict[str, list[int]], kind: type, product: Product, unit: ProductUnit, engine: Engine
) -> dict[str, list[int]]:
    """Return sizes of calls without those that take the array more cycles than some tile takes in all."""
    steps = {axis: max(len(sizes) // SOME, 1) for axis, sizes in tiles.items()}
    some = {axis: sorted({*sizes[:: steps[axis]], sizes[-1]}) for axis, sizes in tiles.items()}
    cycles = Levels(operands, some, kind, product, unit, engine, "cycles").first()[0][0]
    columns = [column.ravel() for column in _grid(tiles, kind)]
    least = least_cycles(product, unit, (columns[0], columns[1], columns[2]))
    return {
        axis: column[cycles_of * product.batch <= cycles].tolist()
        for axis, column, cycles_of in zip(tiles, columns, least, strict=True)
    }


def parts_of_a_cycle(engine: Engine) -> int:
    """Return the parts of a cycle in which levels are given: in these the transfers of local memory are whole."""
    return 1 if engine.local.bandwidth is None else 8 * engine.local.bandwidth.numerator


def _grid(tiles: dict[str, list[int]], kind: type) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    columns: list[np.ndarray] = [np.array(sizes, dtype=kind) for sizes in tiles.values()]
    m, k, n = columns
    return m[:, None, None], k[:, None], n
