"""Fourier transforms lowered: right by numpy and onnxruntime, proven, or refused with a reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from onnxtile.passes import decompose_transforms
from tests.decomposed import is_refused, one_node, rightly_decomposed
from tests.support import FEWER, FORMS


def dft(
    shape: list[Any], opset: int = 20, axis: int | None = None, length: int | None = None,
    fed: type[np.generic] = np.float32, **attributes: Any,
) -> onnx.ModelProto:  # fmt: skip
    inputs: dict[str, Any] = {"x": shape, "length": None if length is None else np.array(length)}
    if axis is not None and opset < 20:
        attributes["axis"] = axis
    elif axis is not None:
        inputs["axis"] = np.array(axis)
    data_type = helper.np_dtype_to_tensor_dtype(np.dtype(fed))
    return one_node("DFT", inputs, {"y": (data_type, len(shape))}, "", opset, fed, **attributes)


def stft(
    shape: list[Any], step: int, window: int | None = None, length: int | None = None, **attributes: Any
) -> onnx.ModelProto:
    inputs = {
        "x": shape, "step": np.array(step), "window": None if window is None else [window],
        "length": None if length is None else np.array(length),
    }  # fmt: skip
    return one_node("STFT", inputs, {"y": (onnx.TensorProto.FLOAT, 4)}, "", 17, **attributes)


def transformed(
    x: np.ndarray, axis: int, length: int | None = None, inverse: bool = False, onesided: bool = False
) -> np.ndarray:
    """Return what onnx says of DFT, by numpy's transforms in double."""
    numbers = x[..., 0].astype(np.float64) + 1j * (x[..., 1] if x.shape[-1] == 2 else 0)
    if inverse and onesided:
        return np.asarray(np.fft.irfft(numbers, length, axis)[..., None])
    made = np.fft.ifft(numbers, length, axis) if inverse else np.fft.fft(numbers, length, axis)
    if onesided:
        made = np.take(made, range(made.shape[axis] // 2 + 1), axis)
    return np.stack([made.real, made.imag], -1)


@FEWER
@given(st.data(), st.sampled_from([(1, 1, 1), (2, 3, 2), (4, 4, 4)]), st.sampled_from(FORMS))
def test_any_transform_is_lowered(data: st.DataObject, limits: tuple[int, int, int], form: str) -> None:
    opset, inverse, onesided = data.draw(st.sampled_from([17, 20])), data.draw(st.booleans()), data.draw(st.booleans())
    parts = 1 + (inverse if onesided else data.draw(st.booleans()))
    shape = [*data.draw(st.lists(st.integers(2, 6), min_size=2, max_size=3)), parts]
    axis = data.draw(st.integers(0, len(shape) - 2))
    length = data.draw(st.none() | st.integers(5, 9))
    fed = data.draw(st.sampled_from([np.float32, np.float64]))
    flags = {"inverse": int(inverse), "onesided": int(onesided)}
    model = dft(shape, opset, axis - len(shape) * data.draw(st.booleans()), length, fed, **flags)
    x = np.random.default_rng(1).standard_normal(shape).astype(fed)
    wanted = transformed(x, axis, length, inverse, onesided).astype(fed)
    rightly_decomposed(model, limits, {"x": x}, [wanted], form, atol=2e-5 if fed == np.float32 else 1e-13)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("window", "length", "parts"), [(None, 6, 1), (6, None, 1), (6, 6, 2), (None, None, 1)])
def test_frames_of_a_signal_are_transformed(form: str, window: int | None, length: int | None, parts: int) -> None:
    model = stft([2, 15, parts], 4, window, length, onesided=2 - parts)
    rng = np.random.default_rng(1)
    feeds = {"x": rng.standard_normal([2, 15, parts]).astype(np.float32)}
    size = window or length or 15
    weights = np.ones(size, np.float32)
    if window:
        feeds["window"] = weights = rng.standard_normal(size).astype(np.float32)
    frames = np.stack([feeds["x"][:, at : at + size] * weights[:, None] for at in range(0, 16 - size, 4)], 1)
    wanted = transformed(frames, 2, onesided=parts == 1).astype(np.float32)
    rightly_decomposed(model, (2, 3, 2), feeds, [wanted], form, atol=2e-5)


@pytest.mark.parametrize("form", FORMS)
def test_real_signals_may_lack_their_last_axis_as_torch_writes_them(form: str) -> None:
    x = np.random.default_rng(1).standard_normal([2, 15]).astype(np.float32)
    frames = np.stack([x[:, at : at + 6] for at in range(0, 10, 4)], 1)[..., None]
    wanted = transformed(frames, 2, onesided=True).astype(np.float32)
    rightly_decomposed(stft([2, 15], 4, length=6), (2, 3, 2), {"x": x}, [wanted], form, atol=2e-5)


@pytest.mark.parametrize(
    ("form", "shape", "samples"),
    [("batched", ["N", "L", 1], 15), ("function", ["N", "L"], 6), ("loop", [2, "L", 1], 9)],
)
def test_signals_may_have_any_length(form: str, shape: list[Any], samples: int) -> None:
    rng = np.random.default_rng(1)
    feeds = {"x": rng.standard_normal([2, samples, 1][: len(shape)]).astype(np.float32)}
    feeds["window"] = rng.standard_normal(6).astype(np.float32)
    signal = feeds["x"].reshape(2, samples)
    frames = np.stack([signal[:, at : at + 6] * feeds["window"] for at in range(0, samples - 5, 4)], 1)
    wanted = transformed(frames[..., None], 2, onesided=True).astype(np.float32)
    rightly_decomposed(stft(shape, 4, 6), (2, 3, 2), feeds, [wanted], form, atol=2e-5)


@pytest.mark.parametrize("form", ["batched", "loop", "function"])
def test_other_axes_may_be_free(form: str) -> None:
    x = np.random.default_rng(1).standard_normal([2, 3, 2, 6, 1]).astype(np.float32)
    model = dft(["N", 3, "M", 6, 1], axis=3)
    rightly_decomposed(model, (2, 3, 2), {"x": x}, [transformed(x, 3).astype(np.float32)], form, atol=2e-5)


REFUSED = [
    (dft([3, "length", 1]), "its axis has length numbers"),
    (dft([3, 8, 2], onesided=1), "onesided of complex numbers"),
    (dft([3, 8, 1], onesided=1, inverse=1), "onesided and inverse of real numbers"),
    (stft([2, "length", 1], 4), "its frames have length samples, which isn't a number"),
    (stft([2, 5, 1], 4, 6), "its frames of 6 samples aren't in a signal of 5"),
]


@pytest.mark.parametrize(("model", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_what_cannot_be_written_out_is_refused(model: onnx.ModelProto, words: str) -> None:
    is_refused(model, words)


def test_matrices_as_large_as_are_made_and_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    """A matrix of 67,108,864 numbers takes seconds: one of 8 x 16 stands for it."""
    assert decompose_transforms.MOST_NUMBERS == 1 << 26
    monkeypatch.setattr(decompose_transforms, "MOST_NUMBERS", 128)
    x = np.random.default_rng(1).standard_normal([3, 8, 1]).astype(np.float32)
    rightly_decomposed(dft([3, 8, 1]), (2, 3, 2), {"x": x}, [transformed(x, 1).astype(np.float32)], atol=2e-5)
    monkeypatch.setattr(decompose_transforms, "MOST_NUMBERS", 127)
    is_refused(dft([3, 8, 1]), "its matrix is 8 x 16, more than 127 numbers")
