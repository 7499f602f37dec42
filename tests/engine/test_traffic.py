from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from onnxtile.engine.cost import cost
from onnxtile.engine.description import Engine
from onnxtile.engine.product import Product
from onnxtile.engine.schedule import Schedule
from onnxtile.engine.traffic import traffic
from tests.engine.strategies import convolutions, engine_of, engines, products, schedules
from tests.engine.walk import walk

CASES = 5000 if settings.get_current_profile_name() == "long" else 150


def agree(product: Product, schedule: Schedule, engine: Engine) -> None:
    unit = engine.product[0]
    counted, found = walk(product, schedule, engine), traffic(product, schedule, unit, engine)
    assert (found.a, found.b, found.c, found.partial) == tuple(counted[name] for name in "ABCS")
    assert cost(product, schedule, engine).calls == product.batch * counted["calls"]
    assert cost(product, schedule, engine).bytes == product.batch * found.total


@settings(max_examples=CASES)
@given(st.data())
def test_bytes_are_those_of_a_walk(data: st.DataObject) -> None:
    engine = data.draw(engines())
    product = data.draw(st.one_of(products(engine, 24), convolutions(engine)))
    agree(product, data.draw(schedules(product)), engine)


def test_a_last_block_of_one_tile_is_kept() -> None:
    """Show that where K fits in a tile, A's last tile of m is the same for all blocks of n."""
    product, engine = Product(5, 3, 8), engine_of()
    schedule = Schedule((2, 3, 2), "C", (4, 4), "mnkmn")
    agree(product, schedule, engine)
    assert traffic(product, schedule, engine.product[0], engine).a == 2 * 4 * 3 + 3


def test_rows_take_whole_bursts() -> None:
    product, engine = Product(4, 20, 4), engine_of(memory_burst=8)
    schedule = Schedule((4, 10, 4), "C", (4, 4), "mnkmn")
    agree(product, schedule, engine)
    assert traffic(product, schedule, engine.product[0], engine).a == 4 * 2 * 16


def test_an_empty_product_moves_its_result_alone() -> None:
    assert cost(Product(3, 0, 4), Schedule((3, 1, 4), "C", (3, 4), "mnkmn"), engine_of()).bytes == 12
    assert cost(Product(0, 3, 4), Schedule((1, 3, 4), "C", (1, 4), "mnkmn"), engine_of()).bytes == 0
