"""The loop form: loops over tiles with one tile-sized MatMul inside, for engines that run a small program in a loop.

The outermost loop is a Scan, whose body reads nothing from around it: along M it goes over A's tiles and carries B
unchanged. Inside are Loops along N and K; the innermost carries the sum, which starts as a tile of zeros and keeps its
shape. An axis that stays whole has no loop. Operands are cut as for the batched form, so ragged edges are padded with
zeros; partial sums are added in the order of k, as by `chain`. See docs/decisions/loop-form.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import onnx_ir as ir

from onnxtile.ir.dtypes import WIDER
from onnxtile.tiling.forms.batched import Batched, RowValues, box, widened
from onnxtile.tiling.legality import Ability
from onnxtile.tiling.opset_compat import ALLOWS_ZEROS, int64, squeeze
from onnxtile.tiling.sinks.ir import Sink, Typed
from onnxtile.tiling.tiled_product import SIDES, Side, TiledProduct, join

FIRST_OPSET = 11
"""From here Scan, Gather and Pad have the form that is written."""
Naming = Callable[[str], str]
"""Names below the product's prefix, by their last part."""
Shape = list[int | None]
_BOOL, _INT64 = ir.DataType.BOOL, ir.DataType.INT64


class Loop(Batched):
    """C's tile (m, n) is the sum over k of A(m, k) @ B(k, n), one product an iteration."""

    name = "loop"
    ability = Ability(FIRST_OPSET, symbolic_m=True)
    at_least_one_tile = True  # engines take no Scan without a round
    tiles_first = True

    def _multiply(self, sink: Sink, product: TiledProduct, tiles: list[str], rows: RowValues, prefix: str) -> str:
        return _over_tiles(sink, product, tiles, partial(join, prefix))


def _over_tiles(sink: Sink, product: TiledProduct, tiles: Sequence[str], names: Naming) -> str:
    """Add the loops that make every tile of C, in an array [batch, m-tiles, n-tiles, rows, columns]."""
    batch, plan = product.batch_axes, product.plan
    looped = [axis.count != 1 for axis in (plan.m, plan.n)]
    stacked = names("stacked") if any(looped) else names("tile")
    if looped[0]:
        _scan_tiles(sink, product, "A", tiles, stacked, names)
    elif looped[1]:
        _scan_tiles(sink, product, "B", tiles, stacked, names)
    elif not plan.k.whole:
        _scan_k(sink, product, tiles, stacked, names)
    else:
        _multiply_tile(sink, product, tiles, stacked)
    loops = sum(looped)
    if batch and loops:
        permutation = [*range(loops, loops + batch), *range(loops), loops + batch, loops + batch + 1]
        sink.node("Transpose", [stacked], [names("tiles_behind_batch")], {"perm": permutation})
        stacked = names("tiles_behind_batch")
    for axis, (letter, is_looped) in enumerate(zip("mn", looped, strict=True)):
        if not is_looped:
            squeeze(sink, "Unsqueeze", stacked, names(f"{letter}_of_one"), batch + axis)
            stacked = names(f"{letter}_of_one")
    if _carried(product) == product.dtype:
        return stacked
    sink.node("Cast", [stacked], [names("products")], {"to": product.dtype.value})
    return names("products")


def _scan_tiles(
    sink: Sink, product: TiledProduct, scanned: Side, tiles: Sequence[str], output: str, names: Naming
) -> None:
    """Add the Scan over the tiles of A along M, or of B along N, which carries the other operand."""
    plan, (other,) = product.plan, (side for side in SIDES if side != scanned)
    n_inside = scanned == "A" and plan.n.count != 1
    inside, again, made = [names(f"{side}_inside") for side in SIDES], names(f"{other}_again"), names("made")
    types = dict(zip(SIDES, product.types, strict=True))
    ends = [(name, types[side], _tiles_shape(product, side, side == "B" and n_inside))
            for side, name in zip(SIDES, inside, strict=True)]  # fmt: skip
    carried, piece = (ends[SIDES.index(side)] for side in (other, scanned))
    shape = [*[plan.n.count] * n_inside, *_tile_of_c(product)]
    body = sink.body(
        "over_m" if scanned == "A" else "over_n",
        [carried, piece],
        [(again, *carried[1:]), (made, _carried(product), shape)],
    )
    body.node("Identity", [carried[0]], [again])
    _inside(body, product, inside, n_inside, made, names)
    operands = [tiles[SIDES.index(side)] for side in (other, scanned)]
    sink.node("Scan", operands, [names(f"{other}_after"), output], {"body": body, "num_scan_inputs": 1})


def _inside(sink: Sink, product: TiledProduct, tiles: list[str], over_n: bool, output: str, names: Naming) -> None:
    """Add what the Scan's body does: a Loop along N, where there is one, around the Loop along K."""
    zeros = (
        ""
        if product.plan.k.whole and not (over_n and product.batch_axes)
        else _zeros(sink, product, tiles, names, over_n)
    )
    loop = _Loops(sink, product, zeros, names)
    if over_n:
        loop.over_n(tiles, output)
    else:
        loop.over_k(sink, tiles, output)


class _Loops:
    """Writes the Loops inside the Scan's body, `sink`.

    The numbers of their rounds are constants of the graph that each Loop is in: graphsurgeon copies a constant that's
    read from around a body into it, under its name, which ONNX forbids.
    """

    def __init__(self, sink: Sink, product: TiledProduct, zeros: str, names: Naming) -> None:
        """`zeros`: a tile of C of zeros; '' where none is needed."""
        self._sink, self._product, self._zeros, self._names = sink, product, zeros, names

    def over_n(self, tiles: Sequence[str], output: str) -> None:
        """Add the Loop along N, which stacks a row of C's tiles."""
        sink, product, names = self._sink, self._product, self._names
        made = (names("tile"), _carried(product), _tile_of_c(product))
        body = _loop_body(sink, "n", [], [made], names)
        body.node("Gather", [tiles[1], names("n")], [names("B_column")], {"axis": 0})
        self.over_k(body, [tiles[0], names("B_column")], names("tile"))
        stacked = names("row")
        sink.node("Loop", self._rounds(sink, "n", product.plan.n.count), [stacked], {"body": body})
        # engines stack along a new axis already; onnx's reference evaluator along the first
        shape = names("row_shape")
        if product.batch_axes:
            sink.node("Shape", [self._zeros], [names("row_tile")])
            sink.node(
                "Concat",
                [int64(sink, names("row_tiles"), [product.plan.n.count]), names("row_tile")],
                [shape],
                {"axis": 0},
            )
        else:
            int64(sink, shape, [product.plan.n.count, product.plan.m.tile or -1, product.plan.n.tile])
        # a batch may be empty: 0 means so, and not what stands at its place, from opset 14 on
        zeros = {"allowzero": 1} if product.batch_axes and sink.opset >= ALLOWS_ZEROS else {}
        sink.node("Reshape", [stacked, shape], [output], zeros)

    def over_k(self, sink: Sink, tiles: Sequence[str], output: str) -> None:
        """Add the Loop along K, which carries the sum, to `sink`: the Scan's body, or that of the Loop along N."""
        product, names = self._product, self._names
        if product.plan.k.whole:
            _multiply_tile(sink, product, tiles, output)
            return
        carried, shape = _carried(product), _tile_of_c(product)
        body = _loop_body(sink, "k", [(names("sum"), carried, shape)], [(names("sum_with_k"), carried, shape)], names)
        pieces = [names(f"{side}_tile") for side in SIDES]
        for operand, piece in zip(tiles, pieces, strict=True):
            body.node("Gather", [operand, names("k")], [piece], {"axis": 0})
        _add_product(body, product, pieces, names)
        sink.node("Loop", [*self._rounds(sink, "k", product.plan.k.count), self._zeros], [output], {"body": body})

    def _rounds(self, sink: Sink, letter: str, count: int | None) -> list[str]:
        """Add the number of a Loop's rounds, and its condition: optional, but the reference evaluator needs it."""
        always = sink.constant(self._names(f"{letter}_always"), np.array(True))
        return [int64(sink, self._names(f"{letter}_count"), count), always]


def _loop_body(sink: Sink, letter: str, carried: list[Typed], made: list[Typed], names: Naming) -> Sink:
    """Return the body of a Loop that runs as often as it says."""
    go, on = names(f"{letter}_go"), names(f"{letter}_go_on")
    body = sink.body(
        f"over_{letter}", [(names(letter), _INT64, []), (go, _BOOL, []), *carried], [(on, _BOOL, []), *made]
    )
    body.node("Identity", [go], [on])
    return body


def _scan_k(sink: Sink, product: TiledProduct, tiles: Sequence[str], output: str, names: Naming) -> None:
    """Add the Scan over the tiles of both operands along K, which carries the sum, where that's the only loop."""
    carried, shape = _carried(product), _tile_of_c(product)
    scanned = [
        (names(f"{side}_tile"), dtype, _tile_of(product, side))
        for side, dtype in zip(SIDES, product.types, strict=True)
    ]
    body = sink.body("over_k", [(names("sum"), carried, shape), *scanned], [(names("sum_with_k"), carried, shape)])
    _add_product(body, product, [piece for piece, _, _ in scanned], names)
    zeros = _zeros(sink, product, tiles, names)
    sink.node("Scan", [zeros, *tiles], [output], {"body": body, "num_scan_inputs": 2})


def _add_product(sink: Sink, product: TiledProduct, pieces: Sequence[str], names: Naming) -> None:
    """Add the product of two tiles to the sum."""
    _multiply_tile(sink, product, widened(sink, product, pieces, names), names("partial"))
    sink.node("Add", [names("sum"), names("partial")], [names("sum_with_k")])


def _zeros(sink: Sink, product: TiledProduct, tiles: Sequence[str], names: Naming, over_n: bool = False) -> str:
    """Add a tile of C of zeros; its batch axes, and rows that stay whole, are those of the operands' tiles.

    Expand broadcasts: a zero grows along the batch axes of one operand, then along those of the other. `over_n`: B has
    its tiles along N.
    """
    zeros = sink.constant(names("zero"), np.zeros([], _carried(product).numpy()))
    rows, columns = product.plan.m.tile, product.plan.n.tile
    batched = [side for side in SIDES if product.rank(side) > 2]
    along_k = int(not product.plan.k.whole)
    in_front = {"A": along_k, "B": along_k + over_n}
    for side, tile in zip(SIDES, tiles, strict=True):
        if side in batched or (side == "A" and rows is None):
            sink.node("Shape", [tile], [names(f"{side}_tile_shape")])
    shape = names("tile_shape")
    if rows is None:
        axis = int64(sink, names("rows_axis"), [in_front["A"] + product.a_rank - 2])
        sink.node("Gather", [names("A_tile_shape"), axis], [names("tile_rows")])
        sink.node("Concat", [names("tile_rows"), int64(sink, names("columns"), [columns])], [shape], {"axis": 0})
    else:
        int64(sink, shape, [rows, columns])
    for side in batched:
        batch = range(in_front[side], in_front[side] + product.rank(side) - 2)
        axes = int64(sink, names(f"{side}_batch_axes"), list(batch))
        sink.node("Gather", [names(f"{side}_tile_shape"), axes], [names(f"{side}_batch")])
        sink.node("Concat", [names(f"{side}_batch"), shape], [names(f"{side}_zeros_shape")], {"axis": 0})
        sink.node("Expand", [zeros, names(f"{side}_zeros_shape")], [names(f"{side}_zeros")])
        zeros = names(f"{side}_zeros")
    if not batched:
        sink.node("Expand", [zeros, shape], [names("zeros")])
        zeros = names("zeros")
    return zeros


def _carried(product: TiledProduct) -> ir.DataType:
    """Return the type in which sums leave the loops: narrow floats are rounded once, behind them."""
    return WIDER.get(product.dtype, product.dtype)


def _tile_of(product: TiledProduct, side: Side) -> Shape:
    """Return the shape of one tile of an operand."""
    plan = product.plan
    ends = [plan.m.tile, plan.k.tile] if side == "A" else [plan.k.tile, plan.n.tile]
    return [*[None] * max(product.rank(side) - 2, 0), *ends]


def _tile_of_c(product: TiledProduct) -> Shape:
    return [*[None] * product.batch_axes, product.plan.m.tile, product.plan.n.tile]


def _tiles_shape(product: TiledProduct, side: Side, own: bool = False) -> Shape:
    """Return the shape of an operand's tiles along K; with `own`, of those along its other axis too."""
    axes = [product.plan.m if side == "A" else product.plan.n] * own + [product.plan.k]
    return [*(axis.count for axis in axes if axis.count != 1), *_tile_of(product, side)]


def _multiply_tile(sink: Sink, product: TiledProduct, tiles: Sequence[str], output: str) -> None:
    """Add the one MatMul, its result in the type that is carried."""
    carried = _carried(product)
    narrow = carried not in (product.dtype, product.widened)
    result = f"{output}_narrow" if narrow else output
    sink.node(product.operator, tiles, [result], tile=box(product))
    if narrow:
        sink.node("Cast", [result], [output], {"to": carried.value})
