"""Rows and reports: what is over, what is unknown, how much is computed."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import onnx
import pytest

import onnxtile
from onnxtile.ir.symbolic.amounts import Unknown
from onnxtile.lowering.engine_use import EngineUse
from onnxtile.lowering.lower import lower
from onnxtile.lowering.options import LoweringOptions
from onnxtile.lowering.report import Report
from onnxtile.profiling.comparison import compare
from tests.decomposed import one_node
from tests.engine.strategies import engine_of
from tests.support import matmul, node_model, parse, whole

F32 = np.dtype(np.float32)
RAGGED = matmul([5, 6], [6, 7], [5, 7])


def lowered(model: Any = RAGGED, max: Any = (4, 4, 4), **options: Any) -> Report:
    return onnxtile.estimate(model, max, **options)[0]


def test_multiplications_with_and_without_padding() -> None:
    report = lowered()
    (row,) = report.contractions
    assert (row.status, row.tiles) == ("tiled", (4, 4, 4))
    assert (row.macs, report.padded_macs) == (5 * 6 * 7, 5 * 6 * 7)  # edges of the form unrolled are smaller
    padded = dataclasses.replace(report, pads=True)
    assert padded.padded_macs == 8 * 8 * 8
    assert padded.use(row) == EngineUse(2 * 2 * 2, 5 * 6 * 7, 8 * 8 * 8)
    assert (report.macs, report.ok, report.over, report.unknown) == (210, True, (), ())


def test_a_free_size_gives_a_formula() -> None:
    report = onnxtile.estimate(matmul(["n", 6], [6, 7], ["n", 7]), (None, 4, 4))[0]
    assert str(report.macs) == "42*n"
    document = json.loads(json.dumps(report.to_json()))
    assert document["macs"] == "42*n"
    assert document["contractions"][0]["m"] == "n"


def test_what_is_refused_is_over_and_what_nobody_knows_is_unknown() -> None:
    _, lowered_report = lower(matmul(["n", 6], [6, 7], ["n", 7]), LoweringOptions.of((4, 4, 4)))
    report = lowered_report()
    assert [row.status for row in report.over] == ["refused"]
    assert not report.ok
    report = onnxtile.check(matmul(["n", 4], [4, 4], ["n", 4]), (4, 4, 4))
    assert [row.status for row in report.unknown] == ["unknown"]
    assert not report.ok
    assert report.having("fits", "over") == ()


@pytest.mark.parametrize(("limits", "status"), [((8, 8, 8), "fits"), ((4, 8, 8), "over")])
def test_json_has_a_row_for_each_product(limits: tuple[int, int, int], status: str) -> None:
    report = onnxtile.check(RAGGED, limits)
    document = report.to_json()
    assert document["schema"] == "onnxtile.check/1"
    assert document["limits"] == dict(zip("mkn", limits, strict=True)) | {"only_matmul": False}
    assert document["over"] == (status == "over")
    assert [(row["name"], row["status"], row["tiles"]) for row in document["contractions"]] == [
        ("product", status, None)
    ]
    assert "macs" not in document


def test_a_row_without_a_size_says_why() -> None:
    report = onnxtile.check(matmul(["n", 4], [4, 4], ["n", 4]), (4, 4, 4))
    (row,) = report.contractions
    assert not isinstance(row.macs, Unknown)  # a formula
    assert row.reason == "symbolic: M is 'n'; bind it with --bind n=INT"


MIXTURE = one_node(
    "MoE",
    {"x": [6, 8], "router": [6, 4], "fc1": whole([4, 12, 8], F32, 1), "b1": None, "fc2": whole([4, 8, 12], F32, 2)},
    {"y": (onnx.TensorProto.FLOAT, 2)},
    "com.microsoft",
    k=2,
)


def test_a_mixture_multiplies_all_experts_where_a_token_asks_for_two() -> None:
    report = lowered(MIXTURE)
    up, down = (dict(zip(report.headings, (None, *report.cells(row)[2:]), strict=True)) for row in report.contractions)
    assert (up["batch"], up["calls"], up["util."], down["batch"]) == ("2 of 4", str(4 * 2 * 2 * 3), "50.0%", "2 of 4")
    assert [(row["batch"], row["written"]) for row in report.to_json()["contractions"]] == [(2, 4), (2, 4)]
    assert report.engine.utilization == 0.5


def test_depthwise_convolutions_take_nothing_of_the_engine() -> None:
    model = node_model("Conv", [[1, 3, 6, 6], [3, 1, 3, 3]], [4], group=3)
    report = lowered(model)
    assert [(row.status, report.use(row)) for row in report.contractions] == [("vector", EngineUse(0, 0, 0))]
    assert (report.engine, report.macs_of_all) == (EngineUse(0, 0, 0), 3 * 16 * 9)
    assert report.engine_summary == "on the engine: 0 of 432 MACs (0%)"
    assert report.cells(report.contractions[0])[-5:] == ("vector", "0", "0", "-", "")
    kept = lowered(model, depthwise="gemm")
    assert kept.engine == EngineUse(3 * 4 * 3, 432, 432)


def test_check_says_how_many_calls_a_product_takes_at_these_limits_and_that_it_does_not_fit_yet() -> None:
    report = onnxtile.check(RAGGED, (4, 4, 4))
    (row,) = report.to_json()["contractions"]
    assert (row["macs"], row["calls"], row["padded_macs"], row["utilization"]) == (210, 8, None, None)
    assert report.to_json()["engine"]["calls"] == 0
    assert onnxtile.check(RAGGED, (8, 8, 8)).engine == EngineUse(1, 210, 210)


def test_what_is_not_known_is_neither_a_number_nor_all() -> None:
    free = onnxtile.check(matmul(["n", 4], [4, 4], ["n", 4]), (None, 2, 4))
    assert free.engine_summary == "on the engine: 0 of 16*n MACs (0%)"
    assert free.to_json()["contractions"][0]["calls"] == 2
    unsized = onnxtile.check(parse("""<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
        g (float[2,2] x) => (float[2,2] y) { y = own.Thing (x) }"""), (4, 4, 4))  # fmt: skip
    assert unsized.engine_summary == "on the engine: how many MACs and calls isn't known before run time"


def test_what_was_written_out_and_could_not_be_cut_counts_once() -> None:
    kernel, output = whole([1, 1, 2, 2], np.dtype(np.uint8), 1), {"y": (onnx.TensorProto.INT32, 4)}
    model = one_node("ConvInteger", {"x": [1, 1, 3, 3], "w": kernel}, output, opset=10, fed=np.uint8)
    report = onnxtile.lower(model, (2, 3, 2), form="batched", report=True)[1]
    assert [(row.name, row.status, row.origin) for row in report.contractions] == [
        ("fc", "refused", None),
        ("fc/product", "refused", "fc"),
    ]
    assert (report.engine.macs, report.macs_of_all) == (0, 16)


@pytest.mark.parametrize("form", ["unrolled", "batched", "loop", "function"])
def test_calls_and_padding_are_those_of_the_lowered_model(form: str) -> None:
    """By its profile, which counts the nodes that are there."""
    models = {
        "matmul": matmul([2, 5, 6], [6, 7], [2, 5, 7]),
        "conv": node_model("Conv", [[2, 4, 5, 5], [6, 2, 3, 3]], [4], group=2),
        "lstm": node_model("LSTM", [[3, 2, 5], [1, 12, 5], [1, 12, 3]], [4, 3, 3], hidden_size=3),
        "moe": MIXTURE,
    }
    for name, model in models.items():
        written, report = onnxtile.lower(model, (2, 3, 4), form=form, report=True)
        (change,) = compare(onnxtile.profile(model), onnxtile.profile(written)).changes
        assert (change.calls, change.macs[1]) == (report.engine.calls, report.engine.padded_macs), name
        assert change.utilization == report.engine.utilization, name


def test_a_split_convolution_is_as_many_calls_as_it_has_pieces_and_groups() -> None:
    model = node_model("Conv", [[1, 4, 5, 5], [6, 2, 3, 3]], [4], group=2)
    written, report = onnxtile.lower(model, (4, 9, 2), conv="split", report=True)
    use = report.engine
    assert [(row.status, report.use(row)) for row in report.contractions] == [("split", use)]
    kernels = [node for node in written.graph.node if node.op_type == "Conv"]
    assert use == EngineUse(len(kernels), report.macs_of_all, report.macs_of_all)
    free = lowered(node_model("Conv", [["n", 4, 5, 5], [6, 4, 3, 3]], [4]), max=(3, 36, 6), conv="split")
    assert [(row.status, str(free.use(row).calls)) for row in free.contractions] == [("split", "3*n")]


@pytest.mark.parametrize(("m", "k", "n"), [(40, 300, 50), (5, 6, 7)])  # the second stays whole
def test_padding_on_an_engine_is_that_of_its_profile(m: int, k: int, n: int) -> None:
    engine = engine_of(
        product_types=["float32", "float32"], product_accumulate="float32", product_multiple={"M": 8, "N": 8},
        product_max={"M": 32, "K": 128, "N": 32}, local_size=100_000,
    )  # fmt: skip
    model, report = onnxtile.lower(matmul([m, k], [k, n], [m, n]), engine=engine, report=True)
    profiled = onnxtile.profile(model, engine=engine).engine
    assert profiled is not None
    assert report.engine.padded_macs == profiled.totals.padded_macs == -(-m // 8) * 8 * k * (-(-n // 8) * 8)
    assert report.engine_summary.endswith(f"utilization of calls {report.engine.utilization:.1%}")
    assert onnxtile.check(model, engine=engine).engine.padded_macs == report.engine.padded_macs


def test_on_an_engine_rows_say_what_was_chosen_takes() -> None:
    report = onnxtile.lower(matmul([1, 200], [200, 100], [1, 100]), engine="systolic-32", report=True)[1]
    assert report.headings[-4:] == ["calls", "moved", "cycles", "tile or why"]
    (row,) = report.contractions
    assert row.scheduled is not None
    assert (row.scheduled.size, row.scheduled.bytes) == ((1, 200, 100), 4 * (200 + 20_000 + 100))
    assert report.cells(row)[-3] == "81.2 kB"
    assert json.loads(json.dumps(report.to_json()))["limits"] == {"engine": "systolic-32", "minimize": "cycles"}
    assert lowered().contractions[0].scheduled is None
