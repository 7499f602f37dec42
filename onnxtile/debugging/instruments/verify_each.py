"""Verify that passes leave equivalent models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx_ir as ir

from onnxtile.errors import OnnxtileError, PassError, UnsupportedError
from onnxtile.ir.dimensions import free_dimensions
from onnxtile.ir.io.checker import one_line
from onnxtile.ir.io.progress import Progress
from onnxtile.passes.bind_dims import BindDims
from onnxtile.passes.changes import Snapshot
from onnxtile.passes.instrument import CheckStructure, Instrument, Turn
from onnxtile.verification.verdict import Verdict
from onnxtile.verification.verify import verify

UNREPORTED = "the pass says that it changed nothing"


class VerifyEach(Instrument):
    """Compares the model after each pass with the model before, by `verify`, whatever the pass says of itself.

    The first pass whose result isn't equivalent is a PassError that says which node it is. Sizes that bind-dims
    gives to free dimensions are given to both models; other free dimensions are taken as `verify` takes them.
    `unreported` has the positions, counted from 0, of passes that changed the model and said that they didn't, and
    `verified` counts those that changed it and left an equivalent one.
    """

    def __init__(self, cases: int = 4, seed: int = 0, progress: Progress | None = None) -> None:
        """`cases`, `seed`, `progress`: see `verify`."""
        self._cases, self._seed, self._progress = cases, seed, progress
        self._before: Snapshot | None = None
        self.unreported: set[int] = set()
        self.verified = 0

    def before_pipeline(self, passes: Sequence[ir.passes.PassBase]) -> None:
        self.unreported, self.verified = set(), 0

    def before_pass(self, turn: Turn, model: ir.Model) -> None:
        self._before = Snapshot(model)

    def after_pass(self, turn: Turn, model: ir.Model, modified: bool) -> None:
        assert self._before is not None
        if not self._changed(turn, model, modified):
            return
        but = "" if modified else f" ({UNREPORTED})"
        if not modified:
            self.unreported.add(turn.index)
        sizes = turn.pass_.sizes if isinstance(turn.pass_, BindDims) else {}
        try:
            wrong = what_differs(self._before.model, model, sizes, self._cases, self._seed, self._progress)
        except OnnxtileError as error:
            raise type(error)(f"pass {turn.name} can't be verified{but}: {error}") from error
        if wrong is not None:
            raise PassError(f"pass {turn.name} left a model that isn't equivalent{but}: {wrong}")
        self.verified += 1

    def _changed(self, turn: Turn, model: ir.Model, modified: bool) -> bool:
        """Return whether the model changed; PassError where it did and isn't valid any more."""
        assert self._before is not None
        broken: Exception | None = None
        try:
            if not self._before.differs_from(model):
                return False
        except Exception as error:  # a broken graph may trip whoever walks it
            broken = error
        if broken is None and modified:
            return True  # the pass manager has checked it
        but = "" if modified else f" ({UNREPORTED})"
        try:
            CheckStructure().after_pass(turn, model, modified=True)
        except PassError as error:
            raise PassError(f"{error}{but}") from error
        if broken is not None:
            raise PassError(f"pass {turn.name} left a model that can't be read{but}: {one_line(broken)}") from broken
        return True


def what_differs(
    before: ir.Model,
    after: ir.Model,
    sizes: Mapping[str, int],
    cases: int,
    seed: int,
    progress: Progress | None = None,
) -> str | None:
    """Return what `verify` has against `after`, in a few words; None: nothing. Its errors get words for pipelines.

    Raises UnsupportedError where nothing differs, but something can't be told.
    """
    cure = "; in a pipeline, bind-dims{name=size} binds them" if free_dimensions(before) else ""
    try:
        verdict = verify(before, after, cases=cases, seed=seed, bind=sizes, progress=progress)
    except UnsupportedError as error:
        raise UnsupportedError(f"{error}{cure}") from error
    if "unknown" in verdict.counts and "different" not in verdict.counts:
        raise UnsupportedError(f"no engine runs the original's part: {_first_failure(verdict)}{cure}")
    return None if verdict.equivalent else _first_failure(verdict)


def _first_failure(verdict: Verdict) -> str:
    """Return the first region or output that fails, or why nothing was compared."""
    for region in verdict.regions:
        if not region.equivalent:
            return f"{region.op} {region.name!r}: {region.reason}"
    for output in verdict.outputs:
        if not output.equivalent:
            figures = f"max error {output.max_abs_error:.3g}, allowed {output.allowed:.3g}"
            return f"output {output.name!r}: {output.reason} ({figures})"
    return verdict.reason or "no reason was given"
