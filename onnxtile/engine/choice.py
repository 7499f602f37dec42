"""Choose the tile, the operand that stays, its block and the order of the loops that cost least on an engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product as combinations
from typing import Literal, get_args

from onnxtile.engine.compute import axes_of
from onnxtile.engine.cost import Cost, cost, unit_of
from onnxtile.engine.description import Engine, ProductUnit
from onnxtile.engine.product import Product
from onnxtile.engine.schedule import AXES, Schedule
from onnxtile.engine.sizes import counts, largest_tile
from onnxtile.engine.traffic import fits, traffic
from onnxtile.errors import UnsupportedError, wrong_name

Minimize = Literal["cycles", "bytes", "calls"]


@dataclass(frozen=True)
class Choice:
    """How a product runs best on an engine, what that costs, and what was assumed."""

    product: Product
    schedule: Schedule
    cost: Cost
    assumptions: tuple[str, ...]


def choose(product: Product, engine: Engine, minimize: Minimize = "cycles") -> Choice:
    """Return the schedule of a product that takes the fewest cycles, bytes or calls on an engine.

    Among equals the fewest bytes decide, then cycles; where the memory's bandwidth isn't known, bytes take the place
    of cycles. Equal products are chosen for once. Raises UnsupportedError where the engine doesn't multiply these
    types, or where even its smallest call doesn't fit its local memory, and UsageError for another `minimize`.
    """
    if minimize not in get_args(Minimize):
        raise wrong_name(f"minimize {minimize!r} is unknown", minimize, get_args(Minimize))
    return _chosen(product, engine, minimize)


@lru_cache(maxsize=4096)
def _chosen(product: Product, engine: Engine, minimize: Minimize) -> Choice:
    unit = unit_of(product, engine)
    best: tuple[tuple[int, ...], Schedule, Cost] | None = None
    smaller = 0  # halvings of the largest tile, where it doesn't fit local memory
    schedules = list(_schedules(product, unit, engine, smaller))
    while not schedules and smaller < 63:
        smaller += 1
        schedules = list(_schedules(product, unit, engine, smaller))
    for schedule in schedules:
        found = cost(product, schedule, engine)
        cycles = found.bytes if found.cycles is None else found.cycles
        key = {
            "cycles": (cycles, found.bytes, found.compute_cycles, found.local_bytes),
            "bytes": (found.bytes, cycles, found.compute_cycles, found.local_bytes),
            "calls": (found.calls, cycles, found.bytes, found.local_bytes),
        }[minimize]
        if best is None or key < best[0]:
            best = key, schedule, found
    if best is None:
        raise UnsupportedError(f"engine {engine.name}: no call of {product} fits local memory")
    return Choice(product, best[1], best[2], _assumptions(engine))


def _assumptions(engine: Engine) -> tuple[str, ...]:
    return ("no memory bandwidth given: bytes only",) if engine.memory.bandwidth is None else ()


def _schedules(product: Product, unit: ProductUnit, engine: Engine, smaller: int) -> Iterator[Schedule]:
    """Give schedules that fit local memory, for each first size of a block those with the largest second one."""
    size = dict(zip("mkn", product.sizes, strict=True))
    most = (unit.max.M, unit.max.K, unit.max.N)
    sizes = [
        _tiles(max(length, 1), limit, multiple, smaller)
        for length, limit, multiple in zip(product.sizes, most, axes_of(unit.multiple), strict=True)
    ]
    for m, k, n in combinations(*sizes):
        tile = (m, k, n)
        of_tile = dict(zip("mkn", tile, strict=True))
        for stays, (one, two) in AXES.items():
            third = next(axis for axis in "mkn" if axis not in (one, two))
            for x, y, inner in combinations((one, two), (one, two), ((one, two), (two, one))):
                if x == y:
                    continue
                order = "".join((x, y, third, *inner))
                seconds = counts(max(size[two], 1), of_tile[two])
                for first in counts(max(size[one], 1), of_tile[one]):
                    low, high = 0, len(seconds)
                    while low < high:
                        middle = (low + high) // 2
                        schedule = Schedule(tile, stays, (first, seconds[middle]), order)
                        if fits(traffic(product, schedule, unit, engine).local, engine):
                            low = middle + 1
                        else:
                            high = middle
                    if not low:
                        break
                    yield Schedule(tile, stays, (first, seconds[low - 1]), order)


def _tiles(length: int, most: int | None, multiple: int, smaller: int) -> list[int]:
    """Return the largest size of a call, halved so many times, and the most even one with as many calls."""
    largest = max(largest_tile(length, most, multiple) >> smaller, 1)
    largest = min(-(-largest // multiple) * multiple, length)
    even = -(-length // -(-length // largest))
    return sorted({largest, min(length, -(-even // multiple) * multiple)})
