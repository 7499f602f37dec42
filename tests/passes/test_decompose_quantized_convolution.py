"""Convolutions of bytes lowered: bit for bit what int32 arithmetic gives, in all forms; or refused with a reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import onnxtile
from tests.quantized_convolutions import MICROSOFT, cases, convolved, drawn, model, requantized
from tests.support import FEWER, FORMS, Fed, operators, run_onnxruntime

LIMITS, OPS = (3, 4, 2), "matmul,conv"
CONVOLUTIONS = {"ConvInteger", "QLinearConv"}
X, W = drawn([2, 4, 5, 4], np.uint8, 1), drawn([6, 2, 3, 3], np.int8, 2)
X_ZERO, W_ZERO, Y_ZERO = np.uint8(131), drawn([6], np.int8, 3), np.uint8(100)
SCALES = (np.float32(0.02), np.linspace(0.01, 0.05, 6).astype(np.float32), np.float32(0.3))
ATTRIBUTES: dict[str, Any] = {"pads": [1, 1, 0, 1], "strides": [2, 1], "group": 2}
TOTAL = convolved(X, W, X_ZERO, W_ZERO, **ATTRIBUTES)


def lowered_right(case: Fed, wanted: np.ndarray, form: str = "unrolled", limits: Any = LIMITS) -> None:
    lowered = onnxtile.lower(case.model, limits, ops=OPS, form=form)
    assert not CONVOLUTIONS & set(operators(lowered))
    assert onnxtile.check(lowered, limits, ops=OPS).ok
    np.testing.assert_array_equal(run_onnxruntime(lowered, case.feeds)[0], wanted)
    assert [region.status for region in onnxtile.verify(case.model, lowered).regions] == ["proven"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("free", [(), (0,), (2, 3)], ids=str)
def test_integers_in_every_form(form: str, free: tuple[int, ...]) -> None:
    case = model("ConvInteger", X, W, x_zero=X_ZERO, w_zero=W_ZERO, free=free, **ATTRIBUTES)
    lowered_right(case, TOTAL, form, (None, *LIMITS[1:]) if form == "unrolled" and 2 in free else LIMITS)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("fed", [False, True])
def test_requantized_in_every_form(form: str, last: bool, fed: bool) -> None:
    bias = np.arange(6, dtype=np.int32) * 1000
    factor = SCALES[0] * SCALES[1] / SCALES[2]
    wanted = requantized(TOTAL + bias.reshape(-1, 1, 1), factor, Y_ZERO)
    how: dict[str, Any] = {"x_zero": X_ZERO, "w_zero": W_ZERO, "scales": SCALES, "y_zero": Y_ZERO, "bias": bias}
    x, wanted = (np.moveaxis(each, 1, -1).copy() if last else each for each in (X, wanted))
    more = {"domain": MICROSOFT, "channels_last": 1} if last else {}
    lowered_right(model("QLinearConv", x, W, fed=fed, **how, **ATTRIBUTES, **more), wanted, form)


@FEWER
@given(cases(), st.sampled_from(FORMS), st.sampled_from([(1, 1, 1), (2, 3, 2), (4, 4, 4)]))
def test_any_node(case: tuple[Fed, np.ndarray], form: str, limits: tuple[Any, int, int]) -> None:
    fed, wanted = case
    limits = (None, *limits[1:]) if form == "unrolled" else limits
    lowered = onnxtile.lower(fed.model, limits, ops=OPS, form=form)
    if CONVOLUTIONS & set(operators(lowered)):  # which onnxruntime may lack, or multiply wrong
        assert lowered == fed.model
        return
    np.testing.assert_array_equal(run_onnxruntime(lowered, fed.feeds)[0], wanted)


def reason(case: Fed) -> str:
    assert onnxtile.lower(case.model, LIMITS, ops=OPS) == case.model
    (row,) = onnxtile.estimate(case.model, LIMITS, ops=OPS)[0].contractions
    return str(row.reason)


def test_refused() -> None:
    case = model("ConvInteger", X, W, x_zero=X_ZERO, opset=10, **ATTRIBUTES)
    assert reason(case) == "opset: opset 10 lacks Pad of integers; convert to 11 or newer"
    case = model("ConvInteger", X, W, w_zero=np.zeros(5, np.int8), **ATTRIBUTES)
    assert reason(case) == "quantization: W's zero point 'wz' has shape [5]; one number, or 6, are lowered"
    case = model("ConvInteger", X, W, x_zero=np.int8(3), **ATTRIBUTES)
    assert reason(case) == "quantization: X's zero point 'xz' is of another type than X; give it the same"
    how: dict[str, Any] = {"x_zero": X_ZERO, "w_zero": np.int8(0), "y_zero": Y_ZERO}
    case = model("QLinearConv", X, W, scales=(1.0, -1.0, 1.0), **how, **ATTRIBUTES)
    assert reason(case) == "quantization: W's scale 'sw' isn't positive; mend the model"
    case = model("QLinearConv", X, W, bias=np.zeros(5, np.int32), **how, **ATTRIBUTES)
    assert reason(case) == "shape: its bias isn't known to be 6 elements of int32; declare it so"


def test_channels_with_kernels_of_their_own_stay_where_that_is_asked_for() -> None:
    case = model("ConvInteger", X, drawn([4, 1, 3, 3], np.int8, 2), x_zero=X_ZERO, group=4)
    lowered, report = onnxtile.lower(case.model, (2, 2, 1), depthwise="keep", report=True)
    assert [str(row.reason) for row in report.contractions] == [
        "depthwise: its channels have kernels of their own, which --depthwise keep leaves as they are"
    ]
    assert lowered == case.model
    assert onnxtile.lower(case.model, (2, 2, 1), report=True)[1].ok
