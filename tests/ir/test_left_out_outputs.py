"""Calls of local functions that leave outputs out are taken, as engines take them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxtile
from tests.support import parse, run_onnxruntime


def calling(outputs: list[str], body: str, version: int = 17) -> onnx.ModelProto:
    model = parse(
        f"""<ir_version: 9, opset_import: ["" : 17, "local" : 1]>
        g (float[7,8] x) => (float[7,9] y) {{ k, other = local.two (x, v) y = MatMul (k, w) }}
        <domain: "local", opset_import: ["" : {version}]> two (a, b) => (c, d) {{ {body} }}""",
        v=np.arange(64, dtype=np.float32).reshape(8, 8),
        w=np.ones((8, 9), np.float32),
    )
    del model.graph.node[0].output[:]
    model.graph.node[0].output.extend(outputs)
    return model


@pytest.mark.parametrize("version", [16, 17])
@pytest.mark.parametrize("body", ["c = Relu (a) d = Neg (a)", "c = MatMul (a, b) d = MatMul (a, b)"])
@pytest.mark.parametrize("outputs", [["k", ""], ["", "k"]])
def test_a_call_that_leaves_an_output_out_is_lowered(outputs: list[str], body: str, version: int) -> None:
    model = calling(outputs, body, version)
    inputs = {"x": np.ones((7, 8), np.float32)}
    for form in ("unrolled", "function"):
        lowered = onnxtile.lower(model, (3, 4, 5), form=form)
        assert onnxtile.check(lowered, (3, 4, 5)).ok
        assert onnxtile.verify(model, lowered).equivalent
        assert np.array_equal(run_onnxruntime(lowered, inputs)[0], run_onnxruntime(model, inputs)[0])
    assert onnxtile.profile(model).nodes


def test_what_a_left_out_output_is_named_is_free(tmp_path: Path) -> None:
    model = calling(["k"], "c = Relu (a) d = Neg (a)")  # onnx's way to leave the last one out
    model.graph.node[1].output[0] = "two/d"
    model.graph.output[0].name = "two/d"
    onnx.save(model, tmp_path / "m.onnx")
    report = onnxtile.lower(tmp_path / "m.onnx", (3, 4, 5), output=tmp_path / "out.onnx")
    assert report.ok
    lowered = onnx.load(tmp_path / "out.onnx")
    assert [output.name for output in lowered.graph.output] == ["two/d"]
    assert run_onnxruntime(lowered, {"x": np.ones((7, 8), np.float32)})[0].shape == (7, 9)
