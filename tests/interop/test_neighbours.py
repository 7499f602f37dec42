"""Each neighbour that is installed keeps lowered models right and within the limits, and writes what `lower` takes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import onnxtile
from tests.interop.models import CASES, Case, lower
from tests.interop.neighbours import REWRITERS, RUNTIMES, params, session
from tests.support import FORMS

pytestmark = pytest.mark.filterwarnings("ignore")  # neighbours warn of what is theirs
NOT_TAKEN: dict[tuple[str, str, str], str] = {
    ("float16", "quantized", "*"): "scales become float16, which DequantizeLinear takes from opset 19 on",
    ("onnx2torch", "quantized", "*"): "no converter for QuantizeLinear",
    ("onnx2torch", "*", "loop"): "no converter for Scan and Loop",
    ("iree", "*", "loop"): "no lowering of Scan",
}
"""What a tool doesn't do with which model and form (`*`: any); docs/interop.md tells it."""
ROUNDING = {"float16": 2**-10}
"""The relative error of a tool that computes in another type; others are right bit by bit, on whole numbers."""


def expect(tool: str, case: Case) -> None:
    """Mark the test as one that fails by the tool's own fault."""
    for (of, name, form), words in NOT_TAKEN.items():
        if of == tool and name in ("*", case.name) and form in ("*", case.form):
            pytest.xfail(words)


def run(model: onnx.ModelProto, case: Case) -> np.ndarray:
    return session(model, "disabled").run(None, dict(case.feeds))[0]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("tool", params(REWRITERS))
def test_what_it_makes_of_a_lowered_model(tool: str, case: Case) -> None:
    expect(tool, case)
    made = REWRITERS[tool][1](case.lowered)
    np.testing.assert_allclose(run(made, case), case.expected, rtol=ROUNDING.get(tool, 0), atol=0)
    report = onnxtile.check(made, case.limits)
    assert report.ok, report.summary


@pytest.mark.parametrize("case", [case for case in CASES if case.form == FORMS[0]], ids=str)
@pytest.mark.parametrize("tool", params(REWRITERS))
def test_what_it_makes_is_lowered(tool: str, case: Case) -> None:
    expect(tool, case)
    lowered = lower(REWRITERS[tool][1](case.original), case)
    np.testing.assert_allclose(run(lowered, case), case.expected, rtol=ROUNDING.get(tool, 0), atol=0)
    report = onnxtile.check(lowered, case.limits)
    assert report.ok, report.summary


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("tool", params(RUNTIMES))
def test_what_it_computes(tool: str, case: Case) -> None:
    expect(tool, case)
    np.testing.assert_array_equal(RUNTIMES[tool][1](case.lowered, case.feeds), case.expected)
