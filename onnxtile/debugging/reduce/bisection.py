"""Find the guilty pass, the first after which the check fails, by halving the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.debugging.reduce.checks import Check
from onnxtile.debugging.reduce.failure import sizes_of
from onnxtile.errors import OnnxtileError, UsageError
from onnxtile.ir.io.load import copy_of
from onnxtile.ir.io.progress import Progress
from onnxtile.passes.instrument import Instrument, Turn
from onnxtile.passes.manager import PassManager, is_refusal


@dataclass(frozen=True)
class Guilty:
    """The pass at `index` of those that ran, and the model as that pass got it."""

    passes: Sequence[ir.passes.PassBase]
    index: int
    before: ir.Model
    words: str


class _Snapshots(Instrument):
    """Keeps the passes that ran, each time that they did, and the model after each."""

    def __init__(self, model: ir.Model) -> None:
        self.models = [copy_of(model)]
        self.passes: list[ir.passes.PassBase] = []

    def before_pass(self, turn: Turn, model: ir.Model) -> None:
        self.passes.append(turn.pass_)

    def after_pass(self, turn: Turn, model: ir.Model, modified: bool) -> None:
        self.models.append(copy_of(model))


def guilty_pass(model: ir.Model, passes: Sequence[ir.passes.PassBase], check: Check, say: Progress) -> Guilty | None:
    """Return the pass that turns a model for which the check holds into one for which it doesn't, or that fails.

    Every pass runs once; the check is asked after some of them. Raises UsageError where it fails before any pass, and
    what a pass says that refuses to run, if the check holds up to there.
    """
    snapshots, raised = _Snapshots(model), None
    try:
        PassManager(passes, instruments=[snapshots])(copy_of(model), say)
    except OnnxtileError as error:
        raised = error
    models, ran = snapshots.models, snapshots.passes
    sizes = sizes_of(ran)

    def wrong(count: int) -> str | None:
        say(f"check after {count} of {len(ran)} passes")
        return check(model, models[count], sizes)

    before_any = wrong(0)
    if before_any is not None:
        raise UsageError(f"the check fails on the model itself, before any pass: {before_any}")
    good, bad = 0, len(models) - 1
    if raised is not None and not is_refusal(raised):
        bad, words = len(models), str(raised)
    else:
        words = wrong(bad) or ""
        if not words:
            if raised is not None:
                raise raised
            return None
    while bad - good > 1:
        middle = (good + bad) // 2
        problem = wrong(middle)
        good, bad, words = (middle, bad, words) if problem is None else (good, middle, problem)
    return Guilty(ran, bad - 1, models[bad - 1], words)
