"""`onnxtile check`: products against limits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tests.commands import Cli, one_line
from tests.support import FLOAT, parse, whole

INFO = helper.make_tensor_value_info


def test_an_original_that_is_over_names_its_products(cli: Cli, tmp_path: Path) -> None:
    names = ["first", "second", "third"]
    nodes = [helper.make_node("Gemm", [f"h{i}", "w"], [f"h{i + 1}"], name) for i, name in enumerate(names)]
    weight = numpy_helper.from_array(whole([8, 8], np.dtype(np.float32), 0), "w")
    graph = helper.make_graph(nodes, "g", [INFO("h0", FLOAT, [8, 8])], [INFO("h3", FLOAT, [8, 8])], [weight])
    path = tmp_path / "three.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    status, out, _ = cli("check", path, "--max", "4,4,4")
    assert status == 1
    assert all(name in out for name in names)
    assert "3 products at 4,4,4: 3 over" in out


def test_families_that_are_not_asked_for_are_counted(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "conv.onnx"
    onnx.save(
        parse(
            """<ir_version: 8, opset_import: ["" : 17]>
            g (float[1,3,8,8] x, float[3,2,5] s) => (float[1,4,6,6] y, float[3,1,2,4] z) {
                [conv] y = Conv (x, w)
                z = LSTM <hidden_size: int = 4> (s, a, b)
            }""",
            w=whole([4, 3, 3, 3], np.dtype(np.float32), 0),
            a=whole([1, 16, 5], np.dtype(np.float32), 1),
            b=whole([1, 16, 4], np.dtype(np.float32), 2),
        ),
        path,
    )
    status, out, _ = cli("check", path, "--max", "4,4,4", "--ops", "matmul")
    assert status == 0
    assert out.splitlines()[0] == "not asked for: 1 conv, 2 rnn (--ops)"
    status, out, _ = cli("lower", path, "--max", "4,4,4", "--ops", "matmul,conv", "--json")
    row, *others = json.loads(out)["contractions"]
    assert status == 0
    assert (row["status"], row["tiles"]) == ("tiled", {"m": 4, "k": 4, "n": 4})
    assert [(each["family"], each["part"], each["status"]) for each in others] == [
        ("rnn", "input", "not-asked"),
        ("rnn", "state", "not-asked"),
    ]
    out = cli("check", path, "--max", "4,4,4", "--ops", "rnn")[1]
    assert "LSTM input" in out
    assert "not asked for: 1 conv (--ops)" in out


def test_limits_of_an_engine(cli: Cli, model: Path) -> None:
    assert cli("check", model, "--engine", "systolic-32")[0] == 0
    assert "at systolic-32" in cli("check", model, "--engine", "systolic-32")[1]
    one_line(cli("check", model, "--engine", "systolic-33"), "did you mean 'systolic-32'")
    one_line(cli("check", model, "--engine", "systolic-32", "--max", "4,4,4"), "--max and --engine both say")
    one_line(cli("check", model), "say --max M,K,N, or --engine FILE|NAME")
