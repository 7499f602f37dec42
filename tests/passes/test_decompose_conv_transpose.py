"""ConvTranspose lowered: bit for bit what its specification says, in all forms; or refused with a reason."""

from __future__ import annotations

import contextlib
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

import onnxtile
from tests.support import FEWER, FORMS, Fed, operators, parse, rightly_lowered, run_onnxruntime, run_reference
from tests.transposed import cases, expected, model

LIMITS = (3, 4, 5)
OPS = "matmul,conv"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("free", [(), (0,), (2, 3), (0, 2, 3)], ids=str)
@pytest.mark.parametrize("group", [1, 2])
@pytest.mark.parametrize("kernel", [[3, 2], [2, 2]], ids=str)
def test_lowered_in_every_form(form: str, free: tuple[int, ...], group: int, kernel: list[int]) -> None:
    case = model([2, 4, 3, 2], [4, 3, *kernel], free=free, group=group, strides=[2, 2])
    limits = (None, 4, 5) if form == "unrolled" and len(free) > 1 else LIMITS
    engines = (run_onnxruntime,)  # onnx.reference takes a group's channels for all
    lowered = rightly_lowered(case.model, limits, case.feeds, engines=engines, ops=OPS, form=form)
    assert "ConvTranspose" not in operators(lowered)
    np.testing.assert_array_equal(run_onnxruntime(lowered, case.feeds)[0], expected(case))


@FEWER
@given(cases(), st.sampled_from(FORMS), st.sampled_from([(1, 1, 1), (2, 3, 2), (4, 4, 4)]))
def test_any_node(case: Fed, form: str, limits: tuple[int, int, int]) -> None:
    opset = case.model.opset_import[0].version
    form, unlimited = form if opset >= 11 else "unrolled", form == "unrolled" or opset < 11
    limits = (None, *limits[1:]) if unlimited else limits  # type: ignore[assignment]  # it's a limit, too
    lowered = onnxtile.lower(case.model, limits, ops=OPS, form=form)
    assert "ConvTranspose" not in operators(lowered) or operators(lowered) == operators(case.model)
    wanted = expected(case)
    with contextlib.suppress(InvalidArgument):  # onnxruntime wants output_padding to be less than strides
        np.testing.assert_array_equal(run_onnxruntime(case.model, case.feeds)[0], wanted)
    np.testing.assert_array_equal(run_onnxruntime(lowered, case.feeds)[0], wanted)


@pytest.mark.parametrize(
    "attributes",
    [
        {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
        {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
        {"auto_pad": "VALID", "strides": [2, 3]},
        {"auto_pad": "SAME_UPPER", "strides": [1, 1], "dilations": [2, 1]},
        {"output_shape": [6, 6], "strides": [2, 2]},
        {"output_shape": [8, 7], "strides": [2, 2]},
        {"output_shape": [5, 5], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
    ],
    ids=str,
)
def test_pads_that_follow_from_other_attributes(attributes: dict[str, Any]) -> None:
    for opset in (13, 20):
        case = model([1, 4, 3, 3], [4, 3, 3, 3], opset=opset, **attributes)
        lowered = rightly_lowered(case.model, LIMITS, case.feeds, engines=(run_onnxruntime,), ops=OPS)
        assert "ConvTranspose" not in operators(lowered)


@pytest.mark.parametrize(("dtype", "opset"), [(np.float16, 18), (np.float64, 18), (ml_dtypes.bfloat16, 22)])
@pytest.mark.parametrize("fed", [False, True])
def test_other_floats(dtype: Any, opset: int, fed: bool) -> None:
    case = model([1, 4, 3, 3], [4, 3, 3, 3], opset=opset, fed=fed, dtype=dtype, strides=[2, 1])
    lowered = onnxtile.lower(case.model, LIMITS, ops=OPS)
    run = run_reference if dtype == ml_dtypes.bfloat16 else run_onnxruntime
    np.testing.assert_array_equal(run(lowered, case.feeds)[0], expected(case))
    assert [region.status for region in onnxtile.verify(case.model, lowered).regions] == ["proven"]


def test_within_the_limits_it_stays() -> None:
    case = model([1, 2, 2, 2], [2, 1, 2, 2])
    assert onnxtile.lower(case.model, (4, 4, 4), ops=OPS) == case.model


def test_in_a_body() -> None:
    made = parse(
        """<ir_version: 10, opset_import: ["" : 20]> g (float[1,4,3,3] x, bool c) => (float[1,3,7,7] y) {
            y = If (c) < then_branch = t () => (float[1,3,7,7] a) { a = ConvTranspose <strides = [2, 2]> (x, w) },
                else_branch = e () => (float[1,3,7,7] b) { b = ConvTranspose <strides = [2, 2]> (x, v) } > }""",
        w=np.ones((4, 3, 3, 3), np.float32), v=np.full((4, 3, 3, 3), 2, np.float32),
    )  # fmt: skip
    feeds = {"x": np.ones((1, 4, 3, 3), np.float32), "c": np.array(True)}
    for choice in (True, False):
        rightly_lowered(made, LIMITS, {**feeds, "c": np.array(choice)}, ops=OPS)


@pytest.mark.parametrize(
    ("attributes", "opset", "reason"),
    [
        ({"auto_pad": "SAME_UPPER", "strides": [4, 4]}, 20,
         "auto-pad: SAME_UPPER would pad by a negative amount, where engines differ; write the pads out"),
        ({"output_shape": [9, 9], "strides": [2, 2]}, 20,
         "auto-pad: output_shape would pad by a negative amount, where engines differ; write the pads out"),
        ({"auto_pad": "SAME_LOWER", "strides": [2, 2]}, 9,
         "auto-pad: an odd number of pads is divided otherwise in opset 9 than engines do; write the pads out"),
        ({"pads": [4, 4, 4, 4], "strides": [2, 2]}, 20,
         "shape: its pads take off all of its output, [-1, -1] elements are left; mend them"),
    ],
    ids=str,
)  # fmt: skip
def test_refused(attributes: dict[str, Any], opset: int, reason: str) -> None:
    case = model([1, 4, 3, 3], [4, 3, 3, 3], opset=opset, **attributes)
    assert onnxtile.lower(case.model, LIMITS, ops=OPS) == case.model
    (row,) = onnxtile.estimate(case.model, LIMITS, ops=OPS)[0].contractions
    assert str(row.reason) == reason


def test_output_shape_of_unknown_lengths_is_refused() -> None:
    case = model([1, 4, 3, 3], [4, 3, 3, 3], free=[2], output_shape=[6, 6], strides=[2, 2])
    (row,) = onnxtile.estimate(case.model, (None, 4, 5), ops=OPS)[0].contractions
    assert str(row.reason) == (
        "symbolic: output_shape is given, and pads follow from lengths that aren't known; bind them"
    )
