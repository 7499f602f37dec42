"""The pass manager: passes in order, the model checked between them, times kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.errors import OnnxtileError, PassError, UsageError
from onnxtile.progress import Progress
from onnxtile.registry import parse_pipeline, pass_name
from onnxtile.structure import check_structure, one_line


@dataclass(frozen=True)
class Step:
    """What one pass did: its name, how long it took with its check, and whether it changed the model."""

    name: str
    seconds: float
    modified: bool


class PassManager:
    """Runs passes in order; onnx's checker sees the model before the first and after each that changed it.

    Passes are objects (of onnx_ir's PassBase: ours, onnx_ir's own, anybody's) or names, or one text pipeline.
    """

    def __init__(self, passes: str | Sequence[str | ir.passes.PassBase], check: bool = True) -> None:
        """Raises UsageError for a name or option that doesn't exist."""
        if isinstance(passes, str):
            passes = parse_pipeline(passes)
        self.passes: list[ir.passes.PassBase] = []
        for each in passes:
            if not isinstance(each, (str, ir.passes.PassBase)):
                raise UsageError(f"{each!r} is neither a pass nor the name of one")
            self.passes += [each] if isinstance(each, ir.passes.PassBase) else parse_pipeline(each)
        self.check = check
        self.steps: list[Step] = []

    def __call__(self, model: ir.Model, progress: Progress | None = None) -> ir.passes.PassResult:
        """Run the passes on `model`, in place where they are in-place passes; `steps` then says what each did.

        `progress` is told each pass's name before it runs. Raises what a pass raises of our errors with the pass's
        name in front, and PassError for anything else, and for a pass that leaves an invalid model.
        """
        if not isinstance(model, ir.Model):
            raise UsageError(
                f"passes run on an onnx_ir.Model, not {type(model).__name__}; onnx_ir.from_proto makes one"
            )
        self.steps, modified = [], False
        if self.check:
            check_structure(model)
        for each in self.passes:
            name, start = pass_name(each), time.perf_counter()
            if progress:
                progress(name)
            result = _run(each, name, model)
            model, modified = result.model, modified or result.modified
            if self.check and result.modified:
                try:
                    check_structure(model)
                except OnnxtileError as error:
                    raise PassError(f"pass {name} left an invalid model: {error}") from error
            self.steps.append(Step(name, time.perf_counter() - start, result.modified))
        return ir.passes.PassResult(model, modified)


def _run(each: ir.passes.PassBase, name: str, model: ir.Model) -> ir.passes.PassResult:
    try:
        return each(model)
    except OnnxtileError as error:
        raise type(error)(f"pass {name}: {error}") from error
    except ir.passes.InvariantError as error:
        # onnx_ir wraps what `requires` and `ensures` raise: the words are the cause's
        cause = error.__cause__ if isinstance(error.__cause__, OnnxtileError) else error
        kind = type(cause) if isinstance(cause, OnnxtileError) else PassError
        raise kind(f"pass {name}: {cause}") from error
    except Exception as error:  # a pass may be anybody's code: whatever it raises gets its name
        raise PassError(f"pass {name} failed: {type(error).__name__}: {one_line(error)}") from error
