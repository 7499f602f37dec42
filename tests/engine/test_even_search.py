from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from onnxtile.engine import even_search
from onnxtile.engine.choice import choose
from onnxtile.engine.description import Engine
from onnxtile.engine.even_search import EvenSearch
from onnxtile.engine.operands import Operands
from onnxtile.engine.product import Product
from onnxtile.engine.search import Search
from onnxtile.engine.traffic import traffic
from tests.engine.strategies import engine_of, engines, products


def calls_of(product: Product, tile: tuple[int, int, int]) -> int:
    m, k, n = (-(-size // part) for size, part in zip(product.sizes, tile, strict=True))
    return m * k * n


@given(st.data())
def test_bytes_are_those_of_the_search_by_tiles_and_calls_no_more(data: st.DataObject) -> None:
    """Of any sizes and tiles that are allowed; where bytes differ by how rows are cut, that search is no other."""
    engine = data.draw(engines(plain=True))
    unit, product = engine.product[0], data.draw(products(engine))
    operands = Operands(product, unit, engine)
    assume(operands.even)
    tiles = {
        axis: sorted(data.draw(st.sets(st.integers(1, size), min_size=1, max_size=5)))
        for axis, size in zip("mkn", product.sizes, strict=True)
    }
    flags = data.draw(st.lists(st.booleans(), min_size=125, max_size=125))
    shape = tuple(map(len, tiles.values()))
    allowed = np.array(flags[: int(np.prod(shape))]).reshape(shape)
    calls = np.array([
        [[calls_of(product, (m, k, n)) for n in tiles["n"]] for k in tiles["k"]] for m in tiles["m"]
    ])  # fmt: skip
    by_tiles, by_numbers = Search(operands, tiles, np.int64), EvenSearch(operands, tiles)
    expected, found = by_tiles.least(allowed), by_numbers.least(allowed)
    assert (found is None) == (expected is None)
    if found is None or expected is None:
        return
    assert found.bytes == expected.bytes
    schedules = [
        search.fewest_calls(least, allowed, calls) for search, least in ((by_tiles, expected), (by_numbers, found))
    ]
    for schedule in schedules:
        moved = traffic(product, schedule, unit, engine)
        assert moved.total == found.bytes
        assert operands.fits(moved.local)
    assert calls_of(product, schedules[1].tile) <= calls_of(product, schedules[0].tile)


def test_as_many_tiles_and_schedules_as_are_looked_at_at_once_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of(local_size=3000, memory_bandwidth=1, product_max={"M": 6, "K": 6, "N": 6})
    product, unit = Product(96, 90, 80), engine.product[0]
    tiles, allowed = {axis: [*range(1, 7)] for axis in "mkn"}, np.ones((6, 6, 6), dtype=bool)
    found = EvenSearch(Operands(product, unit, engine), tiles).least(allowed)
    assert found is not None
    for name in ("PROMISING", "AT_ONCE"):
        for bound in (36, 35, 1):  # pairs of sizes
            monkeypatch.setattr(even_search, name, bound)
            again = EvenSearch(Operands(product, unit, engine), tiles).least(allowed)
            assert again is not None
            assert again.bytes == found.bytes


def test_64_sizes_along_each_axis_are_all_looked_at() -> None:
    """On a built-in engine that multiplies float32 in calls of at most 64 x 64 x 64, with sizes of any multiple."""
    types = ("float32", "float32")
    assert choose(Product(12544, 576, 256, 1, types, "float32"), Engine.load("systolic-32")).assumptions == ()
