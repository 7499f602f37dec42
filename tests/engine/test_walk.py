"""Test that what calls move is what the formulas say, in the order of a schedule; in another order it's more."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from onnxtile.engine.cost import cost
from onnxtile.engine.product import Product
from onnxtile.engine.schedule import Schedule
from onnxtile.engine.walk import walk
from tests.engine.strategies import engine_of, engines, products, schedules


@given(data=st.data())
def test_the_order_of_a_schedule_moves_what_it_promises(data: st.DataObject) -> None:
    engine = data.draw(engines())
    product = data.draw(products(engine, 25))
    schedule, unit = data.draw(schedules(product)), engine.product[0]
    promised = cost(product, schedule, engine)
    walked = walk(schedule.calls(product), product, schedule, unit, engine)
    found = [walked.calls, walked.a, walked.b, walked.c, walked.partial, walked.compute]
    assert [product.batch * amount for amount in found] == [
        promised.calls, promised.a_bytes, promised.b_bytes, promised.c_bytes, promised.partial_bytes,
        promised.compute_cycles,
    ]  # fmt: skip


def test_another_order_moves_more() -> None:
    engine, product = engine_of(), Product(8, 8, 8)
    schedule = Schedule((4, 4, 4), "C", (8, 4), "nmknm")
    calls, unit = list(schedule.calls(product)), engine.product[0]
    assert [walk(calls, product, schedule, unit, engine).a, walk(calls, product, schedule, unit, engine).partial] == [
        128,
        0,
    ]
    mixed = calls[::2] + calls[1::2]
    assert walk(mixed, product, schedule, unit, engine).b > walk(calls, product, schedule, unit, engine).b
    assert walk(mixed, product, schedule, unit, engine).partial > 0


def test_the_peak_is_the_call_that_asks_for_most() -> None:
    engine = engine_of(product_array={"M": 1, "K": 2, "N": 2})
    product, schedule = Product(4, 2, 2), Schedule((2, 2, 2), "C", (2, 2), "mnkmn")
    walked = walk(schedule.calls(product), product, schedule, engine.product[0], engine)
    # two rows of A and all of B for the first; two of A and the finished tile for the second, in two cycles each
    assert (walked.calls, walked.peak) == (2, Fraction(8, 2))
