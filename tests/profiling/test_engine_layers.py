"""Test what front ends share of costs on an engine; what an ONNX model takes is in test_engine_profile.py."""

from __future__ import annotations

import pytest

from onnxtile.engine.choice import choose
from onnxtile.engine.limits import EngineLimits
from onnxtile.engine.product import Product
from onnxtile.ir.symbolic.amounts import Unknown
from onnxtile.profiling.engine_costs import Layer
from onnxtile.profiling.engine_layers import NO_BANDWIDTH, OnEngine, activation_bytes, profile_of_layers
from tests.engine.strategies import engine_of

ENGINE = engine_of(memory_bandwidth=2, local_size=500)
LAYER = Layer(name="fc", op="Gemm")


def test_a_product_costs_what_is_chosen_in_all_runs() -> None:
    product = Product(9, 8, 7)
    layer = OnEngine(EngineLimits(ENGINE)).best(LAYER, product, 3)
    chosen = choose(product, ENGINE)
    assert (layer.schedule, layer.tile) == (chosen.schedule.text(), chosen.schedule.tile)
    assert (layer.calls, layer.bytes, layer.macs) == (3 * chosen.cost.calls, 3 * chosen.cost.bytes, 3 * product.macs)


def test_without_a_bandwidth_cycles_are_unknown_and_that_is_said_once() -> None:
    limits = EngineLimits(engine_of(local_size=500))
    layers = [OnEngine(limits).best(LAYER, Product(9, 8, 7), 1)] * 2
    assert isinstance(layers[0].cycles, Unknown)
    found = profile_of_layers(limits, layers, {})
    assert (found.assumptions, found.totals.products) == ((NO_BANDWIDTH.reason,), 2)
    assert profile_of_layers(limits, [], {}).assumptions == ()


@pytest.mark.parametrize(("size", "local"), [(100, 40 + 100), ({"A": 90, "B": 300, "C": 99}, 40)])
def test_values_that_fit_local_memory_each_by_itself(size: object, local: int) -> None:
    """Of a memory with parts for operands, one that both what is read and what is written fit."""
    engine = engine_of(local_size=size)
    found = activation_bytes([(2, 20), (1, 100), (1, 101), (1, Unknown("why"))], engine)
    assert found["local_activation_bytes"] == local
