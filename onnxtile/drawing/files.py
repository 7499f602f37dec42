"""Drawings as files: SVG, a page of HTML, or PNG."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxtile.errors import UsageError
from onnxtile.ir.io.files import check_output, replacing

if TYPE_CHECKING:
    from onnxtile.drawing.draw import Drawing

MOST_PIXELS = 60_000_000
"""Of a PNG; a larger picture is drawn smaller."""
MOST_ON_A_SIDE = 32_000
"""Pixels of a side of a PNG: browsers show no more."""
KINDS = (".svg", ".html", ".png")


def check_drawing(output: Path, *others: Path) -> None:
    """Raise UsageError where nothing can be drawn, or not to this path; `others`: files that have to stay."""
    check_output(output, *others)
    kind = output.suffix.lower()
    if kind not in KINDS:
        raise UsageError(f"output {output}: pictures are {', '.join(KINDS[:-1])} or {KINDS[-1]}; give such a name")
    check_layout()
    if kind == ".png":
        _converter()


def check_layout() -> None:
    """Raise UsageError where nothing can be drawn."""
    try:
        import igraph  # noqa: F401  # the layout needs it
    except ImportError as error:
        raise UsageError("draw takes igraph, which isn't installed: pip install 'onnxtile[draw]'") from error


def write_drawing(output: Path, drawn: Drawing, node: str | None = None) -> None:
    """Write a drawing, or that of one node's products, as its path says: .svg, .html or .png."""
    kind = output.suffix.lower()
    if kind == ".html":
        content = drawn.html(node).encode()
    else:
        picture = drawn.svg(node)
        content = _png(picture) if kind == ".png" else picture.encode()
    with replacing(output) as temporary:
        temporary.write_bytes(content)


def _converter() -> Any:
    try:
        import resvg_py
    except ImportError as error:
        raise UsageError(
            "a .png takes resvg-py, which isn't installed: pip install resvg-py, or draw an .svg"
        ) from error
    return resvg_py


def _png(svg: str) -> bytes:
    """Return a picture twice as large as it's said to be, or as large as a PNG may be."""
    width, height = (float(number) for number in re.findall(r' (?:width|height)="([\d.]+)"', svg)[:2])
    zoom = min(2.0, (MOST_PIXELS / (width * height)) ** 0.5, MOST_ON_A_SIDE / max(width, height))
    options = {"sans_serif_family": "DejaVu Sans", "monospace_family": "DejaVu Sans Mono"}
    return bytes(_converter().svg_to_bytes(svg_string=svg, zoom=zoom, **options))
