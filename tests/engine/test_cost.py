from __future__ import annotations

import pytest

from onnxtile.engine.cost import Cost, cost
from onnxtile.engine.product import Product
from onnxtile.engine.schedule import Schedule
from onnxtile.errors import UnsupportedError
from tests.engine.strategies import engine_of

SCHEDULE = Schedule((8, 8, 8), "C", (16, 16), "mnkmn")
FIELDS = {"product_array": {"K": 8, "N": 8}, "memory_bandwidth": 4}


def of(**fields: object) -> Cost:
    """The cost of 16 x 16 x 16, which moves 768 bytes, in 64 cycles of the array."""
    return cost(Product(16, 16, 16), SCHEDULE, engine_of(**{**FIELDS, **fields}))


def test_memory_bounds_it() -> None:
    found = of()
    assert (found.calls, found.macs, found.padded_macs) == (8, 4096, 4096)
    assert (found.a_bytes, found.b_bytes, found.c_bytes, found.partial_bytes, found.least_bytes) == (
        256,
        256,
        256,
        0,
        768,
    )
    assert (found.compute_cycles, found.memory_cycles, found.cycles, found.bound) == (64, 192, 192, "memory")
    assert found.utilization == pytest.approx(4096 / 64 / 192)
    assert found.local_bytes == 16 * 16 * 4 + 2 * 8 * 8 + 2 * 8 * 16


def test_compute_bounds_it() -> None:
    assert (of(memory_bandwidth=64).cycles, of(memory_bandwidth=64).bound) == (64, "compute")


def test_local_memory_bounds_it() -> None:
    found = of(memory_bandwidth=64, local_bandwidth=1)
    local = (
        256 * 2 + 256 * 2 + 256 * 4 * (2 * 2 - 1)
    )  # A for each block of n, B for each call of m, sums of two calls of k
    assert (found.local_cycles, found.cycles, found.bound) == (local, local, "local")


def test_latency_comes_once() -> None:
    assert (of(memory_latency=1000).cycles, of(memory_latency=1000).bound) == (1192, "latency")


def test_with_one_buffer_transfers_wait() -> None:
    assert of(local_buffers=1).cycles == 192 + 64


def test_without_a_bandwidth_cycles_are_not_known() -> None:
    found = cost(Product(16, 16, 16), SCHEDULE, engine_of())
    assert (found.memory_cycles, found.cycles, found.bound, found.utilization) == (None, None, None, None)
    assert (found.bytes, found.compute_cycles) == (768, 4096)


def test_cycles_are_rounded_up_once() -> None:
    engine = engine_of(memory_bandwidth=7, local_buffers=1)
    assert cost(Product(1, 1, 1, 10), Schedule((1, 1, 1), "C", (1, 1), "mnkmn"), engine).cycles == 10 + 5


def test_a_batch_costs_as_many_products() -> None:
    one, ten = (cost(Product(16, 16, 16, batch), SCHEDULE, engine_of(**FIELDS)) for batch in (1, 10))
    assert (ten.calls, ten.bytes, ten.cycles, ten.local_bytes) == (80, 7680, 1920, one.local_bytes)


def test_types_that_the_engine_does_not_multiply() -> None:
    with pytest.raises(UnsupportedError, match="engine engine doesn't multiply int8 by float32: it has int8 by int8"):
        cost(Product(4, 4, 4, types=("int8", "float32")), SCHEDULE, engine_of())
