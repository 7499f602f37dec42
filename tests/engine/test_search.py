from __future__ import annotations

from typing import get_args

import numpy as np

from onnxtile.engine.choice import Minimize, choose
from onnxtile.engine.operands import Operands
from onnxtile.engine.product import Product
from onnxtile.engine.search import Search
from onnxtile.engine.traffic import traffic
from tests.engine.strategies import engine_of


def test_tiles_that_are_allowed() -> None:
    product, engine = Product(48, 48, 48), engine_of(local_size=1500)
    unit = engine.product[0]
    search = Search(Operands(product, unit, engine), {"m": [8, 16], "k": [8, 48], "n": [8, 16]}, np.int64)
    allowed = np.ones((2, 2, 2), dtype=bool)
    best = search.least(allowed)
    assert best is not None
    assert best.group is not None
    assert best.bytes == traffic(product, best.group.schedule(best.place), unit, engine).total
    allowed[0] = False
    large = search.least(allowed)
    assert large is not None
    assert large.group is not None
    assert large.group.schedule(large.place).tile[0] == 16
    assert large.bytes >= best.bytes
    assert search.least(np.zeros((2, 2, 2), dtype=bool)) is None


def test_nothing_fits() -> None:
    product, engine = Product(48, 48, 48), engine_of(local_size=100)
    search = Search(Operands(product, engine.product[0], engine), {"m": [48], "k": [48], "n": [48]}, np.int64)
    assert search.least(np.ones((1, 1, 1), dtype=bool)) is None


def test_a_tile_without_room_gives_way_to_one_with_room() -> None:
    """Of tiles that were looked into some may have no room: what isn't looked into yet isn't taken for the best."""
    engine = engine_of(local_size=700, memory_bandwidth=2, product_types=["float32", "float32"],
                       product_accumulate="float32")  # fmt: skip
    product = Product(24, 24, 24, 1, ("float32", "float32"), "float32")
    for minimize in get_args(Minimize):
        found = choose(product, engine, minimize)
        assert found.cost.bytes == traffic(product, found.schedule, engine.product[0], engine).total
