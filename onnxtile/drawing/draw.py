"""`draw`: a model as a picture, or one product of it, and what a lowering made of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

import onnx_ir as ir

from onnxtile.drawing.blocks import Outline, Unit, outline
from onnxtile.drawing.draw_page import draw_page
from onnxtile.drawing.model_picture import Side, alike, draw_model, no_product
from onnxtile.drawing.product_picture import Drawn, draw_product, of_grid, of_product
from onnxtile.drawing.svg import Element, label, picture, short, to_svg
from onnxtile.drawing.units import units_of, with_products
from onnxtile.errors import UsageError, did_you_mean
from onnxtile.ir.attributes import node_name
from onnxtile.ir.dimensions import check_sizes_alike, input_sizes, still_free
from onnxtile.ir.graphs import count_nodes, is_tiled_product
from onnxtile.ir.io.interop import AnyModel, to_ir
from onnxtile.ir.io.lazy import skim
from onnxtile.ir.printable import several
from onnxtile.operators.contractions import Contraction
from onnxtile.passes.bind_dims import BindDims
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.inline import inline
from onnxtile.passes.manager import PassManager

FEW = 12
"""Products that an error lists."""
MOST_ROWS = 16
"""Products of one node that are drawn, of those that aren't alike."""


@dataclass(frozen=True)
class Drawing:
    """Blocks to draw, with their products in the model and in the lowered one."""

    title: str
    outline: Outline
    sides: tuple[Side, ...]

    @property
    def names(self) -> dict[str, int]:
        """Return the names of blocks with products."""
        return {block.units[0].name: at for at, block in enumerate(self.outline.blocks) if block.is_product}

    def svg(self, node: str | None = None) -> str:
        """Return the picture of the model, or that of one node's products; UsageError where it has none."""
        if node is None:
            return to_svg(draw_model(self.outline, self.sides, self.title)[0])
        return to_svg(self._node(self._block(node)))

    def html(self, node: str | None = None) -> str:
        """Return a page with the picture of the model, and each product's tiles; `node`: the product shown first."""
        chosen = None if node is None else self._block(node)
        model, _ = draw_model(self.outline, self.sides, self.title)
        last = self.sides[-1]
        blocks = [
            (at, name, last.products[at], "" if last.products[at] else no_product(last, at))
            for name, at in self.names.items()
        ]
        told = [side.words if len(self.sides) == 1 else f"{side.title}: {side.words}" for side in self.sides]
        words = "; ".join((*told, *(f"not drawn: {x}" for x in self.outline.left_out)))
        return draw_page(model, self.title, words, blocks, chosen)

    def _block(self, node: str) -> int:
        at = self.names.get(node)
        if at is None:
            names = list(self.names)
            some = ", ".join(names[:FEW]) + (", ..." if len(names) > FEW else "")
            words = f"no product of node {node!r} is drawn: take one of {some}" if names else "no node holds a product"
            raise UsageError(words + did_you_mean(node, names))
        return at

    def _node(self, at: int) -> Element:
        """Draw the products of a block side by side, a row each."""
        root = picture(0, 0, self.title)
        y, right = 20.0, 0.0
        columns = [[drawn for drawn, _ in alike(side.products[at])] for side in self.sides]
        label(root, 24, y + 8, short(self.outline.blocks[at].units[0].name, 60), "name head")
        y += 24
        for number in range(min(MOST_ROWS, max(1, *map(len, columns)))):
            x, below = 0.0, y
            for side, products in zip(self.sides, columns, strict=True):
                if not products and number == 0:
                    lines = wrap(no_product(side, at), 46)
                    label(root, x + 24, y + 14, short(side.title, 40), "dim small")
                    for line, words in enumerate(lines):
                        label(root, x + 24, y + 32 + 16 * line, words, "small")
                    x, below, right = x + 420, max(below, y + 32 + 16 * len(lines)), max(right, x + 420)
                if number < len(products):
                    drawn = products[number]
                    label(root, x + 24, y + 14, short(side.title, 40), "dim small")
                    label(root, x + 24, y + 32, f"{short(drawn.title, 40)}: {drawn.words}", "small")
                    label(root, x + 24, y + 48, f"{drawn.size_text}{'; ' * bool(drawn.grid)}{drawn.tile_text}", "small")
                    _, end, low = draw_product(root, x, y + 56, drawn)
                    x, below, right = max(end, x + 420), max(below, low), max(right, end, x + 420)
            y = below + 16
        if (more := max(map(len, columns)) - MOST_ROWS) > 0:
            label(root, 24, y + 8, f"{several(more, 'product')} of other sizes aren't drawn", "small dim")
            y += 24
        for part in (root, root[1]):
            part.set("width", f"{right:g}")
            part.set("height", f"{y:g}")
        root.set("viewBox", f"0 0 {right:g} {y:g}")
        return root


def drawing(model: AnyModel, lowered: AnyModel | None = None, *, bind: Mapping[str, int] | None = None) -> Drawing:
    """Return the drawing of a model, and of what a lowering made of it, by what its nodes say of their origin.

    `bind`: sizes of free dimensions by name. Raises UsageError, ModelError, UnsupportedError.
    """
    original = _read(model, bind)
    units, unread = units_of(original)
    made = outline(units, original.graph, _carries_sizes)
    title = _title(model, "model")
    products = [_drawn(block.units[0], block.units[0].products) if block.is_product else [] for block in made.blocks]
    words = (
        f"{several(count_nodes(original), 'node')}, {several(sum(unit.holds_products for unit in units), 'product')}"
    )
    sides = [Side(title, words + _unread(unread), products, [block.operators for block in made.blocks])]
    if lowered is not None:
        read = _read(lowered, bind)
        check_sizes_alike(input_sizes(original), input_sizes(read))
        sides.append(_lowered_side(read, _title(lowered, "lowered"), made))
        title = f"{title} and {sides[-1].title}"
    return Drawing(title, made, tuple(sides))


def _read(model: AnyModel, bind: Mapping[str, int] | None) -> ir.Model:
    """Return a model with shapes, its functions inlined but for those that stand for tiles; weights aren't read."""
    read = skim(Path(model)) if isinstance(model, (str, os.PathLike)) else to_ir(model)
    sizes = still_free(read, bind or {})
    PassManager([BindDims(sizes)] if sizes else [], check=False)(read)
    if all(map(is_tiled_product, read.functions.values())):
        PassManager([InferShapes()], check=False)(read)
    else:
        inline(read)
    return read


def _title(model: AnyModel, otherwise: str) -> str:
    return Path(model).name if isinstance(model, (str, os.PathLike)) else otherwise


def _carries_sizes(value: ir.Value) -> bool:
    """Return whether a value is a shape, or part of one, by its type."""
    return value.dtype == ir.DataType.INT64 and value.shape is not None and len(value.shape) <= 1


def _unread(count: int) -> str:
    return f"; notes on the tiles of {several(count, 'product')} can't be read" if count else ""


def _drawn(unit: Unit, of: Sequence[Contraction]) -> list[Drawn]:
    """Return the products of a unit: tiles, with the sizes of those they stand for, and others as they are."""
    cut = [of_grid(grid, grid.path or unit.name, product) for grid, product in with_products(unit.grids, of)]
    return [*cut, *map(of_product, unit.products)]


def _lowered_side(model: ir.Model, title: str, made: Outline) -> Side:
    """Return what each block became; nodes are found again by their origin, their name or what they give."""
    block_of: dict[str, int] = {}
    for at, block in enumerate(made.blocks):
        for unit in block.units:
            for node in unit.nodes:
                for name in (node_name(node), *(value.name or "" for value in node.outputs)):
                    block_of.setdefault(name, at)
            block_of.setdefault(unit.name, at)
    products: list[list[Drawn]] = [[] for _ in made.blocks]
    operators: list[Counter[str]] = [Counter() for _ in made.blocks]
    lost = 0
    units, unread = units_of(model)
    for unit in units:
        names = (unit.name, *(value.name or "" for node in unit.nodes for value in node.outputs))
        found = next((block_of[name] for name in names if name in block_of), None)
        if found is None:
            lost += len(unit.nodes)
            continue
        operators[found].update(node.op_type for node in unit.nodes)
        if made.blocks[found].is_product:
            products[found] += _drawn(unit, made.blocks[found].units[0].products)
    words = several(count_nodes(model), "node") + _unread(unread)
    if lost:
        words += f"; {several(lost, 'node')} of them belong to none of the original"
    return Side(title, words, products, operators)
