"""The pass manager runs passes in order, checks the model between them, keeps times and calls instruments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import onnx_ir as ir

from onnxtile.errors import OnnxtileError, PassError, UnsupportedError, UsageError
from onnxtile.ir.io.checker import check_structure, one_line
from onnxtile.ir.io.progress import Progress
from onnxtile.ir.opset_imports import settle_ir
from onnxtile.passes.instrument import CheckStructure, Step, Timing, Turn, Watch
from onnxtile.passes.pipelines.pipeline import GivenPass, passes_of
from onnxtile.passes.repeat import Repeat, one_by_one

Passes: TypeAlias = Sequence[ir.passes.PassBase]


class PassManager:
    """Runs passes in order; onnx's checker sees the model before the first and after each that changed it.

    Passes are objects (of onnx_ir's PassBase: ours, onnx_ir's own, anybody's), functions of a model, or names; or one
    text pipeline, or `@FILE.toml`.
    `instruments` watch them (see `Instrument`): those of `onnxtile.debugging.instruments`, or your own.
    """

    def __init__(
        self,
        passes: str | Sequence[GivenPass],
        check: bool = True,
        instruments: Watch = (),
        checked: bool = False,
    ) -> None:
        """`checked`: the checker has seen the model as it is, so that it needn't before the first pass.

        Raises UsageError for a name or option that doesn't exist.
        """
        self.passes = passes_of(passes)
        self.check, self._checked = check, checked
        self.instruments = tuple(instruments)
        self.steps: list[Step] = []

    def __call__(self, model: ir.Model, progress: Progress | None = None) -> ir.passes.PassResult:
        """Run the passes on `model`, in place where they are in-place passes; `steps` then has the run of each.

        `progress` gets each pass's name before it runs. Raises what a pass raises of our errors with the pass's
        name in front, and PassError for anything else, and for a pass that leaves an invalid model.
        """
        if not isinstance(model, ir.Model):
            raise UsageError(
                f"passes run on an onnx_ir.Model, not {type(model).__name__}; onnx_ir.from_proto makes one"
            )
        settle_ir(model)
        timing = Timing()
        self.steps = timing.steps
        watching = [*self.instruments, *([CheckStructure()] if self.check else []), timing]
        for instrument in watching:
            instrument.before_pipeline(list(one_by_one(self.passes)))
        if self.check and not self._checked:
            check_structure(model)
        return _Run(model, watching, progress).all(self.passes, ())


@dataclass
class _Run:
    """One run of a pipeline: the model as it is now, and the passes that have run."""

    model: ir.Model
    watching: Watch
    progress: Progress | None
    done: list[ir.passes.PassBase] = field(default_factory=list)

    def all(self, passes: Passes, behind: Passes) -> ir.passes.PassResult:
        """Run passes one by one, those of Repeat in its place; `behind`: what runs after them."""
        modified = False
        for index, pass_ in enumerate(passes):
            rest = (*passes[index + 1 :], *behind)
            if not isinstance(pass_, Repeat):
                modified = self.one(pass_, rest) or modified
                continue
            for more in pass_.rounds():
                changed = self.all(pass_.passes, (*more, *rest)).modified
                modified = modified or changed
                if not changed:
                    break
        return ir.passes.PassResult(self.model, modified)

    def one(self, pass_: ir.passes.PassBase, rest: Passes) -> bool:
        """Run one pass and call the instruments; return whether it says that it changed the model."""
        turn = Turn(len(self.done), (*self.done, pass_, *rest))
        if self.progress:
            self.progress(turn.name)
        for instrument in self.watching:
            instrument.before_pass(turn, self.model)
        try:
            result = _run(pass_, turn.name, self.model)
            for instrument in reversed(self.watching):
                instrument.after_pass(turn, result.model, result.modified)
        except OnnxtileError as error:
            raised = error
            for instrument in reversed(self.watching):
                raised = instrument.on_failure(turn, raised)
            if raised is error:
                raise
            raise raised from error
        self.done.append(pass_)
        self.model = result.model
        return result.modified


def _run(pass_: ir.passes.PassBase, name: str, model: ir.Model) -> ir.passes.PassResult:
    try:
        return pass_(model)
    except OnnxtileError as error:
        raise type(error)(f"pass {name}: {error}") from error
    except ir.passes.InvariantError as error:
        # onnx_ir wraps what `requires` and `ensures` raise: the words are the cause's
        cause = error.__cause__ if isinstance(error.__cause__, OnnxtileError) else error
        kind = type(cause) if isinstance(cause, OnnxtileError) else PassError
        raise kind(f"pass {name}: {cause}") from error
    except Exception as error:  # a pass may be anybody's code: whatever it raises gets its name
        raise PassError(f"pass {name} failed: {type(error).__name__}: {one_line(error)}") from error


def is_refusal(error: BaseException) -> bool:
    """Return whether a pass refused to run, having changed nothing: the call is bad, or the model isn't one for it."""
    return isinstance(error, (UsageError, UnsupportedError)) or isinstance(error.__cause__, ir.passes.PreconditionError)
