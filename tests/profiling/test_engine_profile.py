"""Test what a model takes on an engine: as is best, and as the nodes of a lowered file stand there."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import onnx
import pytest

import onnxtile
from onnxtile.engine.choice import choose
from onnxtile.engine.description import Engine
from onnxtile.engine.product import Product
from onnxtile.engine.scheduled import Scheduled
from onnxtile.ir.symbolic.amounts import Range, Unknown
from onnxtile.lowering.report import Report
from onnxtile.profiling import engine_layers
from onnxtile.profiling.engine_costs import EngineProfile, Layer
from tests.engine.strategies import engine_of, table
from tests.passes.test_decompose_quantized import qdq
from tests.support import FORMS, matmul, parse, whole

FLOATS = {"product_types": ["float32", "float32"], "product_accumulate": "float32"}
SMALL = engine_of(**FLOATS, product_max={"M": 4, "K": 6, "N": 5}, product_array={"N": 5}, local_size=500,
                  memory_bandwidth=2, memory_burst=8, clock="1 kHz")  # fmt: skip
F32 = np.dtype(np.float32)


def profiled(model: Any, engine: Engine = SMALL, **options: Any) -> EngineProfile:
    found = onnxtile.profile(model, engine=engine, **options).engine
    assert found is not None
    return found


def products(profile: EngineProfile) -> list[Layer]:
    return [layer for layer in profile.layers if layer.on == "engine"]


def network() -> onnx.ModelProto:
    """A Conv, a product of a batch, a Gemm and one that fits."""
    return parse(
        """<ir_version: 10, opset_import: ["" : 18]>
        g (float[2,3,7,7] x, float[2,4,9] z) => (float[2,30] y, float[2,4,8] u) {
            [conv] c = Conv <kernel_shape = [3,3], strides = [2,2]> (x, f)
            [relu] r = Relu (c)
            [flat] h = Flatten (r)
            [fc] y = Gemm <transB = 1> (h, w, b)
            [batch] u = MatMul (z, v)
        }""",
        f=whole([5, 3, 3, 3], F32, 1), w=whole([30, 45], F32, 2), b=whole([30], F32, 3), v=whole([2, 9, 8], F32, 4),
    )  # fmt: skip


def promised(report: Report) -> dict[str, Scheduled]:
    found = {row.name: Scheduled.parse(row.schedule) for row in report.contractions if row.schedule}
    return {name: scheduled for name, scheduled in found.items() if scheduled is not None}


def test_a_product_costs_what_was_chosen() -> None:
    (layer,) = profiled(matmul([11, 17], [17, 13], [11, 13])).layers
    cost = choose(Product(11, 17, 13, 1, ("float32", "float32"), "float32"), SMALL).cost
    assert (layer.m, layer.k, layer.n, layer.types, layer.op) == (11, 17, 13, ("float32", "float32"), "MatMul")
    for name in ("calls", "a_bytes", "b_bytes", "c_bytes", "partial_bytes", "least_bytes", "compute_cycles", "cycles"):
        assert getattr(layer, name) == getattr(cost, name)
    assert (layer.bytes, layer.extra_bytes, layer.bound) == (cost.bytes, cost.extra_bytes, cost.bound)
    assert layer.utilization == pytest.approx(cost.utilization)
    assert layer.seconds == pytest.approx((cost.cycles or 0) / 1000)
    assert layer.mean_bandwidth == pytest.approx(cost.bytes / (cost.cycles or 1))
    assert layer.peak_bandwidth is not None
    assert layer.peak_bandwidth > layer.mean_bandwidth


@pytest.mark.parametrize("form", FORMS)
def test_the_lowered_file_moves_what_was_promised(form: Any) -> None:
    model = network()
    lowered, report = onnxtile.lower(model, engine=SMALL, form=form, report=True)
    expected = promised(report)
    assert set(expected) == {"conv", "fc", "batch"}
    before, after = products(profiled(model)), products(profiled(lowered))
    assert {layer.origin or layer.name: (layer.bytes, layer.cycles) for layer in after} == {
        name: (scheduled.bytes, scheduled.cycles) for name, scheduled in expected.items()
    }
    assert {layer.name: layer.bytes for layer in before} == {name: one.bytes for name, one in expected.items()}
    assert profiled(model).totals.bytes == profiled(lowered).totals.bytes


def test_tiles_in_another_order_move_more() -> None:
    lowered = onnxtile.lower(matmul([11, 17], [17, 13], [11, 13]), engine=SMALL)
    right = profiled(lowered)
    tiles = [node for node in lowered.graph.node if node.op_type == "MatMul"]
    rest = [node for node in lowered.graph.node if node.op_type not in ("MatMul", "Split")]
    cuts = [node for node in lowered.graph.node if node.op_type == "Split"]
    del lowered.graph.node[:]
    lowered.graph.node.extend([*cuts, *random.Random(1).sample(tiles, len(tiles)), *rest])
    (mixed,), (layer,) = products(profiled(lowered)), products(right)
    assert (mixed.calls, mixed.macs, mixed.compute_cycles) == (layer.calls, layer.macs, layer.compute_cycles)
    assert isinstance(mixed.bytes, int) and isinstance(layer.bytes, int)
    assert mixed.bytes > layer.bytes


def test_without_its_schedule_each_tile_is_a_product_of_its_own() -> None:
    lowered = onnxtile.lower(matmul([11, 17], [17, 13], [11, 13]), (4, 6, 5))
    layers = products(profiled(lowered))
    assert len(layers) == 27
    assert {layer.origin for layer in layers} == {"product"}
    assert profiled(lowered).totals.bytes == sum(
        choose(Product(m, k, n, 1, ("float32", "float32"), "float32"), SMALL).cost.bytes
        for m in (4, 4, 3) for k in (6, 6, 5) for n in (5, 5, 3)
    )  # fmt: skip


def test_a_schedule_that_another_engine_cannot_run_is_none() -> None:
    lowered = onnxtile.lower(matmul([11, 17], [17, 13], [11, 13]), engine=SMALL)
    smaller = SMALL.model_copy(update={"local": SMALL.local.model_copy(update={"size": 200})})
    calls = choose(Product(11, 17, 13, 1, ("float32", "float32"), "float32"), SMALL).cost.calls
    assert len(products(profiled(lowered, smaller))) == calls > 1


@pytest.mark.parametrize("text", ["size=11,17,13", "size=9,9,9 tile=4,6,5 stays=C loops=m4,n5,k6,m4,n5 bytes=1", ""])
def test_metadata_may_say_anything(text: str) -> None:
    lowered = onnxtile.lower(matmul([11, 17], [17, 13], [11, 13]), engine=SMALL)
    for node in lowered.graph.node:
        for entry in node.metadata_props:
            if entry.key == "onnxtile.schedule":
                entry.value = text
    assert profiled(lowered).totals.macs == 11 * 17 * 13 or "size=9" in text


def test_what_cuts_and_joins_is_moved_with_the_tiles() -> None:
    model = network()
    lowered = onnxtile.lower(model, engine=SMALL)
    others = [layer for layer in profiled(lowered).layers if layer.on != "engine"]
    assert not {"Split"} & {layer.op for layer in others}
    assert {layer.op for layer in others if layer.origin == "fc"} == {"Add"}  # the bias
    assert {"Relu", "Slice"} <= {layer.op for layer in others}
    sliced = profiled(onnxtile.lower(model, engine=SMALL, splits="slice"))
    assert [layer.name for layer in sliced.layers if layer.on != "engine"] == [layer.name for layer in others]
    assert sliced.totals.bytes == profiled(lowered).totals.bytes


@pytest.mark.parametrize(
    ("operators", "on", "cycles"),
    [
        ({"supported": ["Relu"]}, "vector", 56), ({"supported": ["Relu"], "vector": 8}, "vector", 14),
        ({"supported": [], "host": 16}, "host", 7), ({"supported": []}, "host", None), ({"host": 4}, "host", 28),
        ({"vector": 4}, "vector", 28), ({}, "unknown", None),
    ],
)  # fmt: skip
def test_other_operators_move_their_bytes(operators: dict[str, Any], on: str, cycles: int | None) -> None:
    model = parse(
        '<ir_version: 10, opset_import: ["" : 18]> g (float[2,7] x) => (float[2,7] y) { [relu] y = Relu (x) }'
    )
    data = table(**FLOATS, memory_bandwidth=2) | {"operators": operators}
    found = profiled(model, Engine.model_validate(data))
    (layer,) = found.layers
    assert (layer.on, layer.other_bytes, layer.bytes) == (on, 112, 0)
    if cycles is None:
        assert isinstance(layer.other_cycles, Unknown)
        assert "isn't given" in layer.other_cycles.reason or "no rate is given" in layer.other_cycles.reason
        assert found.totals.other_cycles == Range(0, None)
        assert layer.reason == layer.other_cycles.reason
    else:
        assert layer.other_cycles == cycles


def test_types_that_the_engine_does_not_multiply_are_the_hosts() -> None:
    found = profiled(matmul([11, 17], [17, 13], [11, 13]), engine_of())
    (layer,) = found.layers
    assert layer.on == "host"
    assert isinstance(layer.other_cycles, Unknown)
    assert layer.other_cycles.reason.startswith("engine doesn't multiply float32 by float32")
    assert layer.other_bytes == 4 * (11 * 17 + 17 * 13 + 11 * 13)
    (layer,) = products(profiled(qdq("int8", "int8", 1), engine_of()))
    assert layer.types == ("int8", "int8")


def test_sizes_that_are_not_numbers_are_unknown_with_the_reason() -> None:
    found = profiled(matmul(["n", 17], [17, 13], ["n", 13]))
    (layer,) = found.layers
    assert isinstance(layer.cycles, Unknown)
    assert layer.reason == "M is 'n'"
    assert isinstance(found.totals.bytes, Range)
    (bound,) = profiled(matmul(["n", 17], [17, 13], ["n", 13]), bind={"n": 11}).layers
    assert bound.cycles == profiled(matmul([11, 17], [17, 13], [11, 13])).totals.cycles


def test_without_a_bandwidth_there_are_bytes_only() -> None:
    unknown = engine_of(**FLOATS)
    found = profiled(matmul([11, 17], [17, 13], [11, 13]), unknown)
    (layer,) = found.layers
    assert isinstance(layer.cycles, Unknown) and isinstance(layer.memory_cycles, Unknown)
    assert isinstance(layer.bytes, int)
    assert found.assumptions == ("no memory bandwidth given: bytes only",)
    assert (layer.utilization, layer.seconds, layer.bound) == (None, None, None)


def test_in_loops_products_count_as_often_as_they_run() -> None:
    model = parse(
        """<ir_version: 10, opset_import: ["" : 18]> g (float[11,17] x) => (float[11,17] y)
           <int64 five = {5}, bool yes = {1}> {
            y = Loop (five, yes, x) <body = b (int64 i, bool c, float[11,17] s) => (bool d, float[11,17] t) {
                d = Identity (c)  [inner] t = MatMul (s, w) }>
        }""",
        w=whole([17, 17], F32, 1),
    )  # fmt: skip
    once = profiled(matmul([11, 17], [17, 17], [11, 17])).totals
    (layer,) = products(profiled(model))
    assert (layer.times, layer.cycles, layer.bytes) == (5, 5 * int(once.cycles), 5 * int(once.bytes))  # type: ignore[call-overload]
    assert layer.utilization == pytest.approx(once.utilization)
    for form in FORMS:
        lowered = onnxtile.lower(model, engine=SMALL, form=form)
        assert profiled(lowered).totals.bytes == 5 * int(once.bytes)  # type: ignore[call-overload]


def test_activations_that_fit_on_chip() -> None:
    model = parse(
        """<ir_version: 10, opset_import: ["" : 18]>
        g (float[5,20] x, float[5,30] z) => (float[5,20] y, float[5,30] u) {
            a = Relu (x)  y = Relu (a)  b = Relu (z)  u = Relu (b)
        }"""
    )
    totals = profiled(model).totals
    assert (totals.activation_bytes, totals.local_activation_bytes) == (400 + 600, 400)


def test_the_peak_is_told_up_to_a_number_of_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    for most, told in ((27, True), (26, False)):
        monkeypatch.setattr(engine_layers, "MOST_WALKED", most)
        engine_layers.peak_of.cache_clear()
        (layer,) = profiled(matmul([11, 17], [17, 13], [11, 13]), minimize="calls").layers
        assert layer.calls == 27
        assert (layer.peak_bandwidth is not None) == told
    engine_layers.peak_of.cache_clear()


def test_windows_that_the_engine_forms_itself_come_with_the_product() -> None:
    own = SMALL.model_copy(update={"conv": SMALL.conv.model_copy(update={"windows": "engine"})})
    (layer,) = products(profiled(network(), own))[:1]
    assert (layer.name, layer.m, layer.k, layer.n) == ("conv", 18, 27, 5)
    assert isinstance(layer.a_bytes, int)


def test_a_branch_counts_as_nothing_to_all_of_it() -> None:
    model = parse(
        """<ir_version: 10, opset_import: ["" : 18]> g (bool c, float[11,17] x) => (float[11,13] y) {
            y = If (c) <then_branch = t () => (float[11,13] a) { a = MatMul (x, w) },
                        else_branch = e () => (float[11,13] b) { b = MatMul (x, w) }>
        }""",
        w=whole([17, 13], F32, 1),
    )  # fmt: skip
    once = profiled(matmul([11, 17], [17, 13], [11, 13])).totals
    found = profiled(model)
    assert [layer.cycles for layer in products(found)] == [Range(0, once.cycles)] * 2  # type: ignore[arg-type]
    assert found.totals.utilization is None


def test_products_without_elements_take_nothing() -> None:
    (layer,) = products(profiled(matmul([0, 17], [17, 13], [0, 13])))
    assert (layer.calls, layer.bytes, layer.cycles, layer.utilization) == (0, 0, 0, None)
