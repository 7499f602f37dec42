"""A product C = A B as a picture: C in the corner between A and B, with the lines along which they're cut."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from onnxtile.drawing.svg import Element, add, label, rectangle, short
from onnxtile.drawing.tiles import Sizes, TileGrid
from onnxtile.ir.printable import several
from onnxtile.ir.symbolic.amounts import text_of
from onnxtile.operators.contractions import Contraction

CLOSEST = 2.5
"""Pixels between lines; where they would be closer, the area is filled instead."""
MOST_CUTS = 10_000
"""Pieces of an axis that are counted for lines; there's no room for so many."""
AXES = "MKN"


@dataclass(frozen=True)
class Drawn:
    """A product to draw. `size`: as text, `?` where it isn't known; `lengths`: in elements, None where it's no number.

    `title`: of the node, `words`: operator and what else is said of it.
    """

    title: str
    words: str
    size: tuple[str, str, str]
    lengths: Sizes
    grid: TileGrid | None = None
    batch: str = ""

    @property
    def size_text(self) -> str:
        """Return `M x K x N`, and how many of them.

        >>> Drawn("fc", "Gemm", ("1", "64", "4,096"), (1, 64, 4096), batch="12").size_text
        '12 times 1 x 64 x 4,096'
        """
        return f"{self.batch} times {' x '.join(self.size)}" if self.batch else " x ".join(self.size)

    @property
    def tile_text(self) -> str:
        """Return how many tiles of which size it's cut into; nothing where it isn't."""
        if self.grid is None:
            return ""
        tile = " x ".join("*" if side is None else f"{side:,}" for side in self.grid.tile)
        counts = self.grid.counts
        if not self.grid.whole:
            return f"{several(self.grid.nodes, 'tile product')}, at most {tile}, in no grid"
        how_many = " x ".join("?" if count is None else f"{count:,}" for count in counts)
        return f"{how_many} tiles of {tile}"


def of_product(product: Contraction) -> Drawn:
    """Return a product of a model as it's drawn."""
    size = product.size
    dtype = "" if product.dtype is None else f", {product.dtype.numpy()}"
    return Drawn(
        product.name, f"{product.node.op_type} {product.part}".strip() + dtype,
        _texts([text_of(side) for side in size.axes]),
        tuple(side if isinstance(side, int) else None for side in size.axes),  # type: ignore[arg-type]  # three of them
        batch=_batch(product),
    )  # fmt: skip


def of_grid(grid: TileGrid, title: str, product: Contraction | None = None) -> Drawn:
    """Return the tiles of a product as they're drawn; `product`: the one that they stand for, where it's known."""
    words = f"{grid.operator}{', with padding' if grid.padded else ''}"
    return Drawn(title, words, _texts(grid.size), grid.size, grid, "" if product is None else _batch(product))


def _batch(product: Contraction) -> str:
    batch = text_of(product.size.batch)
    return "" if batch == 1 else _text(batch)


def _texts(sides: Sequence[int | str | None]) -> tuple[str, str, str]:
    m, k, n = map(_text, sides)
    return m, k, n


def _text(side: int | str | None) -> str:
    return "?" if side is None else f"{side:,}" if isinstance(side, int) else short(side, 16)


def longest(drawn: Iterable[Drawn]) -> int:
    """Return the greatest length along any axis."""
    return max((length for one in drawn for length in one.lengths if length is not None), default=1)


def side(length: int | None, long: int, most: float) -> float:
    """Return the pixels of a side: `most` for one of `long` elements, half of it where it isn't known.

    Others are as long as the logarithm of their elements, so that a row is seen beside thousands.
    """
    least = most / 12
    if length is None:
        return most / 2
    return least + (most - least) * min(1.0, math.log2(max(1, length)) / math.log2(max(2, long)))


@dataclass(frozen=True)
class Corner:
    """Hold the places of the operands: A, B and C as x, y, width, height."""

    a: tuple[float, float, float, float]
    b: tuple[float, float, float, float]
    c: tuple[float, float, float, float]


def corner_of(x: float, y: float, drawn: Drawn, long: int, most: float) -> Corner:
    """Return where A, B and C are from that corner on; `long` elements are `most` pixels."""
    m, k, n = (side(length, long, most) for length in drawn.lengths)
    gap = max(3.0, most / 16)
    return Corner((x, y + k + gap, k, m), (x + k + gap, y, n, k), (x + k + gap, y + k + gap, n, m))


def draw_corner(parent: Element, x: float, y: float, drawn: Drawn, long: int, most: float) -> Corner:
    """Draw A, B and C from that corner on; `long` elements are `most` pixels."""
    corner = corner_of(x, y, drawn, long, most)
    cuts = ((), (), ()) if drawn.grid is None else tuple(cut_places(drawn, axis) for axis in range(3))
    for kind, place, (down, across) in (("a", corner.a, (0, 1)), ("b", corner.b, (1, 2)), ("c", corner.c, (0, 2))):
        sides = f"{drawn.size[down]} x {drawn.size[across]}"
        unknown = None in (drawn.lengths[down], drawn.lengths[across])
        rectangle(parent, *place, f"{kind} open" if unknown else kind, f"{kind.upper()}: {sides}")
        _draw_cuts(parent, kind, place, cuts[across], cuts[down])
    return corner


def cut_places(drawn: Drawn, axis: int) -> list[float]:
    """Return where an axis is cut, as parts of its length."""
    grid, length = drawn.grid, drawn.lengths[axis]
    if grid is None or not length:
        return []
    if grid.pieces[axis]:
        return [start / length for start, _ in grid.pieces[axis] if 0 < start < length]
    count, tile = grid.counts[axis], grid.tile[axis]
    if not count or not tile:
        return []
    return [at * tile / length for at in range(1, min(count, MOST_CUTS))]


def _draw_cuts(
    parent: Element, kind: str, place: tuple[float, float, float, float], across: Sequence[float], down: Sequence[float]
) -> None:
    x, y, width, height = place
    path = ""
    if any(parts and length / (len(parts) + 1) < CLOSEST for parts, length in ((across, width), (down, height))):
        rectangle(parent, *place, f"{kind} many")
    if across and width / (len(across) + 1) >= CLOSEST:
        path += "".join(f"M{x + part * width:.1f} {y:.1f}v{height:.1f}" for part in across)
    if down and height / (len(down) + 1) >= CLOSEST:
        path += "".join(f"M{x:.1f} {y + part * height:.1f}h{width:.1f}" for part in down)
    if path:
        add(parent, "path", d=path, class_=f"{kind} cut")


def loops(drawn: Drawn) -> list[str]:
    """Return the order of the tiles as loops, a line each."""
    grid = drawn.grid
    if grid is None or not any(grid.pieces):
        return []
    if grid.order is None:
        return ["tiles in no order of their places"]
    lines = []
    for depth, axis in enumerate(grid.order):
        letter = "mkn"[axis]
        lines.append(f"{'  ' * depth}for {letter} in {len(grid.pieces[axis]):,} pieces of {AXES[axis]}:")
    return [*lines, f"{'  ' * len(grid.order)}C[m, n] {'+' if 1 in grid.order else ''}= A[m, k] @ B[k, n]"]


def draw_product(parent: Element, x: float, y: float, drawn: Drawn, most: float = 300) -> tuple[Corner, float, float]:
    """Draw a product with its sizes and the order of its tiles; returns where, and the lower right end."""
    corner = draw_corner(parent, x + 44, y + 24, drawn, longest([drawn]), most)
    (ax, ay, aw, ah), (bx, by, bw, _), (cx, cy, cw, ch) = corner.a, corner.b, corner.c
    counts = (None, None, None) if drawn.grid is None else drawn.grid.counts
    m, k, n = (
        f"{letter} {size}" + (f", {several(count, 'piece')}" if count and count > 1 else "")
        for letter, size, count in zip(AXES, drawn.size, counts, strict=True)
    )
    label(parent, bx + bw / 2, by - 8, n, "small", "middle")
    label(parent, ax + aw / 2, ay + ah + 16, k, "small", "middle")
    turned = label(parent, 0, 0, m, "small", "middle")
    turned.set("transform", f"translate({ax - 8:.1f} {ay + ah / 2:.1f}) rotate(-90)")
    for letter, (px, py, width, height) in zip("ABC", (corner.a, corner.b, corner.c), strict=True):
        if min(width, height) > 24:
            label(parent, px + width / 2, py + height / 2 + 5, letter, "name", "middle")
    bottom = max(cy + ch, ay + ah) + 36
    for line in loops(drawn):
        indent = len(line) - len(line.lstrip())
        label(parent, x + 44 + 8 * indent, bottom, line, "small code")
        bottom += 15
    return corner, max(cx + cw, bx + bw) + 20, bottom
