"""Each neighbour that is installed keeps lowered models right and within the limits, and writes what `lower` takes."""

from __future__ import annotations

from fnmatch import fnmatch

import numpy as np
import onnx
import onnx.version_converter
import pytest

import onnxtile
from tests.interop.models import CASES, Case, lower
from tests.interop.neighbours import REWRITERS, RUNTIMES, params, session
from tests.support import FORMS

pytestmark = pytest.mark.filterwarnings("ignore")  # neighbours warn of what is theirs
NOT_TAKEN = {
    ("float16", "quantized-*"): "scales become float16, which DequantizeLinear takes from opset 19 on",
    ("onnx2torch", "quantized-*"): "no converter for QuantizeLinear",
    ("onnx2torch", "*-loop"): "no converter for Scan and Loop",
    ("iree", "*-8x8x8-loop"): "no lowering of a Scan with Loops in it",
    ("tvm", "*-loop"): "no converter for Scan",
}
"""List what a tool doesn't do with which cases; docs/interop.md tells it."""
ROUNDING = {"float16": 2**-10}
"""The relative error of a tool that computes in another type; others are right bit by bit, on whole numbers."""


KEPT = {"onnxscript-optimizer", "onnxscript-rewriter", "onnx_ir", "inliner", "float16"}
"""Tools that keep the metadata of nodes."""


@pytest.fixture
def expected_to_fail(request: pytest.FixtureRequest, tool: str, case: Case) -> None:
    """Mark a test that fails by the tool's own fault; once it passes, the document has to say so."""
    for (of, cases), words in NOT_TAKEN.items():
        if of == tool and fnmatch(str(case), cases):
            request.applymarker(pytest.mark.xfail(reason=words, strict=True))


def run(model: onnx.ModelProto, case: Case) -> np.ndarray:
    return session(model, "disabled").run(None, dict(case.feeds))[0]


@pytest.mark.usefixtures("expected_to_fail")
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("tool", params(REWRITERS))
def test_what_it_makes_of_a_lowered_model(tool: str, case: Case) -> None:
    made = REWRITERS[tool][1](case.lowered)
    np.testing.assert_allclose(run(made, case), case.expected, rtol=ROUNDING.get(tool, 0), atol=0)
    report = onnxtile.check(made, case.limits)
    assert report.ok, report.summary


@pytest.mark.usefixtures("expected_to_fail")
@pytest.mark.parametrize("case", [case for case in CASES if case.form == FORMS[0]], ids=str)
@pytest.mark.parametrize("tool", params(REWRITERS))
def test_what_it_makes_is_lowered(tool: str, case: Case) -> None:
    lowered = lower(REWRITERS[tool][1](case.original), case)
    np.testing.assert_allclose(run(lowered, case), case.expected, rtol=ROUNDING.get(tool, 0), atol=0)
    report = onnxtile.check(lowered, case.limits)
    assert report.ok, report.summary


@pytest.mark.usefixtures("expected_to_fail")
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("tool", params(RUNTIMES))
def test_what_it_computes(tool: str, case: Case) -> None:
    np.testing.assert_array_equal(RUNTIMES[tool][1](case.lowered, case.feeds), case.expected)


@pytest.mark.parametrize("tool", params(REWRITERS))
def test_whether_it_keeps_metadata(tool: str) -> None:
    lowered = CASES[0].lowered
    made = REWRITERS[tool][1](lowered)
    before, after = (sum(bool(node.metadata_props) for node in model.graph.node) for model in (lowered, made))
    assert before > 40
    assert after == (before if tool in KEPT else 0)


@pytest.mark.parametrize("tool", params({"onnx2torch": RUNTIMES["onnx2torch"]}))
@pytest.mark.parametrize("opset", [18, 21, 25])
@pytest.mark.parametrize("form", ["unrolled", "batched"])
def test_onnx2torch_takes_newer_opsets_once_it_is_extended(tool: str, opset: int, form: str) -> None:
    case = next(case for case in CASES if case.name == "convolutions" and case.form == form)
    newer = onnx.version_converter.convert_version(case.original, opset)
    lowered = lower(newer, case)
    assert {"Split", "Pad"} & {node.op_type for node in lowered.graph.node}
    np.testing.assert_array_equal(RUNTIMES[tool][1](lowered, case.feeds), case.expected)
