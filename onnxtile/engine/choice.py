"""Choose the tile, the operand that stays, its block and the order of the loops that cost least on an engine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np

from onnxtile.engine.compute import axes_of, tile_cycles
from onnxtile.engine.cost import Cost, cost, unit_of
from onnxtile.engine.description import Engine, ProductUnit
from onnxtile.engine.levels import MANY, MOST_SEARCHES, Levels, promising
from onnxtile.engine.operands import Operands
from onnxtile.engine.product import Product
from onnxtile.engine.schedule import Schedule
from onnxtile.engine.sizes import FEW, MOST_LISTED, blocks_left_out, legal_tiles, thinned, tile_sizes
from onnxtile.errors import UnsupportedError, wrong_name
from onnxtile.ir.json_encoding import encode
from onnxtile.ir.notebook import Sheet, Tabular

Minimize = Literal["cycles", "bytes", "calls"]
MOST_TILES, FEW_TILES, FEW_UNEVEN_TILES, HUGE_TILES = 256, 64, 40, 12
"""Sizes of a call that are tried along an axis at most.

Where all axes have many; where bytes depend on how rows are cut, too; and where amounts don't fit a machine word.
"""


@dataclass(frozen=True)
class Choice(Tabular):
    """Hold the best schedule of a product on an engine, what it costs, and what was assumed."""

    product: Product
    schedule: Schedule
    cost: Cost
    assumptions: tuple[str, ...]

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
    operands = Operands(some, unit, engine)
    kind = np.int64 if _largest(some, unit, engine) < 1 << 62 else object
    tiles, assumptions = _tiles(some, unit, operands, kind)
    for axis, sizes in tiles.items():
        if not sizes:
            words = f"no call along {axis.upper()} is within its max and a multiple"
            raise UnsupportedError(f"engine {engine.name}: {words}")
    if minimize == "cycles" and engine.memory.bandwidth is not None and math.prod(map(len, tiles.values())) >= MANY:
        tiles = promising(operands, tiles, kind, some, unit, engine)
    levels = Levels(operands, tiles, kind, some, unit, engine, minimize)
    schedule = levels.best()
    if engine.memory.bandwidth is None:
        assumptions = ["no memory bandwidth given: bytes only", *assumptions]
    if not levels.complete:
        assumptions.append(f"not every number of cycles was looked into, another may cost less: {MOST_SEARCHES} were")
    return Choice(product, schedule, cost(product, schedule, engine), tuple(assumptions))


def _tiles(
    product: Product, unit: ProductUnit, operands: Operands, kind: type
) -> tuple[dict[str, list[int]], list[str]]:
    """Return the sizes of a call that are tried along m, k and n, and a line where others, or blocks, are left out."""
    even = operands.even and operands.rows is None
    listed = MOST_LISTED if even and unit.results is None else FEW
    tiles = {axis: _sizes(product, unit, place, listed == MOST_LISTED) for place, axis in enumerate("mkn")}
    most = HUGE_TILES if kind is object else MOST_TILES
    few = FEW_TILES if even else FEW_UNEVEN_TILES
    if kind is not object and math.prod(map(len, tiles.values())) > few**3:
        most = few
    calls, blocks = [], []
    for length, lanes, (axis, sizes) in zip(product.sizes, axes_of(unit.array), tiles.items(), strict=True):
        name, uneven = axis.upper(), (axis != "m" and not operands.even) or (axis != "n" and operands.rows is not None)
        number, _ = legal_tiles(length, getattr(unit.max, name), getattr(unit.multiple, name))
        tiles[axis] = thinned(sizes, lanes, most)
        if len(tiles[axis]) < len(sizes) or number > listed:
            calls.append(f"{name} {len(tiles[axis]):,} of {number:,}")
        if sizes and blocks_left_out(length, tiles[axis], uneven, kind):
            blocks.append(name)
    parts = [f"{what} along {', '.join(axes)}" for what, axes in (("calls", calls), ("blocks", blocks)) if axes]
    return tiles, [f"not every size was tried, another may cost less: {'; '.join(parts)}"] if parts else []


def _sizes(product: Product, unit: ProductUnit, axis: int, even: bool) -> list[int]:
    """Return the sizes of a call that are worth trying along an axis; `even`: none has bytes or cycles of its own."""
    length, name = product.sizes[axis], "MKN"[axis]

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
