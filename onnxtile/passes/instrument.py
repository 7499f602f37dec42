"""Instruments watch a pipeline: they're called before and after each pass, and where one fails."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import onnx_ir as ir

from onnxtile.errors import OnnxtileError, PassError
from onnxtile.ir.graphs import count_nodes
from onnxtile.ir.io.checker import check_structure, one_line
from onnxtile.passes.pipelines.pipeline import pipeline_text
from onnxtile.passes.registry import pass_name


@dataclass(frozen=True)
class Turn:
    """A pass's turn: how many have run before it, and all passes: those that ran, this one, and what comes behind it.

    Of a Repeat, each run of a pass is a turn of its own; what is left of it comes behind.
    """

    index: int
    passes: Sequence[ir.passes.PassBase]

    @property
    def pass_(self) -> ir.passes.PassBase:
        """The pass whose turn it is."""
        return self.passes[self.index]

    @property
    def name(self) -> str:
        """The pass's name in messages."""
        return pass_name(self.pass_)

    @property
    def remaining(self) -> str:
        """The pipeline from this pass on, as text."""
        return pipeline_text(self.passes[self.index :])


class Instrument:
    """Watches the passes of a PassManager, and may stop them; every method does nothing unless it's overridden.

    As in MLIR's PassInstrumentation, instruments are called in their order before a pass and in the opposite order
    after it, so that the last one is nearest to the pass. An instrument changes nothing in the model; what it needs
    later it copies, since passes work in place. It stops the pipeline by raising one of our errors, which counts as a
    failure of the pass where that has run.
    """

    def before_pipeline(self, passes: Sequence[ir.passes.PassBase]) -> None:
        """Look at the passes before any runs, those of Repeat in its place; a bad pipeline is refused here."""

    def before_pass(self, turn: Turn, model: ir.Model) -> None:
        """Look at the model as the pass gets it."""

    def after_pass(self, turn: Turn, model: ir.Model, modified: bool) -> None:
        """Look at the model as the pass leaves it; `modified`: whether it says that it changed something."""

    def on_failure(self, turn: Turn, error: OnnxtileError) -> OnnxtileError:
        """Return the error to raise instead of `error`: the same, or one of its type that says more.

        The error is one of ours and names the pass; its cause is what the pass raised.
        """
        return error


Watch = Sequence[Instrument]
"""Instruments in the order in which they're called before a pass, the outermost first."""


class CheckStructure(Instrument):
    """Runs onnx's checker after each pass that changed the model; PassError for an invalid one."""

    def after_pass(self, turn: Turn, model: ir.Model, modified: bool) -> None:
        if not modified:
            return
        try:
            check_structure(model)
        except Exception as error:  # a broken graph may trip whoever walks it
            raise PassError(f"pass {turn.name} left an invalid model: {one_line(error)}") from error


@dataclass(frozen=True)
class Step:
    """The run of one pass: its name, time in seconds, whether it changed the model, nodes in all graphs around it."""

    name: str
    seconds: float
    modified: bool
    nodes_before: int
    nodes_after: int


@dataclass
class Timing(Instrument):
    """Keeps a Step for each pass that ends well; the time is the pass's own, without what watches it."""

    steps: list[Step] = field(default_factory=list)
    _nodes: int | None = None
    _start: float = 0.0

    def before_pass(self, turn: Turn, model: ir.Model) -> None:
        self._nodes = count_nodes(model) if self._nodes is None else self._nodes
        self._start = time.perf_counter()

    def after_pass(self, turn: Turn, model: ir.Model, modified: bool) -> None:
        seconds = time.perf_counter() - self._start
        before, self._nodes = self._nodes or 0, count_nodes(model)
        self.steps.append(Step(turn.name, seconds, modified, before, self._nodes))
