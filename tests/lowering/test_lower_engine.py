"""Lowering for an engine: legal for it, proven, tiles in the order of a schedule that the file says."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnx
import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.engine.choice import Minimize
from onnxtile.engine.description import Engine
from onnxtile.engine.product import Product
from onnxtile.engine.scheduled import Scheduled
from onnxtile.errors import UsageError
from onnxtile.ir.metadata import SCHEDULE, TILE
from onnxtile.lowering import postcondition
from tests.engine.strategies import engine_of, table
from tests.passes.test_decompose_quantized import qdq
from tests.support import FORMS, assert_verified, matmul, parse, whole

FLOATS = {"product_types": ["float32", "float32"], "product_accumulate": "float32"}
MOST = {"M": 4, "K": 6, "N": 5}


def engine(**fields: Any) -> Engine:
    return engine_of(
        **FLOATS | {"product_max": MOST, "product_call": 99, "memory_bandwidth": 2, "local_size": 500} | fields
    )


def metadata(node: onnx.NodeProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in node.metadata_props}


def boxes(model: onnx.ModelProto) -> list[str]:
    return [values[TILE] for node in model.graph.node if TILE in (values := metadata(node))]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("accumulate", ["chain", "tree", "sum"])
def test_tiles_carry_their_schedule_in_every_form(form: str, accumulate: str) -> None:
    model = matmul([11, 17], [17, 13], [11, 13])
    lowered, report = onnxtile.lower(model, engine=engine(), form=form, accumulate=accumulate, report=True)
    (row,) = report.contractions
    assert (row.status, row.tiles) == ("tiled", (4, 6, 5))
    bodies = [node for graph in [lowered.graph, *lowered.functions] for node in nodes_in(graph)]
    schedules = {values[SCHEDULE] for node in bodies if SCHEDULE in (values := metadata(node))}
    assert schedules == {row.schedule}
    assert Scheduled.parse(row.schedule) is not None
    assert onnxtile.check(lowered, engine=engine()).ok
    assert_verified(model, lowered)


def nodes_in(graph: Any) -> list[onnx.NodeProto]:
    inner = [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    return [*graph.node, *(node for body in inner for node in nodes_in(body))]


@pytest.mark.parametrize("model", [matmul([11, 17], [17, 13], [11, 13]), matmul([3, 11, 17], [3, 17, 13], [3, 11, 13])])
def test_tiles_stand_in_the_order_of_the_schedule(model: onnx.ModelProto) -> None:
    lowered, report = onnxtile.lower(model, engine=engine(), report=True)
    scheduled = Scheduled.parse(report.contractions[0].schedule)
    assert scheduled is not None
    calls = scheduled.schedule.calls(Product(*scheduled.size))
    assert boxes(lowered) == [
        ",".join(f"{axis}{a}:{b}" for axis, (a, b) in zip("mkn", box, strict=True)) for box in calls
    ]


def test_in_memory_and_in_the_file_they_are_the_same(tmp_path: Path) -> None:
    model = matmul([11, 17], [17, 13], [11, 13])
    onnxtile.lower(model, engine=engine(), output=tmp_path / "o.onnx")
    in_memory = onnxtile.lower(ir.from_proto(model), engine=engine())
    assert list(ir.to_proto(in_memory).graph.node) == list(onnx.load(tmp_path / "o.onnx").graph.node)


def test_all_tiles_but_an_axis_last_are_multiples() -> None:
    padded = engine(product_max={"M": 8, "K": 6, "N": 8}, product_multiple={"M": 4, "K": 3, "N": 4})
    lowered = onnxtile.lower(matmul([11, 17], [17, 13], [11, 13]), engine=padded)
    for box in boxes(lowered):
        for part, multiple, size in zip(box.split(","), (4, 3, 4), (11, 17, 13), strict=True):
            start, stop = map(int, part[1:].split(":"))
            assert start % multiple == 0
            assert stop == size or (stop - start) % multiple == 0
            assert stop - start <= 8


def test_each_product_has_the_limits_of_its_types() -> None:
    data = table(**FLOATS, product_max={"M": 8, "K": 8, "N": 8})
    data["product"].append({"types": ["int8", "int8"], "accumulate": "int32", "array": {}, "max": {"M": 3, "K": 3}})
    both = Engine.model_validate(data)
    model = parse(
        """<ir_version: 10, opset_import: ["" : 18]> g (float[8,8] x, int8[8,8] z) => (float[8,8] y, int32[8,8] u) {
            [floats] y = MatMul (x, w)
            [bytes] u = MatMulInteger (z, v)
        }""",
        w=whole([8, 8], np.dtype(np.float32), 1), v=whole([8, 8], np.dtype(np.int8), 2),
    )  # fmt: skip
    lowered, report = onnxtile.lower(model, engine=both, report=True)
    assert [(row.name, row.status, row.tiles) for row in report.contractions] == [
        ("floats", "fits", None), ("bytes", "tiled", (3, 3, 8)),
    ]  # fmt: skip
    assert onnxtile.check(lowered, engine=both).ok
    assert not onnxtile.check(model, engine=both).ok


@pytest.mark.parametrize("weights", ["pretile", "split"])
def test_large_files_are_judged_by_the_types_of_their_tiles(
    weights: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postcondition, "MOST_CHECKED", 0)
    model, output = matmul([11, 17], [17, 13], [11, 13]), tmp_path / "o.onnx"
    assert onnxtile.lower(model, engine=engine(), weights=weights, output=output).ok
    other = engine(product_types=["int8", "int8"])
    report = onnxtile.lower(model, engine=other, weights=weights, output=output)
    assert [(row.status, str(row.reason).partition(":")[0]) for row in report.contractions] == [("refused", "engine")]


def test_types_that_the_engine_does_not_multiply_are_refused_and_nothing_changes() -> None:
    model = matmul([11, 17], [17, 13], [11, 13])
    integers = engine(product_types=["int8", "int8"])
    lowered, report = onnxtile.lower(model, engine=integers, report=True)
    assert list(lowered.graph.node) == list(model.graph.node)
    (row,) = report.contractions
    assert row.reason == "engine: engine doesn't multiply float32 by float32; it multiplies int8 by int8"
    (row,) = onnxtile.check(model, engine=integers).over
    assert row.reason is not None
    assert "doesn't multiply float32 by float32" in row.reason


def test_products_between_quantizers_are_those_of_bytes() -> None:
    integers = engine_of(product_types=["int8", "int8"], product_max=MOST)
    model = qdq("int8", "int8", 1)
    lowered, report = onnxtile.lower(model, engine=integers, report=True)
    assert [(row.op, row.status) for row in report.contractions] == [("MatMul", "tiled")]
    assert "MatMulInteger" in {node.op_type for node in lowered.graph.node}
    assert_verified(model, lowered)
    assert onnxtile.check(lowered, engine=integers).ok
    assert onnxtile.check(qdq("int8", "int8", 1), engine=engine_of(product_types=["int8", "int8"])).ok


def test_a_lowered_model_is_lowered_again() -> None:
    model = matmul([11, 17], [17, 13], [11, 13])
    for form in FORMS:
        once = onnxtile.lower(model, engine=engine(), form=form)
        again = onnxtile.lower(once, engine=engine(product_max={"M": 2, "K": 3, "N": 3}))
        assert onnxtile.check(again, (2, 3, 3)).ok
        assert_verified(model, again)
        by_size = onnxtile.lower(once, (2, 3, 3))
        cut = [metadata(node) for node in by_size.graph.node if " of " in metadata(node).get(TILE, "")]
        assert not any(SCHEDULE in values for values in cut)  # it was that of the larger tile


def test_sizes_that_are_not_known_are_cut_to_the_limits_with_the_reason() -> None:
    model = matmul(["n", 17], [17, 13], ["n", 13])
    lowered, report = onnxtile.lower(model, engine=engine(), form="batched", report=True)
    (row,) = report.contractions
    assert (row.status, row.tiles, row.reason) == ("tiled", (4, 6, 5), "no order was chosen: M is 'n'")
    assert not any(SCHEDULE in metadata(node) for node in nodes_in(lowered.graph))
    bound = onnxtile.lower(model, engine=engine(), bind={"n": 11}, report=True)[1]
    assert bound.contractions[0].schedule.startswith("size=11,17,13 ")


def test_what_an_engine_pads_is_not_padded_ahead() -> None:
    with pytest.raises(UsageError, match="an engine pads tiles itself; leave it out"):
        onnxtile.lower(matmul([11, 17], [17, 13], [11, 13]), engine=engine(), pad_tiles=True)


def test_minimize() -> None:
    model = matmul([24, 24], [24, 24], [24, 24])
    most = engine(product_max={}, local_size=700)
    costs: dict[str, Scheduled] = {}
    for how in get_args(Minimize):
        report = onnxtile.lower(model, engine=most, minimize=how, report=True)[1]
        scheduled = Scheduled.parse(report.contractions[0].schedule)
        assert scheduled is not None
        costs[how] = scheduled
    assert costs["bytes"].bytes == min(cost.bytes for cost in costs.values())
    assert costs["cycles"].cycles == min(cost.cycles or 0 for cost in costs.values())
    with pytest.raises(UsageError, match="take one of cycles, bytes, calls"):
        onnxtile.lower(model, engine=engine(), minimize="call")  # type: ignore[arg-type]


def test_the_report_names_the_engine() -> None:
    report = onnxtile.check(matmul([11, 17], [17, 13], [11, 13]), engine=engine())
    assert "1 product at engine: 1 over" in report.summary
    assert report.to_json()["limits"] == {"engine": "engine", "minimize": "cycles"}


def test_values_of_layers_are_captured_as_before() -> None:
    model = matmul([11, 17], [17, 13], [11, 13])
    lowered = onnxtile.lower(model, engine=engine())
    feeds = {"X": whole([11, 17], np.dtype(np.float32), 3)}
    before, after = (onnxtile.capture(one, name="product", inputs=feeds) for one in (model, lowered))
    np.testing.assert_array_equal(before["Y"], after["Y"])
    assert {metadata(node).get("onnxtile.origin") for node in lowered.graph.node} == {"product"}


def test_networks_of_torch() -> None:
    torch = pytest.importorskip("torch")
    network = torch.nn.Linear(40, 30)
    lowered = onnxtile.lower(network, torch.ones(9, 40), engine=engine(), verify=False)
    assert any(SCHEDULE in metadata(node) for node in lowered.graph.node)
    assert onnxtile.check(lowered, engine=engine()).ok
