from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxtile.engine.product import Product
from onnxtile.engine.schedule import Schedule
from onnxtile.errors import UsageError
from tests.engine.strategies import engine_of, products, schedules


@given(st.data())
def test_calls_cover_a_product_once(data: st.DataObject) -> None:
    product = data.draw(products(engine_of(), 9))
    schedule = data.draw(schedules(product))
    covered = [
        (m, k, n) for one, two, three in schedule.calls(product)
        for m in range(*one) for k in range(*two) for n in range(*three)
    ]  # fmt: skip
    assert len(covered) == len(set(covered)) == product.m * product.k * product.n
    assert Schedule.parse(schedule.text()) == schedule


def test_tiles_run_in_the_order_of_the_loops() -> None:
    schedule = Schedule((2, 3, 2), "C", (4, 2), "mnknm")
    assert [box[0][0] for box in schedule.calls(Product(8, 3, 2))] == [0, 2, 4, 6]
    assert [tuple(start for start, _ in box) for box in schedule.calls(Product(4, 6, 4))] == [
        (0, 0, 0), (2, 0, 0), (0, 3, 0), (2, 3, 0), (0, 0, 2), (2, 0, 2), (0, 3, 2), (2, 3, 2),
    ]  # fmt: skip


@pytest.mark.parametrize(("order", "strip"), [("mnknm", "A"), ("mnkmn", "B"), ("mknkm", "C")])
def test_the_strip(order: str, strip: str) -> None:
    assert Schedule((1, 1, 1), "C" if order[2] == "k" else "A", (1, 1), order).strip == strip


@pytest.mark.parametrize(
    "text", ["", "tile=1,1,1", "tile=1,1,1 stays=C block=1x1 order=mmkmn", "tile=0,1,1 stays=C block=1x1 order=mnkmn"]
)
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Schedule.parse(text)
