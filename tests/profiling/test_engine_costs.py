"""Costs on an engine add up, in groups and in JSON."""

from __future__ import annotations

from fractions import Fraction

from onnxtile.ir.json_encoding import encode
from onnxtile.ir.symbolic.amounts import Range, Unknown
from onnxtile.profiling.engine_costs import EngineProfile, EngineTotals, Layer, sums_of

FAST = Layer(name="a/p", op="MatMul", module="a", a_bytes=3, b_bytes=4, c_bytes=5, partial_bytes=6, least_bytes=11,
             calls=2, macs=40, padded_macs=48, cycles=10, lanes_cycles=Fraction(5), clock=Fraction(1000))  # fmt: skip
OTHER = Layer(name="b/q", op="Relu", module="b", on="vector", other_bytes=8, other_cycles=4, clock=Fraction(1000))
OPEN = Layer(
    name="b/r", op="Sum", module="b", on="host", other_bytes=8, other_cycles=Unknown("no rate"), reason="no rate"
)


def test_a_layer() -> None:
    assert (FAST.bytes, FAST.extra_bytes, FAST.utilization, FAST.total_cycles, FAST.seconds) == (18, 7, 0.5, 10, 0.01)
    assert (OTHER.utilization, OTHER.total_cycles, OTHER.seconds) == (None, 4, 0.004)
    assert (OPEN.total_cycles, OPEN.seconds) == (Unknown("no rate"), None)


def test_layers_together() -> None:
    layers = (FAST, OTHER, OPEN)
    totals = EngineTotals(products=1, **sums_of(layers))
    assert (totals.bytes, totals.cycles, totals.other_bytes, totals.other_cycles) == (18, 10, 16, Range(4, None))
    assert (totals.utilization, totals.seconds, totals.total_cycles) == (0.5, None, Range(14, None))
    profile = EngineProfile("e", "cycles", layers, totals)
    assert str(profile).splitlines()[:2] == ["engine        e", "products      1"]
    assert [(group.name, group.layers, group.moved) for group in profile.by("module")] == [("a", 1, 18), ("b", 2, 16)]
    assert [group.name for group in profile.by("op", layers=[OPEN])] == ["Sum"]


def test_json() -> None:
    document = encode(FAST)
    assert (document["bytes"], document["utilization"], document["seconds"]) == (18, 0.5, 0.01)
    assert "lanes_cycles" not in document
    assert encode(OPEN)["other_cycles"] is None
    assert encode(OPEN)["reason"] == "no rate"
    assert list(encode(EngineProfile("e", "cycles", (FAST,), EngineTotals()))) == [
        "engine", "minimize", "assumptions", "totals", "layers"
    ]  # fmt: skip
