"""Schedules in the metadata of nodes: read as they are written, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxtile.engine.choice import choose
from onnxtile.engine.product import Product
from onnxtile.engine.scheduled import Scheduled
from onnxtile.tiling.loops import Loops
from onnxtile.tiling.plan import Axis, TilePlan
from tests.engine.strategies import engine_of, products, schedules

ENGINE = engine_of(product_max={"M": 8, "K": 4, "N": 8}, local_size=200, memory_bandwidth=4)
TEXT = "size=3x20,9,30 tile=8,4,8 stays=C loops=m8,n16,k4,n8,m8 bytes=12 cycles=7"


@given(data=st.data())
def test_the_line_says_all_and_its_loops_are_the_schedules(data: st.DataObject) -> None:
    product = data.draw(products(ENGINE))
    schedule = data.draw(schedules(product))
    scheduled = Scheduled(product.sizes, product.batch, schedule, 12, data.draw(st.sampled_from([None, 0, 7])))
    assert Scheduled.parse(scheduled.text()) == scheduled
    loops = Loops.of(scheduled.text())
    assert loops is not None
    plan = TilePlan(*(Axis.cut(size, tile) for size, tile in zip(product.sizes, schedule.tile, strict=True)))
    pieces = [list(axis) for axis in (plan.m, plan.k, plan.n)]
    assert [tuple(pieces[axis][at] for axis, at in enumerate(tile)) for tile in loops.tiles(plan)] == list(
        schedule.calls(product)
    )


def test_a_choice_says_what_it_promises() -> None:
    choice = choose(Product(20, 9, 30, 3), ENGINE)
    scheduled = Scheduled.of(choice)
    assert (scheduled.bytes, scheduled.cycles) == (choice.cost.bytes, choice.cost.cycles)
    assert scheduled.text().startswith("size=3x20,9,30 tile=")
    assert Scheduled.parse(TEXT) is not None


@pytest.mark.parametrize(
    "change",
    [("size", "sizes"), ("3x", "1x"), ("stays=C", "stays=A"), ("m8,n16", "m8,m16"), ("tile=8", "tile=0"),
     ("n8,m8", "n4,m8"), ("cycles=7", "cycles=07"), ("bytes=12", "bytes=" + "9" * 400), ("20", "20" * 100)],
)  # fmt: skip
def test_anything_else_is_no_schedule(change: tuple[str, str]) -> None:
    assert Scheduled.parse(TEXT.replace(*change)) is None
