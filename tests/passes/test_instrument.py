"""Test that what watches a pipeline is called around each pass, the outermost first."""

from __future__ import annotations

import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.errors import PassError
from onnxtile.passes.instrument import Instrument, Timing, Turn
from onnxtile.passes.manager import PassManager
from tests.planted import GOOD, network


class Diary(Instrument):
    """Writes down what it's told."""

    def __init__(self, name: str, lines: list[str]) -> None:
        self.name, self.lines = name, lines

    def before_pipeline(self, passes: object) -> None:
        self.lines.append(f"{self.name} pipeline")

    def before_pass(self, turn: Turn, model: ir.Model) -> None:
        self.lines.append(f"{self.name} before {turn.name}")

    def after_pass(self, turn: Turn, model: ir.Model, modified: bool) -> None:
        self.lines.append(f"{self.name} after {turn.name} {modified}")

    def on_failure(self, turn: Turn, error: onnxtile.OnnxtileError) -> onnxtile.OnnxtileError:
        self.lines.append(f"{self.name} failed {turn.name}")
        return type(error)(f"{error}; {self.name} knows")


def test_instruments_are_nested_around_each_pass() -> None:
    lines: list[str] = []
    manager = PassManager(
        "infer-shapes,tests.planted:Raises", instruments=[Diary("outer", lines), Diary("inner", lines)]
    )
    with pytest.raises(PassError, match="^pass Raises failed: KeyError: 'lost'; inner knows; outer knows$"):
        manager(ir.from_proto(network()))
    assert lines == [
        "outer pipeline", "inner pipeline",
        "outer before infer-shapes", "inner before infer-shapes",
        "inner after infer-shapes True", "outer after infer-shapes True",
        "outer before Raises", "inner before Raises", "inner failed Raises", "outer failed Raises",
    ]  # fmt: skip


def test_times_are_those_of_passes_that_ended() -> None:
    timing = Timing()
    PassManager(GOOD, instruments=[timing])(ir.from_proto(network()))
    PassManager("unroll-tiles", instruments=[timing])(ir.from_proto(network()))
    assert [(step.name, step.modified) for step in timing.steps] == [
        ("infer-shapes", True), ("decompose-gemm", True), ("tile-matmul", True), ("unroll-tiles", False),
    ]  # fmt: skip
    assert [(step.nodes_before, step.nodes_after) for step in timing.steps[:2]] == [(15, 15), (15, 18)]
