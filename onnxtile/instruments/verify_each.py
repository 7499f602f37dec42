"""Whether each pass leaves an equivalent model."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from onnxtile.dimensions import free_dimensions
from onnxtile.errors import OnnxtileError, PassError, UnsupportedError
from onnxtile.instrument import Instrument, Turn
from onnxtile.passes.bind_dims import BindDims
from onnxtile.progress import Progress
from onnxtile.source import copy_of
from onnxtile.verification import Verdict, verify


class VerifyEach(Instrument):
    """Compares the model after each pass that changed it with the model before, by `verify`.

    The first pass whose result isn't equivalent is a PassError that says which node it is. Sizes that bind-dims
    gives to free dimensions are given to both models; other free dimensions are taken as `verify` takes them.
    """

    def __init__(self, cases: int = 4, seed: int = 0, progress: Progress | None = None) -> None:
        """`cases`, `seed`, `progress`: see `verify`."""
        self._cases, self._seed, self._progress = cases, seed, progress
        self._before: ir.Model | None = None

    def before_pass(self, turn: Turn, model: ir.Model) -> None:
        self._before = copy_of(model)

    def after_pass(self, turn: Turn, model: ir.Model, modified: bool) -> None:
        if not modified:
            return
        assert self._before is not None
        sizes = turn.each.sizes if isinstance(turn.each, BindDims) else {}
        try:
            wrong = what_differs(self._before, model, sizes, self._cases, self._seed, self._progress)
        except OnnxtileError as error:
            raise type(error)(f"pass {turn.name} can't be verified: {error}") from error
        if wrong is not None:
            raise PassError(f"pass {turn.name} left a model that isn't equivalent: {wrong}")


def what_differs(
    before: ir.Model,
    after: ir.Model,
    sizes: Mapping[str, int],
    cases: int,
    seed: int,
    progress: Progress | None = None,
) -> str | None:
    """What `verify` has against `after`, in a few words; None: nothing. Its errors, in words for pipelines."""
    try:
        verdict = verify(before, after, cases=cases, seed=seed, bind=sizes, progress=progress)
    except UnsupportedError as error:
        cure = "; in a pipeline, bind-dims{name=size} binds them"
        raise UnsupportedError(f"{error}{cure if free_dimensions(before) else ''}") from error
    return None if verdict.equivalent else _first_failure(verdict)


def _first_failure(verdict: Verdict) -> str:
    """The first region or output that fails, or why nothing was compared."""
    for region in verdict.regions:
        if not region.equivalent:
            return f"{region.op} {region.name!r}: {region.reason}"
    for output in verdict.outputs:
        if not output.equivalent:
            figures = f"largest difference {output.max_abs_error:.3g}, allowed {output.allowed:.3g}"
            return f"output {output.name!r}: {output.reason} ({figures})"
    return verdict.reason or "no reason was given"
