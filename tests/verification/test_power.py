"""verify against those who would fool it: small faults, infinities, models that don't run, inputs that are given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxtile
from onnxtile.errors import ModelError
from tests.support import FLOAT, matmul, parse, whole

F32 = np.dtype(np.float32)
LIMITS = (4, 4, 4)


def test_verify_sees_small_faults_where_the_numbers_allow() -> None:
    rng = np.random.default_rng(0)
    weight = (rng.standard_normal([256, 60]) * 1e-2).astype(np.float32)
    weight[:, 0] *= 1e8

    def model(array: np.ndarray) -> onnx.ModelProto:
        return parse(
            """<ir_version: 8, opset_import: ["" : 18]>
            g (float[2,256] x) => (float[2,60] y) { y = MatMul (x, w) }""",
            w=array.astype(np.float32),
        )

    zeroed = weight.copy()
    zeroed[:, 1:] = 0
    right, wrong = model(weight), onnxtile.lower(model(zeroed), (64, 64, 64))
    assert onnxtile.verify(right, onnxtile.lower(right, (64, 64, 64))).equivalent
    assert not onnxtile.verify(right, wrong).equivalent
    numbers = rng.integers(-3, 4, [256, 60])
    changed = numbers.copy()
    changed[5] += 1
    right, wrong = model(numbers), onnxtile.lower(model(changed), (64, 64, 64))
    verdict = onnxtile.verify(right, wrong, cases=2)
    assert not verdict.equivalent


def test_verify_does_not_take_infinity_for_a_bound() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18]>
        g (float[2,8] x) => (float[2,8] y) { z = MatMul (x, w)  a = Abs (z)  e = Exp (a)  y = Exp (e) }""",
        w=np.full([8, 8], 50, np.float32),
    )
    wrong = onnxtile.lower(model, LIMITS)
    for tensor in (tensor for tensor in wrong.graph.initializer if tensor.data_type == FLOAT):
        tensor.CopyFrom(numpy_helper.from_array(np.full([4, 4], 0.01, np.float32), tensor.name))
    verdict = onnxtile.verify(model, wrong, method="bound")
    assert not verdict.equivalent
    assert verdict.to_json()["outputs"][0]["max_abs_error"] is None


def test_a_lowered_model_that_does_not_run_is_not_equivalent() -> None:
    model = matmul(["n", 8], [8, 8], ["n", 8])
    fixed = onnxtile.lower(model, LIMITS, bind={"n": 8}, weights="split")
    fixed.graph.input[0].CopyFrom(model.graph.input[0])
    fixed.graph.output[0].CopyFrom(model.graph.output[0])
    verdict = onnxtile.verify(model, fixed, bind={"n": 6}, method="bound")
    assert not verdict.equivalent
    assert "onnxruntime runs the original but not the lowered model" in str(verdict.reason)


def test_outputs_of_branches_may_share_their_name() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18]>
        g (float[8,8] x, bool c) => (float[8,8] y) {
           y = If (c) <then_branch = t () => (float[8,8] a) { a = MatMul (x, w) },
                       else_branch = e () => (float[8,8] a) { a = Neg (x) }> }""",
        w=np.random.default_rng(0).standard_normal((8, 8)).astype(np.float32),
    )
    assert onnxtile.verify(model, onnxtile.lower(model, LIMITS), cases=8).equivalent


def test_inputs_may_be_given(tmp_path: Path) -> None:
    from onnxtile.verification.inputs import read_inputs

    model = matmul([8, 8], [8, 8], [8, 8])
    np.savez(tmp_path / "in.npz", X=whole([8, 8], F32, 4))
    given = read_inputs(tmp_path / "in.npz")
    assert onnxtile.verify(model, onnxtile.lower(model, LIMITS), inputs=given).outputs[0].exact
    (tmp_path / "bad.npz").write_text("no")
    np.savez(tmp_path / "code.npz", X=np.array([{}], dtype=object))
    for name in ("bad.npz", "code.npz", "none.npz"):
        with pytest.raises(ModelError, match="not an .npz file of plain arrays"):
            read_inputs(tmp_path / name)
