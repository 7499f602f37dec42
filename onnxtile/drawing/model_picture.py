"""A model as a picture: its blocks from top to bottom; beside it, at the same places, what a lowering made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onnxtile.drawing.blocks import Block, Outline
from onnxtile.drawing.layout import Layout, lay_out
from onnxtile.drawing.product_picture import Drawn, corner_of, draw_corner, longest
from onnxtile.drawing.svg import Element, add, label, picture, rectangle, short
from onnxtile.ir.printable import several

WIDTH = 340.0
"""Of a block."""
MARGIN, HEAD, BETWEEN = 24.0, 54.0, 64.0
THUMB = 58.0
"""The longest side of a product's operands."""
MOST_PRODUCTS = 3
"""Products of one block that are drawn, of those that aren't alike; the others are counted."""
MOST_OPERATORS = 12
"""Operators of a block that are named."""
NAME, WORDS = 26, 46
"""Letters of a name, and of other words, that a block has room for."""


@dataclass(frozen=True)
class Side:
    """One model of a picture: its title, and for each block its products and how many nodes of which operator it has.

    `words`: a line below the title.
    """

    title: str
    words: str
    products: Sequence[Sequence[Drawn]]
    operators: Sequence[Mapping[str, int]]


def draw_model(outline: Outline, sides: Sequence[Side], title: str) -> tuple[Element, Layout]:
    """Draw each side beside the other; returns the picture, and where the blocks of the first are."""
    long = longest(drawn for side in sides for products in side.products for drawn in products)
    heights = [
        max(_height(block, side.products[at], long) for side in sides) for at, block in enumerate(outline.blocks)
    ]
    layout = lay_out([block.level for block in outline.blocks], heights, outline.edges, WIDTH)
    across = max(layout.width, WIDTH) + BETWEEN
    notes = [f"not drawn: {words}" for words in outline.left_out]
    width = 2 * MARGIN + across * len(sides) - BETWEEN
    head = HEAD + 16 * len(notes)
    height = 2 * MARGIN + head + layout.height + 20
    root = picture(width, height, title)
    for number, note in enumerate(notes):
        label(root, MARGIN, MARGIN + 46 + 16 * number, note, "small over")
    for number, side in enumerate(sides):
        x = MARGIN + number * across
        label(root, x, MARGIN + 12, short(side.title, 44), "name head")
        label(root, x, MARGIN + 30, side.words, "small dim")
        group = add(root, "g", transform=f"translate({x:g} {MARGIN + head:g})", class_="side")
        _draw_edges(group, layout)
        for at, (block, corner) in enumerate(zip(outline.blocks, layout.corners, strict=True)):
            _draw_block(group, at, corner, heights[at], block, side, long)
    below = MARGIN + head + layout.height + 34
    label(root, MARGIN, below, "sides are as long as the logarithm of their sizes", "small dim")
    return root, layout


def _height(block: Block, products: Sequence[Drawn], long: int) -> float:
    if not block.is_product:
        return 26.0
    shown = alike(products)
    rows = [_row_height(drawn, long) for drawn, _ in shown[:MOST_PRODUCTS]]
    return 12 + (sum(rows) or 44) + 16 * (len(shown) > MOST_PRODUCTS)


def _row_height(drawn: Drawn, long: int) -> float:
    _, top, _, height = corner_of(0, 0, drawn, long, THUMB).c
    return max(top + height + 14, 16.0 * (4 + len(_two_lines(drawn.tile_text)) if drawn.grid else 4) + 8)


def alike(products: Sequence[Drawn]) -> list[tuple[Drawn, int]]:
    """Return products that look different, each with how many there are of it."""
    counts: Counter[tuple[str, ...]] = Counter()
    first: dict[tuple[str, ...], Drawn] = {}
    for drawn in products:
        key = (drawn.words, drawn.size_text, drawn.tile_text)
        counts[key] += 1
        first.setdefault(key, drawn)
    return [(drawn, counts[key]) for key, drawn in first.items()]


def _draw_edges(parent: Element, layout: Layout) -> None:
    for line in layout.edges:
        (x, y), *rest = line
        path = f"M{x:.1f} {y:.1f}"
        for next_x, next_y in rest:
            if abs(next_x - x) < 1:
                path += f"L{next_x:.1f} {next_y:.1f}"
            else:
                middle = (y + next_y) / 2
                path += f"C{x:.1f} {middle:.1f} {next_x:.1f} {middle:.1f} {next_x:.1f} {next_y:.1f}"
            x, y = next_x, next_y
        add(parent, "path", d=path, class_="edge")
        add(parent, "path", d=f"M{x:.1f} {y:.1f}l-4 -7h8z", class_="tip")


def _draw_block(
    parent: Element, at: int, corner: tuple[float, float], height: float, block: Block, side: Side, long: int
) -> None:
    x, y = corner
    group = add(parent, "g", class_="product" if block.is_product else "rest", data_block=str(at))
    frame = rectangle(group, x, y, WIDTH, height, "panel")
    frame.set("rx", "5")
    operators = side.operators[at]
    nodes = sum(operators.values())
    names = ", ".join(unit.name for unit in block.units[:20]) + (", ..." if len(block.units) > 20 else "")
    add(group, "title", f"{names}: {several(nodes, 'node')}: {_listed(operators)}")
    if not block.is_product:
        few = ", ".join(operators) if sum(operators.values()) <= 4 else ""
        many = ", ".join(
            f"{name} {count:,}" if count > 1 else name for name, count in Counter(operators).most_common(MOST_OPERATORS)
        )
        words = few or f"{several(nodes, 'node')}: {many}"
        label(group, x + 10, y + 17, _end(words if nodes else "nothing of its own", WORDS), "small")
        _draw_ports(group, x, y, height, block)
        return
    shown = alike(side.products[at])
    top = y + 8
    for drawn, count in shown[:MOST_PRODUCTS]:
        _draw_row(group, x + 10, top, drawn, count, several(nodes, "node") if top == y + 8 else "", long)
        top += _row_height(drawn, long)
    if len(shown) > MOST_PRODUCTS:
        words = f"and {several(len(shown) - MOST_PRODUCTS, 'product')} of other sizes"
        label(group, x + 10, y + height - 8, words, "small dim")
    if not shown:
        label(group, x + 10, y + 22, short(block.units[0].name, NAME), "name")
        label(group, x + 10, y + 40, _end(no_product(side, at), WORDS), "small")
    _draw_ports(group, x, y, height, block)


def no_product(side: Side, at: int) -> str:
    """Return what a block has instead of products, in a model where it has none."""
    operators = side.operators[at]
    return f"no product left: {_listed(operators)}" if operators else "not in this model"


def _listed(operators: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in Counter(operators).most_common(MOST_OPERATORS))


def _draw_row(parent: Element, x: float, y: float, drawn: Drawn, count: int, nodes: str, long: int) -> None:
    draw_corner(parent, x, y + 4, drawn, long, THUMB)
    left = x + 2 * THUMB + 18
    lines = [
        (short(drawn.title, NAME), "name"), (drawn.words, "small"),
        (f"{count:,} products, each {drawn.size_text}" if count > 1 else drawn.size_text, "small"),
        *((line, "small") for line in _two_lines(drawn.tile_text)), (nodes, "small dim"),
    ]  # fmt: skip
    for words, kind in lines:
        if words:
            label(parent, left, y + 14, _end(words, 36), kind)
            y += 16


def _two_lines(words: str) -> list[str]:
    """Return the counts of tiles and their size on a line each."""
    counts, of, tile = words.partition(" tiles of ")
    return [f"{counts} tiles", f"of {tile}"] if of else [words]


def _draw_ports(parent: Element, x: float, y: float, height: float, block: Block) -> None:
    """Write which inputs and outputs of the model are read and made here."""
    for names, base in ((block.inputs, y - 6), (block.outputs, y + height + 13)):
        if names:
            more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
            label(parent, x + 10, base, f"{'input' if base < y else 'output'} {short(names[0], 24)}{more}", "small dim")


def _end(words: str, longest: int) -> str:
    return words if len(words) <= longest else f"{words[: longest - 3]}..."
