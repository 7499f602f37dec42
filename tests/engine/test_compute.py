from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxtile.engine.compute import call_cycles, compute_cycles, padded_macs
from tests.engine.strategies import engine_of, engines, products, schedules


@given(st.data())
def test_cycles_are_those_of_all_calls(data: st.DataObject) -> None:
    engine = data.draw(engines())
    unit, product = engine.product[0], data.draw(products(engine, 12))
    schedule = data.draw(schedules(product))
    sizes = [tuple(stop - start for start, stop in box) for box in schedule.calls(product)]
    assert compute_cycles(product, unit, schedule.tile) == sum(call_cycles(unit, *size) for size in sizes)
    padded = 0
    for m, k, n in sizes:
        up = unit.multiple
        padded += -(-m // up.M) * up.M * -(-k // up.K) * up.K * -(-n // up.N) * up.N
    assert padded_macs(product, unit, schedule.tile) == padded


@pytest.mark.parametrize(
    ("fields", "cycles"),
    [
        ({"held": "B"}, 2 * 2 * 9),
        ({"held": "B", "fill": 20}, 2 * 2 * 20),
        ({"held": "B", "fill": 20, "fill_overlaps": False}, 2 * 2 * 29),
        ({"held": "A", "fill": 4}, 9 * 2 * 4),
        ({"held": "C"}, 9 * 2 * 2),
        ({"held": "B", "call": 7}, 2 * 2 * 9 + 7),
        ({"held": "B", "results": 2}, 9 * 12 * 2 // 2),
        ({"held": "C", "results": 2}, 9 * 12 // 2),
    ],
)
def test_a_call(fields: dict[str, object], cycles: int) -> None:
    unit = engine_of(
        product_array={"K": 8, "N": 8}, **{f"product_{name}": value for name, value in fields.items()}
    ).product[0]
    assert call_cycles(unit, 9, 16, 12) == cycles
