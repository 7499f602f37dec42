"""The best schedule by trying them all: every legal tile, every block of whole tiles, every order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product as combinations

from onnxtile.engine.cost import Cost, cost
from onnxtile.engine.description import Engine
from onnxtile.engine.product import Product
from onnxtile.engine.schedule import AXES, Schedule
from onnxtile.engine.traffic import traffic
from tests.engine.strategies import ORDERS


def legal(length: int, most: int | None, multiple: int) -> list[int]:
    """Sizes of a call: multiples up to the most, and the whole length where it's within that when padded."""
    sizes = [size for size in range(multiple, length, multiple) if most is None or size <= most]
    return [*sizes, length] if most is None or -(-length // multiple) * multiple <= most else sizes


def schedules(product: Product, engine: Engine) -> Iterator[Schedule]:
    """Give all schedules, whether local memory has room or not."""
    unit = engine.unit_for(*product.types)
    assert unit is not None
    axes = zip(product.sizes, "MKN", strict=True)
    for m, k, n in combinations(*(legal(size, getattr(unit.max, a), getattr(unit.multiple, a)) for size, a in axes)):
        tile, length = {"m": m, "k": k, "n": n}, dict(zip("mkn", product.sizes, strict=True))
        for stays, (one, two) in AXES.items():
            firsts, seconds = ([*range(tile[a], length[a], tile[a]), length[a]] for a in (one, two))
            for first, second, order in combinations(firsts, seconds, ORDERS[stays]):
                yield Schedule((m, k, n), stays, (first, second), order)


def best(product: Product, engine: Engine) -> dict[str, tuple[int, ...]] | None:
    """The least cycles and bytes, bytes and cycles, and calls, cycles and bytes; None where nothing has room."""
    unit = engine.unit_for(*product.types)
    assert unit is not None
    found: dict[str, tuple[int, ...]] = {}
    size = engine.local.size
    for schedule in schedules(product, engine):
        local = traffic(product, schedule, unit, engine).local
        room = (
            sum(local.values()) <= 8 * size
            if isinstance(size, int)
            else all(bits <= 8 * getattr(size, name) for name, bits in local.items())
        )
        if room:
            for minimize, key in keys(cost(product, schedule, engine)).items():
                found[minimize] = min(found.get(minimize, key), key)
    return found or None


def keys(cost: Cost) -> dict[str, tuple[int, ...]]:
    cycles = cost.cycles or 0
    return {"cycles": (cycles, cost.bytes), "bytes": (cost.bytes, cycles), "calls": (cost.calls, cycles, cost.bytes)}
