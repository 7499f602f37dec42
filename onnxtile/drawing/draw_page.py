"""A page on which a picture of a model can be zoomed down to one tile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onnxtile.drawing.model_picture import alike
from onnxtile.drawing.page import finish, page
from onnxtile.drawing.patterns import Pattern
from onnxtile.drawing.product_picture import Corner, Drawn, draw_product
from onnxtile.drawing.svg import Element, add, picture, to_html
from onnxtile.drawing.tiles import TileGrid
from onnxtile.ir.printable import printable, several

SCRIPT, STYLES = "draw.js", ("page.css", "draw.css")
MOST_PRODUCTS = 16
"""Products of one block that are shown, of those that aren't alike."""
MOST_PIECES = 4096
"""Pieces of an axis that are listed where they aren't equal; of more, the tiles can't be looked at one by one."""


def draw_page(
    model: Element,
    title: str,
    words: str,
    blocks: Sequence[tuple[int, str, Sequence[Drawn], str]],
    chosen: int | None = None,
) -> str:
    """Return the page. `blocks`: number, name and products of what can be looked at; `chosen`: which at first.

    Behind the products of a block stand words, of one that has none.
    """
    root, body = page(title, STYLES, SCRIPT)
    header = add(body, "header")
    add(header, "h1", title)
    add(header, "span", words, class_="dim")
    tools = add(header, "span", class_="tools")
    add(
        tools,
        "input",
        id="find",
        type="search",
        placeholder="find a product",
        list="names",
        aria_label="find a product",
    )
    for identity, sign, meaning in (
        ("farther", "\u2212", "smaller"), ("nearer", "+", "larger"), ("wide", "width", "as wide as the window"),
        ("whole", "all", "the whole model"),
    ):  # fmt: skip
        add(tools, "button", sign, id=identity, title=meaning)
    names = add(tools, "datalist", id="names")
    add(body, "main").append(model)
    aside = add(body, "aside")
    hint = add(aside, "section", id="hint", class_="shown")
    add(hint, "h2", "Choose a product")
    add(hint, "p", "A click on a block shows its operands and tiles; a click there shows a tile.")
    add(hint, "p", "The wheel zooms, dragging moves. Lines are cuts between tiles; an area full of them is filled.")
    add(hint, "p", "A (blue, M x K) times B (orange, K x N) gives C (green, M x N).")
    products: list[dict[str, Any]] = []
    for block, name, several_drawn, instead in blocks:
        add(names, "option", value=name)
        section = add(aside, "section", id=f"block-{block}")
        add(section, "h2", name)
        if instead:
            add(section, "p", instead)
        shown = alike(several_drawn)
        for number, (drawn, _) in enumerate(shown[:MOST_PRODUCTS]):
            products += _add_product(section, drawn, f"tiles-{block}-{number}")
        if len(shown) > MOST_PRODUCTS:
            add(section, "p", f"{several(len(shown) - MOST_PRODUCTS, 'product')} of other sizes aren't shown")
    listed = [(block, printable(name)) for block, name, _, _ in blocks]
    finish(body, SCRIPT, {"blocks": listed, "products": products, "chosen": chosen})
    return to_html(root)


def _add_product(section: Element, drawn: Drawn, identity: str) -> list[dict[str, Any]]:
    """Add a product's picture; returns what the script needs to tell of its tiles, if it can."""
    add(section, "p", f"{drawn.title}: {drawn.words}, {drawn.size_text}")
    if drawn.grid is not None:
        add(section, "p", drawn.tile_text, class_="dim")
    figure = picture(0, 0, drawn.title)
    corner, width, height = draw_product(figure, 0, 0, drawn)
    figure.set("viewBox", f"0 0 {width:g} {height:g}")
    figure.set("width", f"{width:g}")
    figure.set("height", f"{height:g}")
    figure.set("id", identity)
    figure.remove(figure[1])  # the page is the paper
    section.append(figure)
    told = None if drawn.grid is None else _tiles(drawn, drawn.grid, corner, identity)
    return [] if told is None else [told]


def _tiles(drawn: Drawn, grid: TileGrid, corner: Corner, identity: str) -> dict[str, Any] | None:
    """Return the tiles of a product for the script; None where their places aren't known, or are too many."""
    counts, lengths = grid.counts, drawn.lengths
    if not grid.whole or None in counts or None in lengths or 0 in lengths:
        return None
    pieces = [_pieces(grid, axis) for axis in range(3)]
    if any(one is not None and len(one) > MOST_PIECES for one in pieces):
        return None
    return {
        "id": identity, "operator": printable(grid.operator), "counts": counts, "size": lengths, "tile": grid.tile,
        "pieces": pieces, "corner": {kind: getattr(corner, kind) for kind in "abc"},
        "names": {kind: _names(getattr(grid.names, kind)) for kind in ("nodes", "a", "b")},
        "note": "" if any(grid.pieces) else f"{printable(grid.path or grid.operator)} computes all tiles by itself",
    }  # fmt: skip


def _pieces(grid: TileGrid, axis: int) -> list[tuple[int, int | None]] | None:
    """Return the pieces of an axis; None where each is as long as a tile, but for the last."""
    pieces, tile, size = grid.pieces[axis], grid.tile[axis], grid.size[axis]
    regular = tile is not None and size is not None and all(
        piece == (at * tile, min((at + 1) * tile, size)) for at, piece in enumerate(pieces)
    )  # fmt: skip
    return None if regular else list(pieces)


def _names(names: Pattern | None) -> dict[str, Any] | None:
    return None if names is None else {"texts": [printable(text) for text in names.texts], "axes": names.axes}
