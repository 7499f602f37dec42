"""`draw`: a model as a picture, beside what a lowering made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, overload

from onnxtile.api.models import files_of
from onnxtile.errors import suggesting_options, wrong_name
from onnxtile.ir.json_encoding import JsonRecord

if TYPE_CHECKING:
    from onnxtile.api.models import AnyPath
    from onnxtile.ir.io.interop import AnyModel
    from onnxtile.ir.io.progress import Progress

KINDS = ("svg", "html")


@dataclass(frozen=True)
class DrawingFile(JsonRecord, members="schema *"):
    """A file that `draw` wrote: its path, its kind (svg, html, png) and size in bytes.

    `products`: names of the nodes whose products have a block of their own; `left_out`: what isn't drawn, in words.
    """

    schema: ClassVar[str] = "onnxtile.draw/1"
    output: str
    kind: str
    bytes: int
    title: str
    products: tuple[str, ...]
    left_out: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([*(f"not drawn: {words}" for words in self.left_out), f"{self.output} is written"])


@overload
def draw(
    model: AnyModel, lowered: AnyModel | None = None, *, node: str | None = None, kind: Literal["svg", "html"] = "svg",
    bind: Mapping[str, int] | None = None, output: None = None, follow_links: bool = False,
    progress: Progress | None = None,
) -> str: ...  # fmt: skip
@overload
def draw(
    model: AnyModel, lowered: AnyModel | None = None, *, node: str | None = None, kind: Literal["svg", "html"] = "svg",
    bind: Mapping[str, int] | None = None, output: AnyPath, follow_links: bool = False,
    progress: Progress | None = None,
) -> DrawingFile: ...  # fmt: skip
@suggesting_options
def draw(
    model: AnyModel,
    lowered: AnyModel | None = None,
    *,
    node: str | None = None,
    kind: Literal["svg", "html"] = "svg",
    bind: Mapping[str, int] | None = None,
    output: AnyPath | None = None,
    follow_links: bool = False,
    progress: Progress | None = None,
) -> str | DrawingFile:
    """Return a picture of a model: its products with their tiles, the rest layer by layer.

    The text of an SVG, or with `kind="html"` of a page that zooms down to a tile. With `output=PATH` the file is
    written instead, as its name says (.svg, .html or .png), and what was written is told. `lowered`: what a lowering
    made of the model, drawn beside it. `node`: the products of this node alone; on a page, those shown first. `bind`:
    sizes of free dimensions by name. `follow_links`: see `profile`. Needs `pip install 'onnxtile[draw]'`. Raises
    UsageError, ModelError, UnsupportedError, having written nothing.
    """
    from onnxtile.drawing.draw import drawing
    from onnxtile.drawing.files import check_drawing, check_layout, write_drawing
    from onnxtile.ir.collector import collector_paused
    from onnxtile.ir.io.links import following_links
    from onnxtile.ir.io.progress import silent

    if kind not in KINDS:
        raise wrong_name(f"kind {kind!r} of a picture is unknown", kind, KINDS, "; a file's name says it")
    if output is None:
        check_layout()
    else:
        check_drawing(Path(output), *files_of(model), *files_of(lowered))
    (progress or silent)("read the model")
    with following_links(follow_links), collector_paused():
        drawn = drawing(model, lowered, bind=bind)
        if output is None:
            return drawn.svg(node) if kind == "svg" else drawn.html(node)
        path = Path(output)
        write_drawing(path, drawn, node)
    return DrawingFile(
        str(path), path.suffix.lower()[1:], path.stat().st_size, drawn.title, tuple(drawn.names),
        tuple(drawn.outline.left_out),
    )  # fmt: skip
