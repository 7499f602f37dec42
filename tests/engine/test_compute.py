from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxtile.engine.compute import call_cycles, compute_cycles, local_bits, padded_macs
from onnxtile.engine.description import ProductUnit
from onnxtile.engine.product import Product
from tests.engine.strategies import engine_of, engines, products, schedules


def by_definition(unit: ProductUnit, m: int, k: int, n: int) -> int:
    """The cycles of a call, by its definition."""
    rows, depth, columns = -(-m // unit.array.M), -(-k // unit.array.K), -(-n // unit.array.N)
    passes = {"A": rows * depth, "B": depth * columns, "C": rows * columns}[unit.held]
    stream = {"A": columns, "B": rows, "C": depth}[unit.held]
    cycles = passes * (max(stream, unit.fill) if unit.fill_overlaps else stream + unit.fill)
    leaving = m * n * (1 if unit.held == "C" else depth)
    return max(cycles, -(-leaving // unit.results) if unit.results else 0) + unit.call


@given(st.data())
def test_cycles_are_those_of_all_calls(data: st.DataObject) -> None:
    engine = data.draw(engines())
    unit, product = engine.product[0], data.draw(products(engine, 12))
    schedule = data.draw(schedules(product))
    sizes = [tuple(stop - start for start, stop in box) for box in schedule.calls(product)]
    assert compute_cycles(product, unit, schedule.tile) == sum(by_definition(unit, *size) for size in sizes)
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
    assert call_cycles(unit, 9, 16, 12) == compute_cycles(Product(9, 16, 12), unit, (9, 16, 12)) == cycles


def test_many_tiles_at_once() -> None:
    unit = engine_of(product_array={"K": 8}, product_fill=3, product_results=5).product[0]
    product, tiles = Product(9, 40, 12), [(4, 16, 5), (9, 40, 12), (1, 7, 4)]
    columns = tuple(np.array([tile[axis] for tile in tiles]) for axis in range(3))
    for function in (compute_cycles, local_bits):
        many = function(product, unit, (columns[0], columns[1], columns[2]))
        assert many.tolist() == [function(product, unit, tile) for tile in tiles]


@pytest.mark.parametrize(
    ("held", "a", "b", "sums"), [("B", 2, 3, 2 * 4 - 1), ("A", 2, 3, 2 * 4 - 1), ("C", 2, 3, 2 * 2 - 1)]
)
def test_transfers_to_the_array(held: str, a: int, b: int, sums: int) -> None:
    """9 x 32 x 16 in tiles of 3 x 16 x 8, on an array of 3 x 8 x 8: 3 x 4 x 2 blocks in 3 x 2 x 2 tiles."""
    unit = engine_of(product_array={"M": 3, "K": 8, "N": 8}, product_held=held).product[0]
    assert local_bits(Product(9, 32, 16), unit, (3, 16, 8)) == 8 * (9 * 32 * a + 32 * 16 * b) + 32 * 9 * 16 * sums


SCALE_SIM = """
B 8 8 16 24 20 341, B 8 8 40 16 16 247, B 8 8 9 33 17 464, B 8 8 64 8 8 85, B 16 16 16 24 20 247, B 16 16 40 16 16 85
B 16 16 9 33 17 329, B 16 16 64 8 8 109, B 8 16 16 24 20 275, B 8 16 40 16 16 139, B 8 16 9 33 17 389, B 8 16 64 8 8 93
C 8 8 16 24 20 227, C 8 8 40 16 16 299, C 8 8 9 33 17 281, C 16 8 16 24 20 137, C 16 8 40 16 16 227, C 16 8 9 33 17 164
A 8 8 16 24 20 251, A 8 8 40 16 16 379, A 8 8 9 33 17 389
"""
"""List what stays (ws: B, os: C, is: A), rows and columns of the array, M, K, N; total cycles of SCALE-Sim 3.0.0."""


@pytest.mark.parametrize("case", [case.strip() for line in SCALE_SIM.split("\n") for case in line.split(",") if case])
def test_cycles_of_scale_sim(case: str) -> None:
    """It fills the array before a block and drains it afterwards, block by block, and doesn't count the last cycle."""
    held, (height, width, m, k, n, cycles) = case[0], map(int, case.split()[1:])
    axes = {"A": ("K", "M"), "B": ("K", "N"), "C": ("M", "N")}[held]
    fill = (1 if held == "C" else 2) * height + width - 2
    array = dict(zip(axes, (height, width), strict=True))
    unit = engine_of(product_array=array, product_held=held, product_fill=fill, product_fill_overlaps=False).product[0]
    assert compute_cycles(Product(m, k, n), unit, (m, k, n)) - 1 == cycles
