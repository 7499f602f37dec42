"""Pictures as files: SVG, or a page of HTML that has them inside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from onnxtile.errors import UsageError
from onnxtile.ir.io.files import check_output, replacing
from onnxtile.plots.drawing import escaped, figure, svg
from onnxtile.plots.layer import Layer
from onnxtile.plots.layer_bytes import MOST_BARS, draw_bytes
from onnxtile.plots.roofline import draw_roofline
from onnxtile.plots.trade import draw_trade

if TYPE_CHECKING:
    from onnxtile.exploration.results import Sweep

KINDS = (".svg", ".html")
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 1rem auto; max-width: 1300px; padding: 0 1rem;
  color: #1f2328; background: #fefefe }}
h1 {{ font-size: 1.2rem; margin: 0 }}
p {{ margin: .2rem 0 .6rem }}
svg {{ width: 100%; height: auto; max-height: 85vh }}
@media (prefers-color-scheme: dark) {{ body {{ color: #d6dbe1; background: #15181c }} }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{words}</p>
{pictures}</body>
</html>
"""


def check_picture(path: Path) -> None:
    """Raise UsageError where no picture can be written to this path, or none can be drawn."""
    check_output(path)
    if path.suffix.lower() not in KINDS:
        raise UsageError(f"--plot {path}: pictures are .svg, or .html with them inside; give such a name")
    with figure(1, 1):
        pass


def write_layers(path: Path, layers: Sequence[Layer], bandwidth: float | None, title: str, words: str = "") -> None:
    """Write the roofline and each layer's bytes side by side; without `bandwidth` (bytes a cycle) the bytes alone."""
    height = max(4.6, 1.4 + 0.2 * min(sum(1 for layer in layers if layer.bytes), MOST_BARS))
    with figure(12.5 if bandwidth else 7.5, height, columns=2 if bandwidth else 1) as (drawn, axes):
        titles = draw_bytes(axes[-1], layers)
        if bandwidth:
            titles |= draw_roofline(axes[0], layers, bandwidth)
        _write(path, svg(drawn, titles, "layers"), title, words)


def write_trade(path: Path, study: Sweep, title: str, words: str = "") -> None:
    """Write what the engines of a sweep trade."""
    with figure(9, 5.6) as (drawn, axes):
        _write(path, svg(drawn, draw_trade(axes[0], study), "engines"), title, words)


def _write(path: Path, picture: str, title: str, words: str) -> None:
    check_output(path)
    text = picture
    if path.suffix.lower() == ".html":
        text = _PAGE.format(title=escaped(title), words=escaped(words), pictures=picture)
    else:
        text = f'<?xml version="1.0" encoding="utf-8"?>\n{picture}'
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
