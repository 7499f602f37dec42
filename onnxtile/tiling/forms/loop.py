"""The loop form: loops over tiles with one tile-sized MatMul inside.

A Scan goes over the tiles (m, n) of C; the Loop inside goes over k and carries the sum. (A Loop could do both, but
onnx's reference evaluator doesn't stack its outputs as the specification says.) Operands are laid out as for the
batched form, so ragged edges are padded with zeros; partial sums are added in the order of k, as by `chain`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import onnx_ir as ir

from onnxtile.ir.dtypes import WIDER
from onnxtile.tiling.forms.batched import Batched, Length, RowValues, box, keeps_rows, reshape, widened
from onnxtile.tiling.legality import Ability
from onnxtile.tiling.opset_compat import int64, squeeze
from onnxtile.tiling.sinks.ir import Sink
from onnxtile.tiling.tiled_product import SIDES, TiledProduct, join

FIRST_OPSET = 11
"""From here Loop, Gather and Pad have the form that is written."""
Naming = Callable[[str], str]
"""Names below the product's prefix, by their last part."""
_BOOL, _INT64 = ir.DataType.BOOL, ir.DataType.INT64


class Loop(Batched):
    """C's tile (m, n) is the sum over k of A(m, k) @ B(k, n), one product an iteration."""

    name = "loop"
    ability = Ability(FIRST_OPSET, symbolic_m=True)
    at_least_one_tile = True  # engines take no Scan without a round

    def _multiply(self, sink: Sink, product: TiledProduct, tiles: list[str], rows: RowValues, prefix: str) -> str:
        return _over_tiles(sink, product, tiles, rows, prefix)


def _over_tiles(sink: Sink, product: TiledProduct, tiles: list[str], known: RowValues, prefix: str) -> str:
    """Add the Scan that makes every tile of C, in an array [batch, m-tiles, n-tiles, rows, columns]."""
    batch, names = product.batch_axes, partial(join, prefix)
    rows, columns = product.plan.m.count, product.plan.n.count
    first = int64(sink, names("first"), 0)
    n_count = int64(sink, names("n_count"), columns)
    if rows is None:  # known at run time: A's tiles tell
        axis = int64(sink, names("m_tiles_axis"), max(product.a_rank - 2, 0))
        sink.node("Shape", [tiles[0]], [names("A_extents")])
        sink.node("Gather", [names("A_extents"), axis], [names("m_count")])
        sink.node("Mul", [names("m_count"), n_count], [names("count")])
    else:
        int64(sink, names("count"), rows * (columns or 1))
    one = int64(sink, names("one"), 1)
    sink.node("Range", [first, names("count"), one], [names("indices")])
    inner_constants = _inner_constants(sink, product, names)
    body = sink.body(
        "over_tiles",
        [(names("i"), _INT64, [])],
        [(names("tile"), _carried(product), [None] * batch + [product.plan.m.tile, product.plan.n.tile])],
    )
    body.node("Div", [names("i"), n_count], [names("m")])
    body.node("Mod", [names("i"), n_count], [names("n")])
    a_batch, b_batch = (max(product.rank(side) - 2, 0) for side in SIDES)
    # A is [batch, m-tiles, 1, ...], B is [batch, 1, n-tiles, ...]: take one tile along each, drop the axis of one
    body.node("Gather", [tiles[0], names("m")], [names("A_m")], {"axis": a_batch})
    body.node("Gather", [names("A_m"), first], [names("A_row")], {"axis": a_batch})
    body.node("Gather", [tiles[1], names("n")], [names("B_n")], {"axis": b_batch + 1})
    body.node("Gather", [names("B_n"), first], [names("B_column")], {"axis": b_batch})
    _over_k(body, product, names, inner_constants)
    stacked = names("stacked")
    sink.node("Scan", [names("indices")], [stacked], {"body": body, "num_scan_inputs": 1})
    moved = stacked
    if batch:
        moved = names("tiles_behind_batch")
        permutation = [*range(1, batch + 1), 0, batch + 1, batch + 2]
        sink.node("Transpose", [stacked], [moved], {"perm": permutation})
    height = -1 if product.plan.m.tile is None else product.plan.m.tile
    m_tiles: Length = (known.tiles if batch else -1) if rows is None else rows
    shape: list[Length] = [*[0] * batch, m_tiles, columns or 1, height, product.plan.n.tile or 1]
    carried = _carried(product)
    reshaped = names("products") if carried == product.dtype else names("products_wide")
    if keeps_rows(product):
        squeeze(sink, "Unsqueeze", moved, reshaped, batch)
    else:
        reshape(sink, moved, reshaped, shape)
    if carried != product.dtype:
        sink.node("Cast", [reshaped], [names("products")], {"to": product.dtype.value})
    return names("products")


def _carried(product: TiledProduct) -> ir.DataType:
    """Return the type in which sums leave the loops: narrow floats are rounded once, behind them."""
    return WIDER.get(product.dtype, product.dtype)


def _inner_constants(sink: Sink, product: TiledProduct, names: Naming) -> list[str]:
    """Add the inputs of the inner Loop outside of the loops: the number of k-tiles, true, and a zero for the sum."""
    if product.plan.k.whole:
        return []
    trips = int64(sink, names("k_count"), product.plan.k.count)
    always = sink.constant(names("always"), np.array(True))  # optional, but the reference evaluator needs it
    zero = np.zeros([1] * (product.batch_axes + 2), _carried(product).numpy())
    return [trips, always, sink.constant(names("zero"), zero)]


def _over_k(body: Sink, product: TiledProduct, names: Naming, constants: list[str]) -> None:
    """Add the inner Loop: the sum over k of the products of one row and one column of tiles."""
    carried = _carried(product)
    if product.plan.k.whole:
        _multiply(body, product, [names("A_row"), names("B_column")], names("tile"))
        return
    inner = body.body(
        "over_k",
        [(names("k"), _INT64, []), (names("k_go"), _BOOL, []), (names("sum"), carried, None)],
        [(names("k_go_on"), _BOOL, []), (names("sum_with_k"), carried, None)],
    )
    inner.node("Identity", [names("k_go")], [names("k_go_on")])
    a_batch, b_batch = (max(product.rank(side) - 2, 0) for side in SIDES)
    inner.node("Gather", [names("A_row"), names("k")], [names("A_tile")], {"axis": a_batch})
    inner.node("Gather", [names("B_column"), names("k")], [names("B_tile")], {"axis": b_batch})
    tiles = widened(inner, product, [names("A_tile"), names("B_tile")], names)
    _multiply(inner, product, tiles, names("partial"))
    inner.node("Add", [names("sum"), names("partial")], [names("sum_with_k")])
    body.node("Loop", constants, [names("tile")], {"body": inner})


def _multiply(sink: Sink, product: TiledProduct, tiles: Sequence[str], output: str) -> None:
    """Add the one MatMul, its result in the type that is carried."""
    carried = _carried(product)
    narrow = carried not in (product.dtype, product.widened)
    result = f"{output}_narrow" if narrow else output
    sink.node(product.operator, tiles, [result], tile=box(product))
    if narrow:
        sink.node("Cast", [result], [output], {"to": carried.value})
