"""Drawing with matplotlib: one look for all pictures, for light and dark screens; same figures, same bytes."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from onnxtile.errors import UsageError
from onnxtile.ir.printable import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, PAPER = "#1f2328", "#fefefe"
"""Colours of text and lines, and of what's behind them; SVG has others of them on dark screens."""
BLUE, ORANGE, GREEN, PINK, GREY = "#3b82c4", "#e07b39", "#2a9d76", "#c06fa3", "#8b949e"
"""Colours that people who see fewer of them tell apart, on light and on dark."""
LONGEST = 28
"""Letters of a name; of a longer one its ends."""
_DARK = (
    "@media (prefers-color-scheme: dark) {{ svg {{ color: #d6dbe1 }} #{paper} path {{ fill: #15181c !important }} }}"
)
_LOOK: Mapping[str, Any] = {
    "svg.fonttype": "none",  # text stays text, which can be searched and read out
    "svg.hashsalt": "onnxtile",
    "text.parse_math": False,  # names may have a dollar
    "font.family": ["sans-serif"], "font.sans-serif": ["DejaVu Sans", "Helvetica", "Arial"], "font.size": 9.0,
    "axes.titlesize": 11.0, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.titlepad": 10.0,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8,
    "axes.edgecolor": INK, "axes.labelcolor": INK, "axes.titlecolor": INK, "text.color": INK,
    "xtick.color": INK, "ytick.color": INK, "axes.facecolor": "none", "figure.facecolor": PAPER,
    "grid.color": GREY, "grid.alpha": 0.25, "grid.linewidth": 0.6, "axes.grid": True, "axes.axisbelow": True,
    "legend.frameon": False, "legend.fontsize": 8.5, "lines.linewidth": 1.6,
}  # fmt: skip


@contextmanager
def figure(width: float, height: float, rows: int = 1, columns: int = 1) -> Iterator[tuple[Figure, list[Axes]]]:
    """Give an empty figure of so many inches and its axes, one after the other, in the look of all pictures.

    Raises UsageError where matplotlib isn't installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure as NewFigure
    except ImportError as error:
        raise UsageError("pictures take matplotlib, which isn't installed: pip install 'onnxtile[plots]'") from error
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # letters that it has no picture of; browsers do
        mpl.rcdefaults()
        mpl.rcParams.update(_LOOK)
        drawn = NewFigure(figsize=(width, height), layout="constrained")
        drawn.get_layout_engine().set(w_pad=0.12, h_pad=0.12)  # type: ignore[union-attr, call-arg]
        yield drawn, list(drawn.subplots(rows, columns, squeeze=False).flat)


def svg(drawn: Figure, titles: Mapping[str, str], name: str) -> str:
    """Return a figure as SVG; `titles`: what a viewer shows of the element of this id. To be called inside `figure`.

    `name` is in the ids, so that several pictures can be on one page.
    """
    drawn.patch.set_gid(paper := f"{name}-paper")
    written = io.StringIO()
    drawn.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    text = written.getvalue()
    text = re.sub("<[^>]*>", lambda tag: tag[0].replace(INK, "currentColor"), text[text.index("<svg") :])
    head, behind = text.split(">", 1)
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    look = f"<style>svg {{ color: {INK} }} {_DARK.format(paper=paper)}</style>"
    text = f'{head} role="img" style="max-width: 100%">\n{look}{behind}'
    for element, title in titles.items():
        mark = f'<g id="{element}">'
        text = text.replace(mark, f"{mark}<title>{escaped(title)}</title>", 1)
    # ids of clip paths, markers and fonts are hashes of what they are: alike in several pictures, and so harmless
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def escaped(text: str) -> str:
    """Return text for XML and HTML, without what would steer them."""
    text = printable(text)
    for letter, words in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(letter, words)
    return text


def short(name: str, longest: int = LONGEST) -> str:
    """Return a name as it's written into a picture: one line, of a long one both ends.

    >>> short("encoder.layers.11.attention.query.MatMul", 20)
    'encoder.l...y.MatMul'
    """
    name = printable(name)
    if len(name) <= longest:
        return name
    head = (longest - 3 + 1) // 2
    return f"{name[:head]}...{name[-(longest - 3 - head) :]}"


def amount(number: float, unit: str = "") -> str:
    """Return a number of an axis with a prefix of the SI.

    >>> amount(1500), amount(2e6, "B"), amount(0.25)
    ('1.5 k', '2 MB', '0.25')
    """
    for factor, prefix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= factor:
            return f"{number / factor:.3g} {prefix}{unit}"
    return f"{number:.3g}{f' {unit}' if unit else ''}"


def memory(size: int) -> str:
    """Return bytes of a memory, whose sizes are powers of 2.

    >>> memory(65536), memory(3 << 20), memory(1000)
    ('64 KiB', '3 MiB', '1 kB')
    """
    for factor, unit in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if size % factor == 0 and size >= factor:
            return f"{size // factor:,} {unit}"
    return amount(size, "B")


def label_axes(axes: Axes, x: str = "", y: str = "", log: str = "") -> None:
    """Write what axes count, numbers as people write them; `log`: the logarithmic ones. Call it behind the data."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xlabel(x)
    axes.set_ylabel(y)
    for name, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        if name in log:
            getattr(axes, f"set_{name}scale")("log")
            low, high = axis.get_view_interval()
            axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
            axis.set_major_formatter(FuncFormatter(lambda number, _: amount(number)))
            axis.set_minor_formatter(NullFormatter())


def place_labels(axes: Axes, labels: Sequence[tuple[float, float, str]]) -> None:
    """Write labels beside points of a finished drawing, the first ones first, each where it covers none before it."""
    drawn = axes.figure
    drawn.draw_without_rendering()  # type: ignore[union-attr]
    frame = axes.get_window_extent()
    taken: list[Any] = [legend.get_window_extent()] if (legend := axes.get_legend()) else []
    for x, y, text in labels:
        for dx, dy, side in ((6, 4, "left"), (-6, 4, "right"), (6, -11, "left"), (-6, -11, "right")):
            note = axes.annotate(text, (x, y), (dx, dy), textcoords="offset points", ha=side, fontsize=8)
            box = note.get_window_extent()
            inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 + 20 and frame.y0 <= box.y0 and box.y1 <= frame.y1
            if inside and not any(box.overlaps(other) for other in taken):
                taken.append(box.padded(2))
                break
            note.remove()
