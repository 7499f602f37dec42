"""The guilty pass is found by halving: each pass runs once, the check is asked after a few."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir
import pytest

from onnxtile.debugging.reduce.bisection import guilty_pass
from onnxtile.errors import UsageError
from onnxtile.ir.io.progress import silent
from tests.planted import Raises, network


class Step(ir.passes.InPlacePass):
    """Writes its number into the model."""

    def __init__(self, number: int, runs: list[int]) -> None:
        self.number, self.runs = number, runs

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        self.runs.append(self.number)
        model.metadata_props[f"step{self.number}"] = ""
        return ir.passes.PassResult(model, modified=True)


class FailsFrom:
    """Holds up to a step, and counts how often it's asked."""

    def __init__(self, step: int) -> None:
        self.step, self.asked = step, 0

    def __call__(self, original: ir.Model, lowered: ir.Model, sizes: Mapping[str, int]) -> str | None:
        self.asked += 1
        return "broken" if f"step{self.step}" in lowered.metadata_props else None


@pytest.mark.parametrize("count", [1, 2, 5, 16])
def test_each_pass_may_be_guilty(count: int) -> None:
    for guilty in range(count):
        runs: list[int] = []
        check = FailsFrom(guilty)
        found = guilty_pass(ir.from_proto(network()), [Step(each, runs) for each in range(count)], check, silent)
        assert found is not None
        assert (found.index, found.words) == (guilty, "broken")
        assert set(found.before.metadata_props) == {f"step{each}" for each in range(guilty)}
        assert runs == list(range(count))
        assert check.asked <= 2 + count.bit_length()


def test_no_pass_is_guilty() -> None:
    assert guilty_pass(ir.from_proto(network()), [Step(0, []), Step(1, [])], FailsFrom(7), silent) is None


def test_a_pass_that_raises_is_guilty_if_the_check_held_before() -> None:
    found = guilty_pass(ir.from_proto(network()), [Step(0, []), Raises()], FailsFrom(7), silent)
    assert found is not None
    assert (found.index, found.words) == (1, "pass Raises failed: KeyError: 'lost'")
    found = guilty_pass(ir.from_proto(network()), [Step(0, []), Raises()], FailsFrom(0), silent)
    assert found is not None and found.index == 0


def test_a_check_that_fails_before_any_pass_is_refused() -> None:
    model = ir.from_proto(network())
    model.metadata_props["step0"] = ""
    with pytest.raises(UsageError, match="the check fails on the model itself, before any pass: broken"):
        guilty_pass(model, [Step(0, [])], FailsFrom(0), silent)
