"""Draw the pictures of docs/concepts.md as SVG: tiles, forms, what lower does, and a proof by regions.

The same bytes come out each time. `python docs/drawings.py FOLDER` writes them to look at.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

INK, PALE, PAPER = "#334155", "#94a3b8", "#ffffff"
TILES = ("#99f6e4", "#fde68a", "#bfdbfe", "#fecaca")
UNIT = 22
"""Points of a row or column of a matrix."""


def text(x: float, y: float, words: str, anchor: str = "middle", size: int = 13, weight: str = "normal") -> str:
    """Return a line of text whose baseline is at y."""
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
        f'fill="{INK}">{escape(words)}</text>'
    )


def box(x: float, y: float, width: float, height: float, fill: str = PAPER, words: str = "") -> str:
    """Return a rectangle with words in its middle."""
    drawn = (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="3" fill="{fill}" '
        f'stroke="{INK}" stroke-width="1.2"/>'
    )
    return drawn + (text(x + width / 2, y + height / 2 + 4.5, words) if words else "")


def arrow(x: float, y: float, to_x: float, to_y: float) -> str:
    """Return an arrow from one point to another."""
    return f'<path d="M{x:g} {y:g}L{to_x:g} {to_y:g}" stroke="{INK}" fill="none" marker-end="url(#head)"/>'


def matrix(x: float, y: float, heights: Sequence[int], widths: Sequence[int], name: str, sizes: tuple[str, str]) -> str:
    """Return a matrix cut into tiles, of these many rows and columns, with its name and the names of its axes."""
    drawn, top = [], y
    for row, height in enumerate(heights):
        left = x
        for column, width in enumerate(widths):
            fill = TILES[(2 * row + column) % len(TILES)]
            drawn.append(box(left, top, width * UNIT, height * UNIT, fill, f"{height}x{width}"))
            left += width * UNIT
        top += height * UNIT
    high, wide = sum(heights) * UNIT, sum(widths) * UNIT
    drawn.append(text(x + wide / 2, y - 10, f"{name}: {sizes[0]}, {sizes[1]}", weight="bold"))
    return "".join(drawn) + f'<rect x="{x:g}" y="{y:g}" width="{wide}" height="{high}" fill="none" stroke="{INK}"/>'


def picture(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    """Return the SVG, on white paper, so that it's readable on a dark page."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="system-ui, sans-serif" role="img"><title>{escape(title)}</title>'
        f'<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="{INK}"/></marker></defs>'
        f'<rect width="{width}" height="{height}" rx="6" fill="{PAPER}" stroke="{PALE}"/>'
    )
    return head + "".join(parts) + "</svg>\n"


def tiles() -> str:
    """Draw y = x w, 5 x 6 x 7 at limits 4,4,4: what one tile of y is the sum of."""
    m, k, n = (4, 1), (4, 2), (4, 3)
    top = 50
    parts = [
        matrix(30, top, m, k, "A", ("M = 5", "K = 6")),
        text(186, top + 62, "x", size=20),
        matrix(210, top, k, n, "B", ("K = 6", "N = 7")),
        text(388, top + 62, "=", size=20),
        matrix(412, top, m, n, "C", ("M = 5", "N = 7")),
        text(300, 218, "C[m0,n0] = A[m0,k0] x B[k0,n0] + A[m0,k1] x B[k1,n0]: a call of the engine each", size=12),
        text(300, 240, "8 calls: 2 tiles along M, 2 along K, 2 along N; those at the edge are smaller", size=12),
    ]
    return picture(600, 256, "A product of 5 x 6 x 7, cut into tiles of at most 4 x 4 x 4", parts)


def forms() -> str:
    """Draw the four ways to write one tiled product."""
    parts: list[str] = []
    for at, (name, words) in enumerate(
        (
            ("unrolled", "a node for each tile"),
            ("batched", "one MatMul over all tiles"),
            ("loop", "loops around one MatMul"),
            ("function", "one call"),
        )
    ):
        left = 20 + 195 * at
        parts += [text(left + 85, 30, name, size=15, weight="bold"), text(left + 85, 50, words, size=12)]
        parts += {"unrolled": _unrolled, "batched": _batched, "loop": _loop, "function": _function}[name](left, 70)
    return picture(800, 300, "Four forms of one tiled product", parts)


def _unrolled(x: float, y: float) -> list[str]:
    drawn = [box(x + 50, y, 70, 24, words="Split"), box(x + 50, y + 190, 70, 24, words="Concat")]
    for column in range(2):
        left = x + 90 * column
        for tile in range(2):
            drawn += [
                arrow(x + 85, y + 24, left + 20 + 40 * tile, y + 58),
                box(left + 2 + 41 * tile, y + 60, 37, 24, TILES[2 * column + tile], "MM"),
                arrow(left + 20 + 40 * tile, y + 84, left + 40, y + 118),
            ]
        drawn += [box(left + 15, y + 120, 50, 24, words="Add"), arrow(left + 40, y + 144, x + 85, y + 188)]
    return drawn


def _column(x: float, y: float, names: Sequence[tuple[str, str]]) -> list[str]:
    drawn = []
    for at, (name, fill) in enumerate(names):
        drawn.append(box(x + 15, y + 38 * at, 140, 24, fill, name))
        if at:
            drawn.append(arrow(x + 85, y + 38 * at - 14, x + 85, y + 38 * at - 1))
    return drawn


def _batched(x: float, y: float) -> list[str]:
    names = ["Pad, Reshape", "Transpose", "MatMul [m,n,k,·,·]", "ReduceSum over k", "Transpose, Reshape", "Slice"]
    return _column(x, y, [(name, TILES[0] if "MatMul" in name else PAPER) for name in names])


def _loop(x: float, y: float) -> list[str]:
    drawn = []
    for at, name in enumerate(("Scan over m", "Loop over n", "Loop over k")):
        drawn.append(box(x + 14 * at, y + 34 * at, 170 - 28 * at, 214 - 68 * at))
        drawn.append(text(x + 14 * at + 10, y + 34 * at + 20, name, "start", 12))
    return [*drawn, box(x + 45, y + 98, 80, 20, TILES[0], "MatMul"), box(x + 45, y + 122, 80, 18, words="Add")]


def _function(x: float, y: float) -> list[str]:
    return [
        box(x + 15, y + 76, 140, 40, TILES[1], "MatMul_5x6x7…"),
        arrow(x + 85, y + 30, x + 85, y + 74),
        arrow(x + 85, y + 116, x + 85, y + 160),
        text(x + 85, y + 182, "its body: the batched form", size=12),
    ]


def flow() -> str:
    """Draw what `lower` does, step by step."""
    steps = (
        ("read", "the file is judged first", "by its bytes"),
        ("infer", "sizes that hold", "in every run"),
        ("judge", "each product against", "M, K, N"),
        ("decompose", "to MatMul and", "what's around it"),
        ("tile", "one call a product:", "the compact model"),
        ("write", "calls become a form,", "weights are cut"),
        ("check", "the file is read", "and judged again"),
    )
    parts = []
    for at, (name, first, second) in enumerate(steps):
        left = 20 + 150 * (at % 4)
        top = 30 + 120 * (at // 4)
        parts += [box(left, top, 110, 34, TILES[0], name)]
        parts += [text(left + 55, top + 54, first, size=11), text(left + 55, top + 69, second, size=11)]
        if at % 4 < 3 and at + 1 < len(steps):
            parts.append(arrow(left + 110, top + 17, left + 148, top + 17))
    parts.append(f'<path d="M525 105V124H8V167H18" stroke="{INK}" fill="none" marker-end="url(#head)"/>')
    return picture(620, 246, "The steps of lower", parts)


def proof() -> str:
    """Draw two models in which one region differs, and what's compared."""
    parts = [text(120, 28, "original", weight="bold"), text(400, 28, "lowered", weight="bold")]
    for at, name in enumerate(("Relu", "Gemm", "Softmax")):
        top = 45 + 75 * at
        parts += [box(70, top, 100, 36, TILES[3] if at == 1 else PAPER, name)]
        if at != 1:
            parts += [box(350, top, 100, 36, words=name), text(260, top + 22, "the same node", size=12)]
        if at:
            parts += [arrow(120, top - 39, 120, top - 1), arrow(400, top - 39, 400, top - 1)]
    for at in range(4):
        parts.append(box(330 + 36 * at, 120, 32, 36, TILES[3], "MM"))
    parts += [
        text(250, 134, "one region: both", size=12), text(250, 149, "sides evaluated in", size=12),
        text(250, 164, "a finite field", size=12),
        text(270, 258, "Random numbers go into both sides of each region: if they agree, polynomials do.", size=12),
    ]  # fmt: skip
    return picture(560, 276, "A proof by regions", parts)


DRAWINGS: dict[str, Callable[[], str]] = {
    "tiles.svg": tiles,
    "forms.svg": forms,
    "flow.svg": flow,
    "proof.svg": proof,
}
"""Each drawing by its file."""

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for file, draw in DRAWINGS.items():
        (folder / file).write_text(draw())
