"""Inputs and outputs that say less of themselves than onnx's checker wants: engines run such models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxtile
from tests.commands import FORMS, in_every_form, whole_model
from tests.support import parse, run_onnxruntime, run_reference, whole

F32 = np.dtype(np.float32)
FEEDS = {"x": whole([6, 9], F32, 2), "c": np.array(True)}
UNDECLARED = ("no shape", "no shape of the first", "no sizes", "no type", "an empty type")


def model(change: str) -> onnx.ModelProto:
    made = parse(
        """<ir_version: 10, opset_import: ["" : 20]>
        g (float[6,9] x, bool c) => (float[6,10] y, float[6,10] z) {
            [p] y = MatMul (x, w)
            z = If (c) <then_branch = t () => (float[6,10] a) { [in] a = MatMul (x, w) },
                        else_branch = e () => (float[6,10] b) { b = Identity (y) }>
        }""",
        w=whole([9, 10], F32, 1),
    )
    for index, value in enumerate(made.graph.output):
        if change == "no shape" or (change == "no shape of the first" and index == 0):
            value.type.tensor_type.ClearField("shape")
        elif change == "no sizes":
            value.type.tensor_type.shape.dim[0].Clear()
        elif change == "no type":
            value.ClearField("type")
        elif change == "an empty type":
            value.type.Clear()
            value.type.SetInParent()
    return made


@pytest.mark.parametrize("change", UNDECLARED)
def test_every_form(change: str) -> None:
    original = model(change)
    want = run_onnxruntime(original, FEEDS)
    for form in FORMS:
        lowered = onnxtile.lower(original, (4, 4, 4), form=form)
        kept = [value.type.WhichOneof("value") and value for value in lowered.graph.output]
        assert kept == [value.type.WhichOneof("value") and value for value in original.graph.output]
        assert onnxtile.check(lowered, (4, 4, 4)).ok
        assert onnxtile.verify(original, lowered).equivalent
        for run in (run_onnxruntime, run_reference):
            for one, other in zip(want, run(lowered, FEEDS), strict=True):
                np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("change", ["no shape", "no type"])
def test_every_command(tmp_path: Path, change: str) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(model(change), path)
    whole_model(path, "4,4,4", FEEDS)
    in_every_form(path, "4,4,4", FEEDS, ["batched"])


def test_an_input_without_a_shape_leaves_its_products_unknown(tmp_path: Path) -> None:
    original = model("no shape")
    original.graph.input[0].type.tensor_type.ClearField("shape")
    (row, inner) = onnxtile.check(original, (4, 4, 4)).contractions
    assert row.status == inner.status == "unknown"
    assert "the shape of input 0 ('x') isn't known" in str(row.reason)
    lowered = onnxtile.lower(original, (4, 4, 4))
    assert lowered == original
    captured = onnxtile.capture(original, name="p", inputs=FEEDS)
    np.testing.assert_array_equal(captured["y"], FEEDS["x"] @ whole([9, 10], F32, 1))


def test_another_type_is_still_another() -> None:
    original, lowered = model("no shape"), model("no shape")
    lowered.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    reason = onnxtile.verify(original, lowered).reason
    assert reason is not None
    assert reason.startswith("output 'y' is float in the original and double in the lowered model")
