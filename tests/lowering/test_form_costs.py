"""Test that what forms cost is what they turn out to cost; auto keeps to its budget."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxtile
from onnxtile.errors import UsageError
from onnxtile.tiling.forms.table import FORMS
from tests.support import matmul, operators, parse, whole

F32 = np.dtype(np.float32)


def network() -> onnx.ModelProto:
    return parse(
        """<ir_version: 8, opset_import: ["" : 18]>
        g (float[5,40] x) => (float[5,40] z) { y = MatMul (x, w)  h = MatMul (y, w)  z = MatMul (h, v) }""",
        w=whole([40, 40], F32, 1),
        v=whole([40, 40], F32, 2),
    )


def layers() -> onnx.ModelProto:
    """Return a convolution, a recurrent layer, attention, and products in a body and a function, with constants."""
    ones = "float[8,9] {" + ", ".join(["1"] * 72) + "}"
    return parse(
        f"""<ir_version: 8, opset_import: ["" : 18, "com.microsoft" : 1, "f" : 1]>
        g (float[1,4,10] x, float[3,5,8] s, int64 t) => (float[1,4,8] a, float[3,1,5,6] h, float[5,9] z, float[o,p] y,
            float[3,5,4] e) {{
            a = Conv (x, w)
            h = LSTM <hidden_size: int = 6> (s, i, r)
            e = com.microsoft.Attention <num_heads: int = 2> (s, v, b)
            at = Constant <value = int64 {{1}}> ()
            n = Gather <axis: int = 0> (s, at)
            z = f.layer (n)
            on = Constant <value = bool {{1}}> ()
            y = Loop (t, on, n) <body = body (int64 number, bool go, float[5,8] q) => (bool gone, float[5,8] u) {{
                gone = Identity (go)  k = Constant <value = {ones}> ()  l = MatMul (q, k)
                u = Gemm <transB: int = 1> (l, k) }}>
        }}
        <domain: "f", opset_import: ["" : 18]> layer (q) => (r) {{
            k = Constant <value = {ones}> ()  l = MatMul (q, k)  r = Relu (l) }}""",
        w=whole([4, 4, 3], F32, 1), i=whole([1, 24, 8], F32, 2), r=whole([1, 24, 6], F32, 3),
        v=whole([8, 12], F32, 4), b=whole([12], F32, 5),
    )  # fmt: skip


@pytest.mark.parametrize("weights", ["pretile", "split"])
def test_nodes_are_those_of_the_file_that_is_written(weights: str) -> None:
    model = layers()
    report, costs = onnxtile.estimate(model, (4, 4, 4), weights=weights)
    assert {row.status for row in report.contractions} == {"tiled"}
    for cost in costs:
        _, written = onnxtile.lower(model, (4, 4, 4), form=cost.form, weights=weights, report=True)
        assert cost.nodes == written.nodes_after, cost.form
        assert written.nodes_after is not None and cost.product_nodes < written.nodes_after


@pytest.mark.parametrize("weights", ["pretile", "split"])
@pytest.mark.parametrize("name", FORMS)
def test_the_estimate_is_what_it_becomes(name: str, weights: str) -> None:
    model = network()
    report, costs = onnxtile.estimate(model, (4, 16, 16), weights=weights)
    cost = next(cost for cost in costs if cost.form == name)
    lowered = onnxtile.lower(model, (4, 16, 16), form=name, weights=weights)
    nodes = [node for node in lowered.graph.node if not node.op_type.startswith("MatMul_")]
    level, nested = nodes, 0
    while level := [n for node in level for a in node.attribute if a.HasField("g") for n in a.g.node]:
        nested += len(level)
    assert cost.nodes == len(lowered.graph.node) + nested
    floats = [tensor for tensor in lowered.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT]
    cut = sum(
        numpy_helper.to_array(tensor).nbytes for tensor in floats if "/k" in tensor.name or "/tiles" in tensor.name
    )
    assert cost.weight_bytes == cut
    assert cost.macs == 3 * (5 * 40 * 40 if name == "unrolled" else 8 * 48 * 48)
    assert [row.status for row in report.contractions] == ["tiled"] * 3


def test_what_a_form_cannot_write_is_said() -> None:
    model = matmul(["m", 8], [8, 8], ["m", 8], opset=11)
    report, costs = onnxtile.estimate(model, (4, 4, 4))
    said = {cost.form: cost.impossible for cost in costs}
    assert said == {
        "unrolled": "can't cut an M known only at run time", "batched": None, "loop": None, "function": None
    }  # fmt: skip
    assert report.ok
    assert operators(onnxtile.lower(model, (4, 4, 4), form="auto")).count("MatMul") == 1
    old = onnxtile.estimate(matmul([8, 8], [8, 8], [8, 8], opset=7, ir_version=4), (4, 4, 4))[1]
    assert [cost.impossible for cost in old if cost.impossible] == ["needs opset 11", "needs opset 9"]


def test_auto_unrolls_up_to_its_budget() -> None:
    model = network()
    nodes = next(cost.product_nodes for cost in onnxtile.estimate(model, (4, 16, 16))[1] if cost.form == "unrolled")
    unrolled, batched = (onnxtile.lower(model, (4, 16, 16), form=form) for form in ("unrolled", "batched"))
    assert onnxtile.lower(model, (4, 16, 16), form="auto") == unrolled
    assert onnxtile.lower(model, (4, 16, 16), form="auto", max_nodes=nodes) == unrolled
    assert onnxtile.lower(model, (4, 16, 16), form="auto", max_nodes=nodes - 1) == batched


def test_caps_below_two_are_refused() -> None:
    with pytest.raises(UsageError, match="max_fan_in is 1: nothing can be joined or split with fewer than 2"):
        onnxtile.lower(network(), (4, 16, 16), max_fan_in=1)


def test_a_dry_run_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from onnxtile.cli.app import main

    onnx.save(network(), tmp_path / "m.onnx")
    arguments = ["onnxtile", "lower", str(tmp_path / "m.onnx"), "--max", "4,16,16", "--dry-run"]
    printed = []
    for extra in ([], ["--json"]):
        monkeypatch.setattr("sys.argv", [*arguments, *extra])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
        printed.append(capsys.readouterr().out)
    assert [form["form"] for form in json.loads(printed[1])["forms"]] == list(FORMS)
    assert "nothing was written" in printed[0]
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_the_default_domain_by_its_other_name_costs_the_same() -> None:
    model = matmul([5, 7], [7, 9], [5, 9])
    expected = onnxtile.estimate(model, (2, 3, 4))[1]
    model.opset_import[0].domain = "ai.onnx"
    assert onnxtile.estimate(model, (2, 3, 4))[1] == expected
    assert not any(cost.impossible for cost in expected)
