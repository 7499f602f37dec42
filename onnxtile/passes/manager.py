"""The pass manager runs passes in order, checks the model between them, keeps times and calls instruments."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from onnxtile.errors import OnnxtileError, PassError, UnsupportedError, UsageError
from onnxtile.ir.io.checker import check_structure, one_line
from onnxtile.ir.io.progress import Progress
from onnxtile.ir.opset_imports import settle_ir
from onnxtile.passes.instrument import CheckStructure, Step, Timing, Turn, Watch
from onnxtile.passes.registry import parse_pipeline


class PassManager:
    """Runs passes in order; onnx's checker sees the model before the first and after each that changed it.

    Passes are objects (of onnx_ir's PassBase: ours, onnx_ir's own, anybody's) or names, or one text pipeline.
    `instruments` watch them (see `Instrument`): those of `onnxtile.instruments`, or your own.
    """

    def __init__(
        self,
        passes: str | Sequence[str | ir.passes.PassBase],
        check: bool = True,
        instruments: Watch = (),
        checked: bool = False,
    ) -> None:
        """`checked`: the checker has seen the model as it is, so that it needn't before the first pass.

        Raises UsageError for a name or option that doesn't exist.
        """
        if isinstance(passes, str):
            passes = parse_pipeline(passes)
        self.passes: list[ir.passes.PassBase] = []
        for pass_ in passes:
            if not isinstance(pass_, (str, ir.passes.PassBase)):
                raise UsageError(f"{pass_!r} is neither a pass nor the name of one")
            self.passes += [pass_] if isinstance(pass_, ir.passes.PassBase) else parse_pipeline(pass_)
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
        self.steps, modified = timing.steps, False
        watching = [*self.instruments, *([CheckStructure()] if self.check else []), timing]
        for instrument in watching:
            instrument.before_pipeline(self.passes)
        if self.check and not self._checked:
            check_structure(model)
        for index in range(len(self.passes)):
            result = _watched(Turn(index, self.passes), model, watching, progress)
            model, modified = result.model, modified or result.modified
        return ir.passes.PassResult(model, modified)


def _watched(turn: Turn, model: ir.Model, watching: Watch, progress: Progress | None) -> ir.passes.PassResult:
    """Run one pass and call the instruments."""
    if progress:
        progress(turn.name)
    for instrument in watching:
        instrument.before_pass(turn, model)
    try:
        result = _run(turn.pass_, turn.name, model)
        for instrument in reversed(watching):
            instrument.after_pass(turn, result.model, result.modified)
    except OnnxtileError as error:
        raised = error
        for instrument in reversed(watching):
            raised = instrument.on_failure(turn, raised)
        if raised is error:
            raise
        raise raised from error
    return result


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
