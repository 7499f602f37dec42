"""`report`: a page on a model, and on what a lowering made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, overload

from onnxtile.api.models import files_of
from onnxtile.errors import UsageError, suggesting_options
from onnxtile.ir.json_encoding import JsonRecord

if TYPE_CHECKING:
    from onnxtile.api.models import AnyPath
    from onnxtile.engine.given import AnyEngine
    from onnxtile.ir.io.interop import AnyModel
    from onnxtile.ir.io.progress import Progress
    from onnxtile.tiling.limits import AnyLimits, ProductLimits


@dataclass(frozen=True)
class ReportFile(JsonRecord, members="schema *"):
    """A page that `report` wrote: its path, its size in bytes, and what it's on.

    `fits`: every product is within the limits, in the lowered model where there is one; None where no limits were
    given. `equivalent`: the lowered model is; None where it wasn't to be proven.
    """

    schema: ClassVar[str] = "onnxtile.report/1"
    output: str
    bytes: int
    title: str
    fits: bool | None
    equivalent: bool | None

    def __str__(self) -> str:
        return f"{self.output} is written"


@overload
def report(
    model: AnyModel, lowered: AnyModel | None = None, *, max: ProductLimits | AnyLimits | None = None,
    engine: AnyEngine | None = None, verify: bool = False, seed: int | None = None, timeout: float | None = None,
    bind: Mapping[str, int] | None = None, output: None = None, follow_links: bool = False,
    progress: Progress | None = None,
) -> str: ...  # fmt: skip
@overload
def report(
    model: AnyModel, lowered: AnyModel | None = None, *, max: ProductLimits | AnyLimits | None = None,
    engine: AnyEngine | None = None, verify: bool = False, seed: int | None = None, timeout: float | None = None,
    bind: Mapping[str, int] | None = None, output: AnyPath, follow_links: bool = False,
    progress: Progress | None = None,
) -> ReportFile: ...  # fmt: skip
@suggesting_options
def report(
    model: AnyModel,
    lowered: AnyModel | None = None,
    *,
    max: ProductLimits | AnyLimits | None = None,
    engine: AnyEngine | None = None,
    verify: bool = False,
    seed: int | None = None,
    timeout: float | None = None,
    bind: Mapping[str, int] | None = None,
    output: AnyPath | None = None,
    follow_links: bool = False,
    progress: Progress | None = None,
) -> str | ReportFile:
    """Return a page of HTML on a model: its products, its costs before and after a lowering, plots, and the proof.

    With `output=PATH` the file is written instead, a name that ends in .html, and what was written is told. `lowered`:
    what a lowering made of the model. `max` or `engine`: products are held against these limits; with an engine costs
    there are told, too. `verify`: prove `lowered` equivalent, as `onnxtile.verify` does (`seed`, `timeout` in seconds).
    `bind`: sizes of free dimensions by name. `follow_links`: see `profile`. Needs `pip install 'onnxtile[plots]'`.
    Raises UsageError, ModelError, UnsupportedError, having written nothing.
    """
    if verify and lowered is None:
        raise UsageError("a lowered model is proven; give it behind the model, or leave verify out")
    if seed is not None and not verify:
        raise UsageError("seed is a proof's; give verify, too")
    if max is not None and engine is not None:
        raise UsageError("max and engine are both limits; give one of them")
    if output is not None and Path(output).suffix.lower() != ".html":
        raise UsageError(f"output {output}: a report is a page; give a name that ends in .html")
    from onnxtile.drawing.facts import facts_of
    from onnxtile.drawing.report_page import report_page
    from onnxtile.ir.collector import collector_paused
    from onnxtile.ir.io.files import check_output, replacing
    from onnxtile.ir.io.links import following_links
    from onnxtile.ir.io.progress import silent
    from onnxtile.plots.drawing import figure

    say = progress or silent
    if output is not None:
        check_output(Path(output), *files_of(model), *files_of(lowered))
    with figure(1, 1):  # refuses where nothing can be drawn
        pass
    verdict = None
    with following_links(follow_links), collector_paused():
        if verify and lowered is not None:
            from onnxtile.verification.verify import verify as prove

            verdict = prove(model, lowered, seed=seed, bind=bind, timeout=timeout, progress=say)
        say("read the model")
        facts = facts_of(model, lowered, limits=max, engine=engine, bind=bind, verdict=verdict)
        text = report_page(facts)
    if output is None:
        return text
    with replacing(Path(output)) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    judged = facts.left or facts.checked
    names = facts.title if facts.after is None else f"{facts.title} and {facts.after_title}"
    return ReportFile(
        str(output), Path(output).stat().st_size, names, None if judged is None else judged.ok,
        None if verdict is None else verdict.equivalent,
    )  # fmt: skip
