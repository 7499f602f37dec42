"""The batched form: one MatMul over all tiles at once, about ten nodes whatever the size of the product.

With tile axes in front, C[mt, nt, tm, tn] = sum over kt of A[mt, 1, kt, tm, tk] @ B[1, nt, kt, tk, tn]. Ragged edges
are padded with zeros: along K zero meets zero, and what M and N gain is cut off again, so no element changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar, NamedTuple

import numpy as np
import onnx_ir as ir

from onnxtile.ir.arrays import last_axes_swapped
from onnxtile.ir.dtypes import INTEGERS, WIDER
from onnxtile.tiling.forms.columns import columns_of_tiles
from onnxtile.tiling.forms.form import Form
from onnxtile.tiling.forms.unrolled import Unrolled
from onnxtile.tiling.legality import Ability
from onnxtile.tiling.opset_compat import int64, pad_end, reduce_sum, squeeze, take_first, take_first_dynamic
from onnxtile.tiling.plan import Axis
from onnxtile.tiling.sinks.ir import Sink
from onnxtile.tiling.tiled_product import SIDES, Operand, Side, TiledProduct, join, with_zeros

SUMMED_AS = WIDER | {ir.DataType.UINT32: ir.DataType.INT64, ir.DataType.UINT64: ir.DataType.INT64}
"""Types that ReduceSum adds in another: narrow floats for precision, unsigned integers (modulo 2^n, exactly) because
onnxruntime's ReduceSum lacks them."""
Length = int | str
"""A length as Reshape takes it; or the name of a value of one element that has it."""


class RowValues(NamedTuple):
    """Values of one element that tell of A's rows, where only run time knows them and they're cut; else empty.

    `length`: how many there are; `tiles`: how many tiles of them; `padded`: how many rows these have.
    """

    length: str = ""
    tiles: str = ""
    padded: str = ""


class Batched(Form):
    """Pad, Reshape and Transpose to tiles, MatMul, ReduceSum over k, and back."""

    name = "batched"
    ability = Ability(symbolic_m=True)
    pads = True
    at_least_one_tile: ClassVar[bool] = False
    """Rows that turn out to be none are a tile of zeros nevertheless."""
    tiles_first: ClassVar[bool] = False
    """Operands have their axes of tiles in front of batch axes, and none where there's one tile."""

    def constants(
        self, product: TiledProduct, side: Side, prefix: str, array: np.ndarray
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Yield a constant operand as `prefix/tiles`: [batch, m-tiles, n-tiles, k-tiles, rows, columns], with padding.

        An axis of tiles that the operand doesn't have is 1; that of a k left whole isn't there. See `tiles_first`.
        For a C that's given transposed, n-tiles come before m-tiles.
        """
        product = self._as_written(product)
        if product.plan.empty:
            yield from Unrolled().constants(product, side, prefix, array)
            return
        layout = _Layout(product, side, RowValues(), self.tiles_first)
        shape = [*array.shape[: layout.batch], *map(int, layout.sizes(layout.source))]
        yield f"{prefix}/tiles", with_zeros(array, product.padding(side)).reshape(shape).transpose(layout.permutation)

    def write(self, sink: Sink, product: TiledProduct, a: Operand, b: Operand, output: str, prefix: str) -> None:
        """Add the nodes that compute `output`; everything new is named `prefix/...`.

        A product without elements is written unrolled: Reshape gives 0 another meaning.
        """
        if product.plan.empty:
            Unrolled().write(sink, product, a, b, output, prefix)
            return
        own = self._as_written(product)
        if own != product:
            by_rows = join(prefix, "by_rows")
            self.write(sink, own, a, b, by_rows, prefix)
            sink.node("Transpose", [by_rows], [output], {"perm": last_axes_swapped(product.batch_axes + 2)})
            return
        rows = _rows(sink, product, a.name, self.at_least_one_tile, prefix)
        tiles = [
            f"{operand.name}/tiles" if operand.precut else self._tiled(sink, product, side, operand.name, rows, prefix)
            for side, operand in zip(SIDES, (a, b), strict=True)
        ]
        products = self._multiply(sink, product, tiles, rows, prefix)
        if product.transpose_c:
            columns_of_tiles(sink, product, products, output, prefix)
        else:
            _untiled(sink, product, products, output, rows, prefix)

    def _as_written(self, product: TiledProduct) -> TiledProduct:
        """Return the product whose tiles are made: where C is given transposed, the form may do so with it whole."""
        return replace(product, transpose_c=False) if self.tiles_first else product

    def _multiply(self, sink: Sink, product: TiledProduct, tiles: list[str], rows: RowValues, prefix: str) -> str:
        """Add the nodes that multiply tiles; C's are an array [batch, m-tiles, n-tiles, rows, columns]."""
        products = join(prefix, "products")
        sink.node(product.operator, widened(sink, product, tiles, partial(join, prefix)), [products], tile=box(product))
        return products if product.plan.k.whole else _sum_over_k(sink, product, products, prefix)

    def _tiled(self, sink: Sink, product: TiledProduct, side: Side, value: str, rows: RowValues, prefix: str) -> str:
        """Add the nodes that bring an operand into the layout of `constants`."""
        rank, name = product.rank(side), join(prefix, side)
        if product.transposed(side):
            sink.node("Transpose", [value], [f"{name}_transposed"], {"perm": last_axes_swapped(rank)})
            value = f"{name}_transposed"
        padding = product.padding(side)
        if None in padding.values():
            _pad_at_run_time(sink, product, value, f"{name}_padded", rows, padding)
            value = f"{name}_padded"
        elif padding:
            known = {position: amount or 0 for position, amount in padding.items()}
            pad_end(sink, value, f"{name}_padded", rank, known, product.dtype not in INTEGERS)
            value = f"{name}_padded"
        layout = _Layout(product, side, rows, self.tiles_first)
        if side == "A" and rows.tiles and layout.batch:
            value = _cut_rows(sink, product, value, rows, prefix)
        if layout.in_order:
            reshape(sink, value, f"{name}_tiles", [*[0] * layout.batch, *layout.sizes(layout.target)])
        else:
            reshape(sink, value, f"{name}_cut", [*[0] * layout.batch, *layout.sizes(layout.source)])
            sink.node("Transpose", [f"{name}_cut"], [f"{name}_tiles"], {"perm": layout.permutation})
        return f"{name}_tiles"


class _Layout:
    """Axes of an operand behind its batch axes: as Reshape cuts them (`source`) and as MatMul takes them (`target`)."""

    def __init__(self, product: TiledProduct, side: Side, rows: RowValues, tiles_first: bool) -> None:
        plan, tiles_of_k = product.plan, [] if product.plan.k.whole else ["kt"]
        grid = ["nt", "mt"] if product.transpose_c else ["mt", "nt"]
        self.batch = max(product.rank(side) - 2, 0)
        self._size: dict[str, Length] = {"mt": _count(plan.m), "nt": _count(plan.n), "kt": plan.k.count or 1}
        self._size |= {"tm": _tile(plan.m), "tk": _tile(plan.k), "tn": _tile(plan.n)}
        if rows.tiles and self.batch:
            self._size["mt"] = 0
        if side == "A":
            self._size["nt"] = 1
            self.source = ["mt", "tm", "nt", *tiles_of_k, "tk"]
            self.target = [*grid, *tiles_of_k, "tm", "tk"]
            if keeps_rows(product):
                self._size["tm"] = 0
                self.source = ["tm", "mt", "nt", *tiles_of_k, "tk"]
        else:
            self._size["mt"] = 1
            self.source = ["mt", *tiles_of_k, "tk", "nt", "tn"]
            self.target = [*grid, *tiles_of_k, "tk", "tn"]
        self._in_front: list[str] = []
        if tiles_first:
            gone = [label for label in ("mt", "nt") if self._size[label] == 1]
            self.source, self.target = ([x for x in labels if x not in gone] for labels in (self.source, self.target))
            self._in_front = self.target[:-2] if self.batch else []

    def sizes(self, labels: list[str]) -> list[Length]:
        return [self._size[label] for label in labels]

    @property
    def permutation(self) -> list[int]:
        """The order of the source's axes in the target, whose batch axes are in front, or behind the tiles'."""
        behind = [label for label in self.target if label not in self._in_front]
        in_front, behind_batch = (
            [self.batch + self.source.index(x) for x in labels] for labels in (self._in_front, behind)
        )
        return [*in_front, *range(self.batch), *behind_batch]

    @property
    def in_order(self) -> bool:
        """No axis longer than one moves past another, so that Reshape alone does it; rows that it keeps don't move."""
        if self._in_front:
            return False
        if self._size["tm"] == 0:
            return self.source == self.target
        source, target = ([x for x in labels if self._size[x] != 1] for labels in (self.source, self.target))
        return source == target


def _cut_rows(sink: Sink, product: TiledProduct, value: str, rows: RowValues, prefix: str) -> str:
    """Make two axes of A's rows beside batch axes, tiles and rows of one, by taking rows 0, 1, ... in so many rows.

    A Reshape of A itself could do so by -1 only, which is open where a batch axis is empty.
    """
    first, count, one, numbers = (join(prefix, f"rows_{leaf}") for leaf in ("first", "count", "step", "numbers"))
    squeeze(sink, "Squeeze", rows.padded, count, 0)
    bounds = [int64(sink, first, 0), count, int64(sink, one, 1)]
    sink.node("Range", bounds, [numbers])
    reshape(sink, numbers, join(prefix, "rows_of_tiles"), [-1, _tile(product.plan.m)])
    cut = join(prefix, "A_rows")
    sink.node("Gather", [value, join(prefix, "rows_of_tiles")], [cut], {"axis": product.a_rank - 2})
    return cut


def widened(sink: Sink, product: TiledProduct, tiles: Sequence[str], names: Callable[[str], str]) -> Sequence[str]:
    """Add the Casts of both operands to the type that they're multiplied in; none where that's their own."""
    if product.widened is None:
        return tiles
    wide = [names(f"{side}_wide") for side in SIDES]
    for tile, value in zip(tiles, wide, strict=True):
        sink.node("Cast", [tile], [value], {"to": product.widened.value})
    return wide


def _sum_over_k(sink: Sink, product: TiledProduct, value: str, prefix: str) -> str:
    total, axis = join(prefix, "total"), product.batch_axes + 2
    summed_as = SUMMED_AS.get(product.dtype)
    if summed_as is None:
        reduce_sum(sink, value, total, axis)
        return total
    if product.widened is None:
        sink.node("Cast", [value], [f"{value}_wide"], {"to": summed_as.value})
        value = f"{value}_wide"
    reduce_sum(sink, value, f"{total}_wide", axis)
    sink.node("Cast", [f"{total}_wide"], [total], {"to": product.dtype.value})
    return total


def _untiled(sink: Sink, product: TiledProduct, value: str, output: str, rows: RowValues, prefix: str) -> None:
    """Bring [batch, mt, nt, tm, tn] into the shape of the product: Transpose, Reshape, Slice, as needed."""
    plan, batch = product.plan, product.batch_axes
    order = (2, 0, 1, 3) if keeps_rows(product) else (0, 2, 1, 3)
    if keeps_rows(product) or (_count(plan.n) != 1 and _tile(plan.m) != 1):
        rows_first = join(prefix, "rows")
        sink.node("Transpose", [value], [rows_first], {"perm": [*range(batch), *(batch + axis for axis in order)]})
        value = rows_first
    shape: list[Length] = [0] * batch
    ragged = {}
    for axis, rank in ((plan.m, product.a_rank), (plan.n, product.b_rank)):
        if rank > 1:
            if axis.padding != 0:
                ragged[len(shape)] = axis
            whole: Length = (axis.count or 1) * (axis.tile or 1)
            if axis.size is None:
                whole = 0 if keeps_rows(product) else rows.padded if batch and rows.padded else -1
            shape.append(whole)
    padded = join(prefix, "padded") if ragged else output
    reshape(sink, value, padded, shape)
    if plan.m.padding is None:
        m = rows.length
        ends = [m] + [int64(sink, join(prefix, "N"), [plan.n.size])] * (plan.n.padding != 0)
        if len(ends) > 1:
            sink.node("Concat", ends, [join(prefix, "ends")], {"axis": 0})
        take_first_dynamic(sink, padded, output, list(ragged), join(prefix, "ends") if len(ends) > 1 else m)
    elif ragged:
        take_first(sink, padded, output, {position: axis.size or 0 for position, axis in ragged.items()})


def reshape(sink: Sink, value: str, output: str, shape: Sequence[Length]) -> None:
    """Reshape; 0 keeps the axis at the same place, so that batch axes may have any length.

    A length that is a value stands behind the batch axes. It's put together with those behind it first: onnxruntime
    makes -1 of one that is alone, which is open where a batch axis is empty.
    """
    name = f"{output}_shape"
    at = next((index for index, size in enumerate(shape) if isinstance(size, str)), None)
    if at is None:
        sink.node("Reshape", [value, int64(sink, name, shape)], [output])
        return
    front = int64(sink, f"{name}_front", shape[:at])
    back = int64(sink, f"{name}_back", shape[at + 1 :] or [1])
    sink.node("Concat", [str(shape[at]), back], [f"{name}_end"], {"axis": 0})
    sink.node("Concat", [front, f"{name}_end"], [name], {"axis": 0})
    if at + 1 < len(shape):
        sink.node("Reshape", [value, name], [output])
    else:
        sink.node("Reshape", [value, name], [f"{output}_column"])
        squeeze(sink, "Squeeze", f"{output}_column", output, at + 1)


def keeps_rows(product: TiledProduct) -> bool:
    """Return whether A's rows, however many, stay in one piece beside batch axes, where Reshape has to keep their axis.

    -1 would be open where a batch axis is empty.
    """
    return product.plan.m.size is None and product.plan.m.tile is None and product.batch_axes > 0


def _rows(sink: Sink, product: TiledProduct, a: str, at_least_one: bool, prefix: str) -> RowValues:
    """Add the nodes that tell A's rows, where they are cut and known only at run time.

    `at_least_one`: without rows there's one tile, of zeros, of which nothing is kept.
    """
    m = product.plan.m
    if m.padding is not None:
        return RowValues()
    shape, axis, length = (join(prefix, leaf) for leaf in ("A_shape", "M_axis", "M"))
    sink.node("Shape", [a], [shape])
    position = product.a_rank - (1 if product.transpose_a else 2)
    sink.node("Gather", [shape, int64(sink, axis, [position])], [length], {"axis": 0})
    tile, below, above, tiles = (join(prefix, f"M_{leaf}") for leaf in ("tile", "below", "above", "tiles"))
    int64(sink, tile, [m.tile])
    sink.node("Add", [length, int64(sink, below, [(m.tile or 1) - 1])], [above])
    sink.node("Div", [above, tile], [tiles])
    if at_least_one:
        some, one, more, counted = (join(prefix, f"M_{leaf}") for leaf in ("any", "one", "one_more", "counted"))
        sink.node("Sign", [length], [some])  # 1, or 0 where there are none
        sink.node("Add", [tiles, int64(sink, one, [1])], [more])
        sink.node("Sub", [more, some], [counted])
        tiles = counted
    sink.node("Mul", [tiles, tile], [join(prefix, "M_padded")])
    return RowValues(length, tiles, join(prefix, "M_padded"))


def _pad_at_run_time(
    sink: Sink, product: TiledProduct, value: str, output: str, rows: RowValues, padding: dict[int, int | None]
) -> None:
    """Pad A's rows up to whole tiles."""
    rank = product.a_rank
    sink.node("Sub", [rows.padded, rows.length], [f"{output}_rows"])
    front = int64(sink, f"{output}_front", [0] * (2 * rank - 2))
    back = int64(sink, f"{output}_columns", [padding.get(rank - 1, 0)])
    sink.node("Concat", [front, f"{output}_rows", back], [f"{output}_pads"], {"axis": 0})
    sink.node("Pad", [value, f"{output}_pads"], [output])


def _count(axis: Axis) -> int:
    """Return the number of pieces as Reshape writes it; -1: as many as there are."""
    return -1 if axis.count is None else axis.count


def _tile(axis: Axis) -> int:
    """Return the elements of a piece as Reshape writes them; -1: as many as there are."""
    return -1 if axis.tile is None else axis.tile


def box(product: TiledProduct) -> str:
    """Return the size of one tile product, as metadata says it."""
    return ",".join(
        f"{letter}{'' if tile is None else tile}" for letter, tile in zip("mkn", product.plan.tile, strict=True)
    )
