"""Deliberate faults in lowered models: each is one, is caught, and is located at the node that has it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_errors

import onnxtile
from tests.faults import CASES, FAULTS, SIZES, Case, Fault, distance, failing, feeds, run
from tests.faults.written import Written
from tests.support import OLD_ONNXRUNTIME, ROOT, Feeds

ENGINE_ERRORS = (
    onnx.checker.ValidationError, onnxruntime_errors.Fail, onnxruntime_errors.InvalidArgument,
    onnxruntime_errors.InvalidGraph, onnxruntime_errors.RuntimeException, RuntimeError, TypeError, ValueError,
)  # fmt: skip


def original_results(case: Case, fed: Feeds) -> list[np.ndarray]:
    """Return what the original gives; older releases of onnxruntime lack some kernels of 8-bit convolutions."""
    try:
        return run(case.original, fed)
    except (*ENGINE_ERRORS, onnxruntime_errors.NotImplemented) as error:
        if not OLD_ONNXRUNTIME:
            raise
        pytest.skip(f"onnxruntime before 1.24 can't run it: {error}"[:200])


def named(each: Case | Fault) -> str:
    return each.title.replace(" ", "-")


@pytest.mark.parametrize("fault", FAULTS, ids=named)
def test_a_fault_makes_a_valid_model_that_is_wrong(fault: Fault) -> None:
    """An input shows it, far beyond what rounding does to the right model."""
    model, _ = fault.mutated()
    onnx.checker.check_model(model)
    fed = fault.witness()
    wanted = original_results(fault.case, fed)
    rounding = distance(run(fault.case.lowered, fed), wanted)
    assert distance(run(model, fed), wanted) > 10 * rounding


@pytest.mark.parametrize("case", CASES, ids=named)
def test_right_lowerings_raise_no_alarm(case: Case) -> None:
    verdict = onnxtile.verify(case.original, case.lowered)
    assert verdict.equivalent, verdict


@pytest.mark.parametrize("fault", FAULTS, ids=named)
def test_a_fault_is_caught_and_located(fault: Fault, record_property: Callable[[str, object], None]) -> None:
    """Only the region of the node it was made for fails, and a node that the fault touched is among its suspects."""
    model, touched = fault.mutated()
    record_property("suspects", caught_and_located(fault.case, model, touched, set(fault.origin)))


def caught_and_located(case: Case, model: onnx.ModelProto, touched: set[str], origin: set[str]) -> int:
    """Asserts it; the number of suspects. `origin`: the regions that may fail (none given: any)."""
    verdict = onnxtile.verify(case.original, model)
    assert not verdict.equivalent, touched
    regions = failing(verdict)
    assert not origin or {region.name for region in regions} <= origin, regions
    suspects = [name for region in regions for name in region.where]
    assert touched & set(suspects), (touched, suspects)
    return len(suspects)


@pytest.mark.parametrize("case", [case for case in CASES if len(case.lowered.graph.node) < 32], ids=named)
def test_no_node_can_be_left_out(case: Case) -> None:
    """Each node in turn gives its first input on, where that makes a model that runs and is wrong."""
    fed = feeds(case.original, seed=7, **SIZES)
    wanted = original_results(case, fed)
    rounding = distance(run(case.lowered, fed), wanted)
    for name in [node.name for node in case.lowered.graph.node if node.input and len(node.output) == 1]:
        model = onnx.ModelProto()
        model.CopyFrom(case.lowered)
        written = Written(model)
        touched = written.names(written.bypassed(name))
        try:
            onnx.checker.check_model(model)
            wrong = distance(run(model, fed), wanted) > 10 * rounding + 0.01
        except ENGINE_ERRORS:
            continue  # shapes or types no longer fit: nobody would miss that
        if wrong:
            caught_and_located(case, model, touched, set())


def test_there_are_enough_of_every_kind() -> None:
    assert len(FAULTS) >= 66
    assert len([fault for fault in FAULTS if fault.hard]) >= 12
    assert len({fault.title for fault in FAULTS}) == len(FAULTS)


def test_the_table_has_them_all() -> None:
    """Run benchmarks/mutations.py where it doesn't."""
    page = (ROOT / "docs" / "proof.md").read_text()
    assert [fault.title for fault in FAULTS if f"| {fault.title} | {fault.case.title} |" not in page] == []
