"""`annotate`: what every node costs, written into its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, overload

from onnxtile.api.models import files_of
from onnxtile.errors import suggesting_options

if TYPE_CHECKING:
    import onnx

    from onnxtile.api.models import AnyPath, Model
    from onnxtile.engine.choice import Minimize
    from onnxtile.engine.given import AnyEngine
    from onnxtile.ir.io.interop import AnyModel, ModelInMemory
    from onnxtile.ir.io.progress import Progress


@dataclass(frozen=True)
class Annotated:
    """A file that `annotate` wrote: its nodes, those of which an amount isn't known, and whether any was changed."""

    nodes: int
    unknown: int
    changed: bool


@overload
def annotate(
    model: Model, *, bind: Mapping[str, int] | None = None, engine: AnyEngine | None = None,
    minimize: Minimize = "cycles", clear: bool = False, output: None = None, follow_links: bool = False,
    progress: Progress | None = None,
) -> Model: ...  # fmt: skip
@overload
def annotate(
    model: AnyPath, *, bind: Mapping[str, int] | None = None, engine: AnyEngine | None = None,
    minimize: Minimize = "cycles", clear: bool = False, output: None = None, follow_links: bool = False,
    progress: Progress | None = None,
) -> onnx.ModelProto: ...  # fmt: skip
@overload
def annotate(
    model: AnyModel, *, bind: Mapping[str, int] | None = None, engine: AnyEngine | None = None,
    minimize: Minimize = "cycles", clear: bool = False, output: AnyPath, follow_links: bool = False,
    progress: Progress | None = None,
) -> Annotated: ...  # fmt: skip
@suggesting_options
def annotate(
    model: AnyModel,
    *,
    bind: Mapping[str, int] | None = None,
    engine: AnyEngine | None = None,
    minimize: Minimize = "cycles",
    clear: bool = False,
    output: AnyPath | None = None,
    follow_links: bool = False,
    progress: Progress | None = None,
) -> ModelInMemory | Annotated:
    """Return the model with what each node costs, as `profile` says, in its metadata, where viewers show it.

    The same kind comes back, a ModelProto for a path; the caller's model isn't changed. With `output=PATH` the file is
    written instead, and what was written is counted. `bind`: sizes of free dimensions to reckon with; the model keeps
    its own. `engine`, `minimize`: what nodes take on it is written too, as `profile` says it. `clear`: take out what an
    earlier call wrote. `follow_links`: see `profile`. Raises UsageError, ModelError, UnsupportedError, having written
    nothing.
    """
    from onnxtile.ir.graphs import nodes_within
    from onnxtile.ir.io.files import check_output
    from onnxtile.ir.io.interop import like, to_ir
    from onnxtile.ir.io.links import following_links
    from onnxtile.ir.io.load import external_files
    from onnxtile.ir.io.progress import silent
    from onnxtile.lowering.model_file import save
    from onnxtile.lowering.model_writer import to_proto
    from onnxtile.profiling.annotate import annotate as annotate_ir
    from onnxtile.profiling.annotate import has_unknown
    from onnxtile.tiling.forms.table import FORMS

    say = progress or silent
    if output is not None:
        check_output(Path(output), *files_of(model))
    say("read the model")
    with following_links(follow_links):
        loaded = to_ir(model)
    if output is not None:
        check_output(Path(output), *external_files(loaded))
    say("work out what each node costs")
    limits = None
    if engine is not None:
        from onnxtile.engine.limits import engine_limits

        limits = engine_limits(engine, minimize)
    changed = annotate_ir(loaded, bind, clear, limits)
    if output is None:
        return like(model, lambda: to_proto(loaded, FORMS["function"], "split", keep_external=False), lambda: loaded)
    save(loaded, Path(output), FORMS["function"], "split", next(iter(files_of(model)), None), say=say)
    nodes = list(nodes_within(loaded.graph))
    return Annotated(len(nodes), sum(map(has_unknown, nodes)), changed)
