"""DynamicQuantizeLSTM: as a numpy model of what onnxruntime does has it, and onnxruntime; proven, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import onnxtile
from tests.support import FORMS, operators, run_onnxruntime

INPUTS = ("X", "W", "R", "B", "sequence_lens", "", "", "P", "W_scale", "W_zero", "R_scale", "R_zero")


def quantized(
    dtype: Any = np.int8, columns: bool = False, directions: int = 1, batch: int = 1, steps: int = 3, width: int = 6,
    hidden: int = 5, peepholes: bool = False, fed: tuple[str, ...] = ("X",), opset: int = 17, **more: np.ndarray,
) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:  # fmt: skip
    """Return a model and all of its arrays. `columns`: scales are a column."""
    rng, info, n = np.random.default_rng(1), np.iinfo(dtype), 4 * hidden
    own = (directions, n) if columns else (directions,)
    arrays: dict[str, np.ndarray] = {"X": rng.standard_normal((steps, batch, width)).astype(np.float32)}
    for name, rows in (("W", width), ("R", hidden)):
        arrays[name] = rng.integers(info.min, info.max + 1, (directions, rows, n)).astype(dtype)
        arrays[f"{name}_scale"] = (rng.random(own) * 0.01 + 0.002).astype(np.float32)
        zero = np.zeros(own) if columns else rng.integers(info.min // 4, info.max // 4, own)
        arrays[f"{name}_zero"] = zero.astype(dtype)
    arrays["B"] = rng.standard_normal((directions, 2 * n)).astype(np.float32)
    if peepholes:
        arrays["P"] = rng.standard_normal((directions, 3 * hidden)).astype(np.float32)
    arrays |= more
    attributes: dict[str, Any] = {"direction": "bidirectional"} if directions == 2 else {}
    names = [name if name in arrays else "" for name in INPUTS]
    node = helper.make_node(
        "DynamicQuantizeLSTM", names, ["Y", "Y_h", "Y_c"], "layer", domain="com.microsoft", hidden_size=hidden,
        **attributes,
    )  # fmt: skip
    graph = helper.make_graph(
        [node], "graph",
        [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(arrays[name].dtype), arrays[name].shape)
         for name in fed],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * axes)
         for name, axes in (("Y", 4), ("Y_h", 3), ("Y_c", 3))],
        [numpy_helper.from_array(array, name) for name, array in arrays.items() if name not in fed],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8), arrays


def product(x: np.ndarray, weight: np.ndarray, scale: np.ndarray, zero: np.ndarray) -> np.ndarray:
    """Quantize as DynamicQuantizeLinear does, multiply whole numbers, and scale."""
    low, high = min(x.min(), np.float32(0)), max(x.max(), np.float32(0))
    step = np.float32((high - low) / np.float32(255)) or np.float32(1)
    offset = np.clip(np.rint(-low / step), 0, 255)
    codes = np.clip(np.rint(x / step) + offset, 0, 255)
    total = (codes - offset).astype(np.int64) @ (weight.astype(np.int64) - zero.astype(np.int64))
    return np.asarray(total.astype(np.float32) * (step * scale), np.float32)


def specified(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Return Y."""
    x, hidden = arrays["X"], arrays["R"].shape[1]
    steps, batch, width = x.shape
    results = []
    for direction in range(len(arrays["W"])):
        w, r = ([arrays[f"{name}{part}"][direction] for part in ("", "_scale", "_zero")] for name in "WR")
        of_input = product(x.reshape(-1, width), *w).reshape(steps, batch, -1)
        bias, peep = arrays["B"][direction].reshape(2, -1).sum(0), np.zeros((3, hidden), np.float32)
        peep = arrays["P"][direction].reshape(3, -1) if "P" in arrays else peep
        h = c = np.zeros((batch, hidden), np.float32)
        y = np.zeros((steps, batch, hidden), np.float32)
        for step in range(steps)[:: -1 if direction else 1]:
            i, o, f, z = np.split(of_input[step] + bias + product(h, *r), 4, -1)
            i, f = (1 / (1 + np.exp(-gate)) for gate in (i + peep[0] * c, f + peep[2] * c))
            c = f * c + i * np.tanh(z)
            h = np.tanh(c) / (1 + np.exp(-(o + peep[1] * c)))
            y[step] = h
        results.append(y)
    return np.stack(results, 1)


CASES: list[dict[str, Any]] = [
    {}, {"dtype": np.uint8, "peepholes": True}, {"columns": True}, {"directions": 2, "batch": 3},
]  # fmt: skip


@pytest.mark.parametrize("options", CASES)
@pytest.mark.parametrize("form", FORMS)
def test_it_is_lowered_and_proven(options: dict[str, Any], form: Any) -> None:
    model, arrays = quantized(**options)
    for steps in ("scan", "unroll"):
        lowered = onnxtile.lower(model, (2, 3, 4), ops="all", form=form, steps=steps)  # type: ignore[call-overload]
        assert onnxtile.check(lowered, (2, 3, 4), ops="all").ok
        got = run_onnxruntime(lowered, {"X": arrays["X"]})
        np.testing.assert_allclose(got[0], specified(arrays), atol=1e-5)
        assert [region.status for region in onnxtile.verify(model, lowered).regions] == ["proven"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fed": ("X", "W")}, "its W isn't a constant; make it an initializer"),
        ({"sequence_lens": np.array([2], np.int32)}, "it has sequence_lens, and onnxruntime quantizes X by the range"),
        ({"opset": 10}, "opset 10 has no DynamicQuantizeLinear; convert to 11"),
        ({"R_scale": np.ones((1, 3), np.float32)}, "its R_scale has shape [1, 3]; one number a direction, or 20"),
    ],
)
def test_it_is_refused(options: dict[str, Any], words: str) -> None:
    model, _ = quantized(**options)
    lowered, report = onnxtile.lower(model, (2, 3, 4), ops="all", report=True)
    assert words in str(report.having("refused")[0].reason)
    assert operators(lowered) == ["DynamicQuantizeLSTM"]


def test_a_weight_of_another_byte_differs() -> None:
    model, arrays = quantized()
    other, _ = quantized(R=arrays["R"] ^ (np.arange(20) == 7).astype(np.int8))
    lowered = onnxtile.lower(other, (2, 3, 4), ops="all", form="batched")
    assert [region.status for region in onnxtile.verify(model, lowered).regions] == ["different"]
