"""Deliberate faults in lowered models: each is one, is caught, and is located at the node that has it."""

from __future__ import annotations

from collections.abc import Callable

import onnx
import pytest

import onnxtile
from onnxtile.verification import Verdict
from tests.faults import CASES, FAULTS, Case, Fault, distance, failing, run

PROVES = "regions" in Verdict.__dataclass_fields__
"""Whether `verify` proves region by region. Until it does, nothing is located, and what's hard isn't caught."""


def named(each: Case | Fault) -> str:
    return each.title.replace(" ", "-")


@pytest.mark.parametrize("fault", FAULTS, ids=named)
def test_a_fault_makes_a_valid_model_that_is_wrong(fault: Fault) -> None:
    """An input shows it, far beyond what rounding does to the right model."""
    model, _ = fault.mutated()
    onnx.checker.check_model(model)
    fed = fault.witness()
    wanted = run(fault.case.original, fed)
    rounding = distance(run(fault.case.lowered, fed), wanted)
    assert distance(run(model, fed), wanted) > 10 * rounding


@pytest.mark.parametrize("case", CASES, ids=named)
def test_right_lowerings_raise_no_alarm(case: Case) -> None:
    verdict = onnxtile.verify(case.original, case.lowered)
    assert verdict.equivalent, verdict


@pytest.mark.parametrize("fault", FAULTS, ids=named)
def test_a_fault_is_caught_and_located(fault: Fault, record_property: Callable[[str, object], None]) -> None:
    """Only the region of the node it was made for fails, and a node that the fault touched is among its suspects."""
    if fault.hard and not PROVES:
        pytest.skip("no tolerance catches it")
    model, touched = fault.mutated()
    verdict = onnxtile.verify(fault.case.original, model)
    assert not verdict.equivalent
    if not PROVES:
        return
    regions = failing(verdict)
    assert {region.name for region in regions} <= set(fault.origin), regions
    suspects = [name for region in regions for name in region.where]
    record_property("suspects", len(suspects))
    assert touched & set(suspects), (touched, suspects)


def test_there_are_enough_of_every_kind() -> None:
    assert len(FAULTS) >= 66
    assert len([fault for fault in FAULTS if fault.hard]) >= 12
    assert len({fault.title for fault in FAULTS}) == len(FAULTS)
