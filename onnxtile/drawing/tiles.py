"""The tiles of products, as a lowered model's nodes say them in their metadata."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations

import onnx_ir as ir

from onnxtile.drawing.patterns import NAMELESS, Names, names_of
from onnxtile.ir.attributes import node_name
from onnxtile.ir.graphs import is_tiled_product
from onnxtile.ir.metadata import OF, TILE

LONGEST = 200
"""Letters of a node's note on its tile; lowering writes fewer, but for tiles that were cut again and again."""
_BOX = re.compile(r"m(\d{1,18}):(\d{0,18}),k(\d{1,18}):(\d{0,18}),n(\d{1,18}):(\d{0,18})", re.ASCII)
_SIZES = re.compile(r"m(\d{0,18}),k(\d{0,18}),n(\d{0,18})", re.ASCII)
_ORDERS = ((0, 2, 1), *permutations(range(3)))
"""Nestings of loops over M, K and N, the outermost first; that which lowering writes comes first."""

Span = tuple[int, "int | None"]
"""Where a piece of an axis starts and stops; None: at the end, wherever that is."""
Box = tuple[Span, Span, Span]
"""A tile product's pieces of M, K and N."""
Trips = Mapping[str, "int | None"]
"""How often the loops around a node run that go over tiles, by axis: m, k or n."""
Sizes = tuple["int | None", "int | None", "int | None"]
"""Lengths along M, K and N; None: not known before run time, or left whole."""


@dataclass(frozen=True)
class TileGrid:
    """The tiles of one product of a lowered model.

    `path`: what the names of its tiles begin with. `pieces`: of M, K and N in order; none where a node computes many
    tiles. `tile`: the largest. `nodes`: those that multiply tiles. `order`: the axes (0 to 2 for M, K, N) that tiles
    are computed along, the outermost first; None: in another order. `whole`: each combination of pieces is there.
    `padded`: `size` is that of all tiles, which nodes that compute many of them fill up.
    """

    path: str
    scope: str
    operator: str
    pieces: tuple[tuple[Span, ...], tuple[Span, ...], tuple[Span, ...]]
    tile: Sizes
    nodes: int
    size: Sizes = (None, None, None)
    order: tuple[int, ...] | None = None
    whole: bool = True
    names: Names = NAMELESS
    padded: bool = False

    @property
    def counts(self) -> Sizes:
        """Return the number of pieces along each axis."""
        return tuple(  # type: ignore[return-value]  # three of them
            len(pieces) if pieces else _count(size, tile)
            for pieces, size, tile in zip(self.pieces, self.size, self.tile, strict=True)
        )


def read_box(note: str) -> Box | None:
    """Return the box that a note such as `m0:64,k64:128,n0:32` names; in the whole product, where it was cut again."""
    box: Box = ((0, None),) * 3
    for part in reversed(note[:LONGEST].split(OF)):
        match = _BOX.fullmatch(part)
        if match is None:
            return None
        ends = [int(text) if text else None for text in match.groups()]
        if any(stop is not None and stop < (start or 0) for start, stop in zip(ends[::2], ends[1::2], strict=True)):
            return None
        box = tuple(  # type: ignore[assignment]  # three of them
            (outer + (start or 0), outer_stop if stop is None else outer + stop)
            for (outer, outer_stop), start, stop in zip(box, ends[::2], ends[1::2], strict=True)
        )
    return box


def read_sizes(note: str) -> Sizes | None:
    """Return the sizes that a note such as `m64,k64,n32` says of each tile that a node computes."""
    match = _SIZES.fullmatch(note[:LONGEST].split(OF)[0])
    return None if match is None else tuple(int(text) if text else None for text in match.groups())  # type: ignore[return-value]  # three groups


def has_tile(node: ir.Node) -> bool:
    """Return whether a node computes tiles, by its metadata, or calls a function that does."""
    return TILE in node.metadata_props or is_tiled_product(node)


def grids(
    nodes: Sequence[tuple[str, ir.Node]], trips: Mapping[ir.Node, Trips] | None = None
) -> tuple[list[TileGrid], int]:
    """Return the products that nodes of one origin compute, each with its scope; and how many notes can't be read.

    `trips`: of nodes in loops over tiles how often these run.
    """
    by_path: dict[tuple[str, str], list[ir.Node]] = {}
    for scope, node in nodes:
        if has_tile(node):
            path = (node.outputs[0].name or "").rpartition("/")[0] if TILE in node.metadata_props else node_name(node)
            by_path.setdefault((scope, path), []).append(node)
    made = [_grid(path, scope, same, (trips or {}).get(same[0], {})) for (scope, path), same in by_path.items()]
    return [grid for grid in made if grid is not None], sum(1 for grid in made if grid is None)


def _grid(path: str, scope: str, nodes: Sequence[ir.Node], trips: Trips) -> TileGrid | None:
    first = nodes[0]
    if is_tiled_product(first):
        size, tile = (_sizes(first.attributes[name].as_ints()) for name in ("size", "tile"))
        return TileGrid(path, scope, first.op_type.partition("_")[0], ((), (), ()), tile, len(nodes), size)
    notes = [node.metadata_props[TILE] for node in nodes]
    boxes = [box for box in map(read_box, notes) if box is not None]
    if len(boxes) == len(notes):
        return _of_boxes(path, scope, nodes, boxes)
    sizes = [tile for tile in map(read_sizes, notes) if tile is not None]
    if not sizes:
        return None
    m, k, n = (None if None in sides else max(side or 0 for side in sides) for sides in zip(*sizes, strict=True))
    largest = (m, k, n)
    of_all: Sizes = computed_size(first, largest, trips) if len(nodes) == 1 else (None, None, None)
    return TileGrid(
        path, scope, first.op_type, ((), (), ()), largest, len(nodes), of_all, whole=len(set(sizes)) == 1,
        padded=of_all != (None, None, None),
    )  # fmt: skip


def computed_size(node: ir.Node, tile: Sizes, trips: Trips) -> Sizes:
    """Return M, K and N of all tiles that a node computes, with what fills them up; None where shapes don't say.

    Its operands are tiles: one at a time in loops over their places, or all of them, with the axes of m-tiles, n-tiles
    and k-tiles (where K is cut) in front of those of a tile.
    """
    shapes = [() if value is None else lengths(value) for value in node.inputs[:2]]
    if len(shapes) < 2 or min(map(len, shapes)) < 2:
        return None, None, None
    (*places_a, rows, depth), (*places_b, _, columns) = shapes
    if trips:
        counts = [trips.get(axis, 1) for axis in "mkn"]
    else:
        of_k = [places_a.pop(), places_b.pop()][0] if tile[1] is not None and places_a and places_b else 1
        counts = [_product(places_a[-2:]), of_k, _product(places_b[-2:])]
    m, k, n = (_product(pair) for pair in zip(counts, (rows, depth, columns), strict=True))
    return m, k, n


def lengths(value: ir.Value) -> tuple[int | None, ...]:
    """Return a value's shape, None where a length isn't known; () where nothing is."""
    if value.shape is None:
        return ()
    return tuple(length if isinstance(length, int) else None for length in value.shape)


def _product(numbers: Sequence[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return math.prod(known) if len(known) == len(numbers) else None


def _of_boxes(path: str, scope: str, nodes: Sequence[ir.Node], boxes: Sequence[Box]) -> TileGrid:
    """Return the grid of nodes that compute a tile each; of those that compute the same one the first counts."""
    at: dict[Box, ir.Node] = {}
    for box, node in zip(boxes, nodes, strict=True):
        at.setdefault(box, node)
    pieces = tuple(tuple(sorted({box[axis] for box in at}, key=_place)) for axis in range(3))
    numbers = [{piece: number for number, piece in enumerate(spans)} for spans in pieces]
    places = [(numbers[0][m], numbers[1][k], numbers[2][n]) for m, k, n in at]
    whole = len(at) == len(pieces[0]) * len(pieces[1]) * len(pieces[2]) and all(map(_in_line, pieces))
    order = next(
        (order for order in _ORDERS if places == sorted(places, key=lambda one: [one[axis] for axis in order])), None
    )
    tile = tuple(_largest(spans) for spans in pieces)
    size = tuple(None if any(stop is None for _, stop in spans) else spans[-1][1] for spans in pieces)
    return TileGrid(
        path, scope, nodes[0].op_type, pieces, tile, len(nodes), size,  # type: ignore[arg-type]  # three of each
        None if order is None else tuple(axis for axis in order if len(pieces[axis]) > 1),
        whole, names_of(list(at.values()), places),
    )  # fmt: skip


def _place(span: Span) -> tuple[int, float]:
    return span[0], float("inf") if span[1] is None else span[1]


def _in_line(spans: Sequence[Span]) -> bool:
    """Return whether pieces begin at 0 and follow each other."""
    return spans[0][0] == 0 and all(before[1] == behind[0] for before, behind in pairwise(spans))


def _largest(spans: Sequence[Span]) -> int | None:
    lengths = [None if stop is None else stop - start for start, stop in spans]
    return None if None in lengths else max(length for length in lengths if length is not None)


def _sizes(numbers: Sequence[int]) -> Sizes:
    m, k, n = (None if number < 0 else number for number in numbers)
    return m, k, n


def _count(size: int | None, tile: int | None) -> int | None:
    """Return the number of pieces of an axis; None where it isn't known."""
    if tile is None:
        return 1
    return None if size is None or tile < 1 else max(1, -(-size // tile))
