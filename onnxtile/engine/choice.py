"""Choose the tile, the operand that stays, its block and the order of the loops that cost least on an engine."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np

from onnxtile.engine.compute import axes_of, compute_cycles, local_bits, tile_cycles
from onnxtile.engine.cost import Cost, cost, unit_of
from onnxtile.engine.description import Engine, ProductUnit
from onnxtile.engine.operands import Operands
from onnxtile.engine.product import Product
from onnxtile.engine.schedule import Schedule
from onnxtile.engine.search import Least, Search
from onnxtile.engine.sizes import thinned, tile_sizes
from onnxtile.errors import UnsupportedError, wrong_name
from onnxtile.ir.json_encoding import encode
from onnxtile.ir.notebook import Sheet, Tabular
from onnxtile.ir.printable import aligned

Minimize = Literal["cycles", "bytes", "calls"]
MOST_TILES, FEW_TILES, HUGE_TILES = 256, 40, 12
"""Sizes of a call that are tried along an axis at most, where all have many, and where amounts don't fit a word."""
MOST_SEARCHES = 200
"""Levels that are looked into at most."""


@dataclass(frozen=True)
class Choice(Tabular):
    """Hold the best schedule of a product on an engine, what it costs, and what was assumed."""

    product: Product
    schedule: Schedule
    cost: Cost
    assumptions: tuple[str, ...]

    def __str__(self) -> str:
        sheet = self.sheet()
        return "\n".join([*aligned(sheet.rows), *sheet.lines])

    def sheet(self) -> Sheet:
        cost = self.cost
        figures = {
            "calls": cost.calls, "MACs": cost.macs, "bytes moved": cost.bytes, "least bytes": cost.least_bytes,
            "cycles": cost.cycles,
        }  # fmt: skip
        rows = [("product", str(self.product)), ("schedule", self.schedule.text())]
        rows += [(name, "unknown" if figure is None else f"{figure:,}") for name, figure in figures.items()]
        rows += [("bound", cost.bound)] if cost.bound else []
        return Sheet(self.assumptions, (), rows)

    def records(self) -> list[dict[str, Any]]:
        of_cost = encode(self.cost) | {"bytes": self.cost.bytes, "extra_bytes": self.cost.extra_bytes}
        return [{"product": str(self.product), "schedule": self.schedule.text(), **of_cost}]


def choose(product: Product, engine: Engine, minimize: Minimize = "cycles") -> Choice:
    """Return the schedule of a product that takes the fewest cycles, bytes or calls on an engine.

    Among equals the fewest bytes decide, then cycles; with `calls`, cycles first. Where the memory's bandwidth isn't
    known, bytes take the place of cycles. Equal products are chosen for once. Raises UnsupportedError where the engine
    doesn't multiply these types, or where even its smallest call doesn't fit its local memory, and UsageError for
    another `minimize`.
    """
    if minimize not in get_args(Minimize):
        raise wrong_name(f"minimize {minimize!r} is unknown", minimize, get_args(Minimize))
    return _chosen(product, engine, minimize)


@lru_cache(maxsize=1 << 14)
def _chosen(product: Product, engine: Engine, minimize: Minimize) -> Choice:
    unit = unit_of(product, engine)
    some = Product(
        max(product.m, 1), max(product.k, 1), max(product.n, 1), max(product.batch, 1), product.types, product.result,
        None if product.empty else product.window,
    )  # fmt: skip
    schedule = _Levels(some, unit, engine, minimize).best()
    assumptions = ("no memory bandwidth given: bytes only",) if engine.memory.bandwidth is None else ()
    return Choice(product, schedule, cost(product, schedule, engine), assumptions)


class _Levels:
    """Tiles by the cycles that the array takes with them, and for each level the fewest bytes of all up to it.

    Fewer bytes may take smaller tiles, with more cycles. Bytes fall as cycles rise, so that the best of both lies
    between two levels whose bytes differ, and what is between these can't be better than the cycles of the one and the
    bytes of the other.
    """

    def __init__(self, product: Product, unit: ProductUnit, engine: Engine, minimize: Minimize) -> None:
        self.product, self.engine, self.minimize = product, engine, minimize
        self.operands = Operands(product, unit, engine)
        kind = np.int64 if _largest(product, unit, engine) < 1 << 62 else object
        tiles = {axis: _tiles(product, unit, self.operands, place) for place, axis in enumerate("mkn")}
        if not all(tiles.values()):
            axis = next(axis for axis, sizes in tiles.items() if not sizes)
            raise UnsupportedError(
                f"engine {engine.name}: no call along {axis.upper()} is within its max and a multiple"
            )
        most = FEW_TILES if math.prod(map(len, tiles.values())) > FEW_TILES**3 else MOST_TILES
        lanes = dict(zip("mkn", axes_of(unit.array), strict=True))
        tiles = {
            axis: thinned(sizes, lanes[axis], most if kind is np.int64 else HUGE_TILES) for axis, sizes in tiles.items()
        }
        m, k, n = (np.array(sizes, dtype=kind) for sizes in tiles.values())
        grid = m[:, None, None], k[:, None], n
        self.search = Search(self.operands, tiles, kind)
        bandwidth = engine.local.bandwidth
        self.unit = 1 if bandwidth is None else 8 * bandwidth.numerator
        """Parts of a cycle in which levels are given."""
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
        levels = np.sort(self.array[self.allowed])
        self.levels: list[int] = levels[np.append(levels[1:] != levels[:-1], True)].tolist()
        self.found: dict[int, Least] = {}

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
        for calls in np.unique(self.calls[self.allowed]):
            allowed: np.ndarray = self.allowed & (self.calls == calls)
            if self.operands.rows is None or self.search.least(allowed):
                return allowed
        raise self._no_room()

    def _no_room(self) -> UnsupportedError:
        words = f"the smallest call of {self.product}, {self.smallest}, takes more than its local memory"
        return UnsupportedError(f"engine {self.engine.name}: {words}")

    def least(self, level: int) -> Least:
        """Return the fewest bytes with the array's cycles of that level at most; without room, more than any."""
        if level not in self.found:
            found = self.search.least(self.allowed & (self.array <= self.levels[level]))
            self.found[level] = found or Least(self.search.never, self.search.groups[0], 0)
        return self.found[level]

    def key(self, level: int, moved: int) -> tuple[int, int]:
        """Return what is minimized, for the array's cycles of a level and these bytes."""
        array, bandwidth = self.levels[level], self.engine.memory.bandwidth
        if bandwidth is None:
            return moved, array
        numerator, denominator = moved * self.product.batch * bandwidth.denominator, bandwidth.numerator
        if self.engine.local.buffers == 2:
            cycles = max(-(-array // self.unit), -(-numerator // denominator))
        else:
            cycles = -(-(array * denominator + numerator * self.unit) // (self.unit * denominator))
        return (moved, cycles) if self.minimize == "bytes" else (cycles, moved)

    def best(self) -> Schedule:
        """Return the best schedule; among equals one with the fewest calls."""
        key, level = self._best_level()
        found = self.least(level)
        if found.bytes >= self.search.never:
            raise self._no_room()
        equal = bisect_right(range(len(self.levels)), key, lo=level, key=lambda at: self.key(at, found.bytes)) - 1
        allowed = self.allowed & (self.array <= self.levels[equal])
        return self.search.fewest_calls(found, allowed, self.calls)

    def _best_level(self) -> tuple[tuple[int, int], int]:
        """Return the least that can be had of what is minimized, and the level that has it."""
        last = len(self.levels) - 1
        best = self.key(0, self.least(0).bytes), 0
        if last == 0 or self.key(1, self.search.ideal) >= best[0]:
            return best
        best = min(best, (self.key(last, self.least(last).bytes), last))
        between = [(0, last)]
        while between:
            low, high = between.pop()
            fewest = self.least(high).bytes
            if high - low < 2 or self.least(low).bytes == fewest or self.key(low + 1, fewest) >= best[0]:
                continue
            if len(self.found) > MOST_SEARCHES:
                break
            middle = self._middle(low, high, fewest)
            best = min(best, (self.key(middle, self.least(middle).bytes), middle))
            between += [(low, middle), (middle, high)]
        return best

    def _middle(self, low: int, high: int, moved: int) -> int:
        """Return the last level that takes no longer than moving these bytes does; else the one in the middle."""
        bandwidth = self.engine.memory.bandwidth
        if bandwidth is not None and self.engine.local.buffers == 2:
            cycles = -(-moved * self.product.batch * bandwidth.denominator // bandwidth.numerator)
            middle = bisect_right(self.levels, cycles * self.unit) - 1
            if low < middle < high:
                return middle
        return (low + high) // 2


def _tiles(product: Product, unit: ProductUnit, operands: Operands, axis: int) -> list[int]:
    """Return the sizes of a call that are tried along an axis."""
    length, name = product.sizes[axis], "MKN"[axis]
    even = operands.even and operands.rows is None and unit.results is None

    def cycles(sizes: np.ndarray) -> np.ndarray:
        found: np.ndarray = tile_cycles(length, sizes, unit, axis)
        return found

    most, multiple, lanes = getattr(unit.max, name), getattr(unit.multiple, name), axes_of(unit.array)[axis]
    return tile_sizes(length, most, multiple, lanes, cycles if even else None)


def _largest(product: Product, unit: ProductUnit, engine: Engine) -> int:
    """Return a number that no amount in the search is above."""
    padded = math.prod(size + multiple for size, multiple in zip(product.sizes, axes_of(unit.multiple), strict=True))
    rate = engine.local.bandwidth
    a_cycle = 1 if rate is None else 8 * rate.numerator * rate.denominator
    return padded * product.batch * max((1 + unit.fill + unit.call) * a_cycle, 512 * a_cycle, 24 * engine.memory.burst)
