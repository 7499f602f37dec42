"""The unrolled form: Split, one MatMul a tile, Add, Concat. For compilers without loops."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product as every
from typing import Any, ClassVar, Literal, TypeAlias, get_args

import numpy as np
import onnx_ir as ir

from onnxtile.errors import UsageError, wrong_name
from onnxtile.ir.arrays import last_axes_swapped
from onnxtile.ir.dtypes import INTEGERS
from onnxtile.tiling.forms.form import Form
from onnxtile.tiling.legality import Ability
from onnxtile.tiling.loops import Loops
from onnxtile.tiling.opset_compat import Slicer, Splitter, merge_tree, pad_end, take_first
from onnxtile.tiling.plan import Axis, additions
from onnxtile.tiling.sinks.ir import Sink
from onnxtile.tiling.tiled_product import SIDES, Operand, Side, TiledProduct, join, with_zeros

SplitsName: TypeAlias = Literal["split", "slice"]
SPLITS: tuple[SplitsName, ...] = get_args(SplitsName)
Grid = dict[tuple[int, ...], str]
"""Names of an operand's tiles by their indices along the operand's axes."""


@dataclass(frozen=True)
class Unrolled(Form):
    """C's tile (m, n) is the sum over k of the tile products A(m, k) @ B(k, n); C is their concatenation.

    `max_fan_in`, `max_fan_out`: the most inputs that a Concat or Sum, and outputs that a Split, may have; None: any.
    `splits`: values are cut at run time by Split, or by a Slice for each piece.
    """

    max_fan_in: int | None = None
    max_fan_out: int | None = None
    splits: SplitsName = "split"
    name: ClassVar[str] = "unrolled"
    ability: ClassVar[Ability] = Ability(writes_each_tile=True)

    def __post_init__(self) -> None:
        for what, most in (("max_fan_in", self.max_fan_in), ("max_fan_out", self.max_fan_out)):
            if most is not None and most < 2:
                raise UsageError(f"{what} is {most}: nothing can be joined or split with fewer than 2")
        if self.splits not in SPLITS:
            raise wrong_name(f"splits is {self.splits!r}", self.splits, SPLITS)

    def constants(
        self, product: TiledProduct, side: Side, prefix: str, array: np.ndarray
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the tiles of a constant operand, as views, named `prefix/k0_n3`."""
        if product.plan.full:
            array = with_zeros(array, product.padding(side))
            product = replace(product, plan=product.plan.padded)
        *outer, (_, letter, inner) = product.axes(side)
        labelled = [(f"{letter}{i}", slice(*piece)) for i, piece in enumerate(_pieces(inner))]
        for pieces in every(*(enumerate(_pieces(axis)) for _, _, axis in outer)):
            labels = (f"{letter}{i}_" for (_, letter, _), (i, _) in zip(outer, pieces, strict=True))
            start = f"{prefix}/{''.join(labels)}"
            box: tuple[Any, ...] = (Ellipsis, *(slice(*piece) for _, piece in pieces))
            for label, piece in labelled:
                yield start + label, array[box + (piece,)]  # noqa: RUF005  # no star there before Python 3.11

    def write(self, sink: Sink, product: TiledProduct, a: Operand, b: Operand, output: str, prefix: str) -> None:
        """Add the nodes that compute `output`; everything new is named `prefix/...`."""
        if product.transpose_c:
            by_rows = join(prefix, "by_rows")
            self.write(sink, replace(product, transpose_c=False), a, b, by_rows, prefix)
            sink.node("Transpose", [by_rows], [output], {"perm": last_axes_swapped(_output_rank(product))})
            return
        if product.plan.full and product.plan.padded != product.plan:
            self._write_padded(sink, product, a, b, output, prefix)
            return
        a_tiles, b_tiles = (
            self._tiles(sink, product, side, operand, prefix) for side, operand in zip(SIDES, (a, b), strict=True)
        )
        m_pieces, k_pieces, n_pieces = (_pieces(axis) for axis in (product.plan.m, product.plan.k, product.plan.n))
        boxes = {
            letter: [f"{letter}{start}:{'' if stop is None else stop}" for start, stop in pieces]
            for letter, pieces in (("m", m_pieces), ("k", k_pieces), ("n", n_pieces))
        }
        loops = Loops.of(product.plan.schedule)
        if loops is not None:
            order = loops.tiles(product.plan)
            self._write_in_order(sink, product, a_tiles, b_tiles, boxes, order, output, prefix)
            return
        operator = product.operator
        columns = [
            [b_tiles[(k, n) if product.b_rank > 1 else (k,)] for k in range(len(k_pieces))]
            for n in range(len(n_pieces))
        ]
        rows = []
        for m in range(len(m_pieces)):
            a_row = [a_tiles[(m, k) if product.a_rank > 1 else (k,)] for k in range(len(k_pieces))]
            row = join(prefix, f"m{m}") if len(m_pieces) > 1 else output
            tiles = []
            for n in range(len(n_pieces)):
                tile = join(prefix, f"m{m}_n{n}") if len(n_pieces) > 1 else row
                start = join(prefix, f"m{m}_n{n}_k")
                partials = [f"{start}{k}" for k in range(len(k_pieces))] if len(k_pieces) > 1 else [tile]
                m_box, n_box = boxes["m"][m], boxes["n"][n]
                for a_tile, b_tile, partial, k_box in zip(a_row, columns[n], partials, boxes["k"], strict=True):
                    sink.node(operator, (a_tile, b_tile), (partial,), tile=f"{m_box},{k_box},{n_box}")
                if len(partials) > 1:
                    self._add_up(sink, product, partials, tile)
                tiles.append(tile)
            if len(tiles) > 1:
                merge_tree(sink, "Concat", tiles, row, {"axis": _output_rank(product) - 1}, self.max_fan_in)
            rows.append(row)
        self._join_rows(sink, product, rows, output)

    def _write_in_order(
        self, sink: Sink, product: TiledProduct, a_tiles: Grid, b_tiles: Grid, boxes: Mapping[str, Sequence[str]],
        order: Iterable[tuple[int, int, int]], output: str, prefix: str,
    ) -> None:  # fmt: skip
        """Add the tile products in an order of their own (k ascends in it), and what is made of them as soon as it can.

        Names and results are those of the usual order.
        """
        m_count, k_count, n_count = (len(boxes[letter]) for letter in "mkn")
        rows = [join(prefix, f"m{m}") if m_count > 1 else output for m in range(m_count)]
        chained = product.accumulate == "chain" and not product.narrow
        partials: dict[tuple[int, int], list[str]] = {}
        done: dict[int, int] = {}
        for m, k, n in order:
            tile = join(prefix, f"m{m}_n{n}") if n_count > 1 else rows[m]
            partial = join(prefix, f"m{m}_n{n}_k{k}") if k_count > 1 else tile
            a, b = a_tiles[(m, k)[-product.a_rank :]], b_tiles[(k, n)[: product.b_rank]]
            box = f"{boxes['m'][m]},{boxes['k'][k]},{boxes['n'][n]}"
            sink.node(product.operator, (a, b), (partial,), tile=box)
            found = partials.setdefault((m, n), [])
            found.append(partial)
            if chained and k > 0:
                found[:] = [self._add_next(sink, product, found, tile, k, k == k_count - 1)]
            if k < k_count - 1:
                continue
            if not chained and k_count > 1:
                self._add_up(sink, product, found, tile)
            done[m] = done.get(m, 0) + 1
            if done[m] == n_count > 1:
                tiles = [join(prefix, f"m{m}_n{n}") for n in range(n_count)]
                merge_tree(sink, "Concat", tiles, rows[m], {"axis": _output_rank(product) - 1}, self.max_fan_in)
        self._join_rows(sink, product, rows, output)

    def _join_rows(self, sink: Sink, product: TiledProduct, rows: Sequence[str], output: str) -> None:
        if len(rows) > 1:
            axis = _output_rank(product) - (2 if product.b_rank > 1 else 1)
            merge_tree(sink, "Concat", rows, output, {"axis": axis}, self.max_fan_in)

    def _add_next(
        self, sink: Sink, product: TiledProduct, pair: Sequence[str], total: str, step: int, last: bool
    ) -> str:
        """Add a partial sum to those before it, as `_add_up` does in a chain, and return the sum's name."""
        whole = total if product.wider is None else f"{total}_wide"
        name = whole if last else f"{total}_sum{step}"
        sink.node("Add", tuple(pair), (name,))
        if last and product.wider is not None:
            sink.node("Cast", (name,), (total,), {"to": product.dtype.value})
        return name

    def _write_padded(
        self, sink: Sink, product: TiledProduct, a: Operand, b: Operand, output: str, prefix: str
    ) -> None:
        """Pad the operands that aren't constants, write the padded product, and cut off what was added."""
        operands = []
        for side, operand in zip(SIDES, (a, b), strict=True):
            padding = {position: amount for position, amount in product.padding(side).items() if amount}
            if padding and not operand.precut:
                name, rank = join(prefix, f"{side}_padded"), product.rank(side)
                if product.transposed(side):
                    padding = {2 * rank - 3 - position: amount for position, amount in padding.items()}
                pad_end(sink, operand.name, name, rank, padding, product.dtype not in INTEGERS)
                operand = Operand(name)
            operands.append(operand)
        rank, plan = _output_rank(product), product.plan
        ends = {rank - 2: plan.m, rank - 1: plan.n}
        ragged = {position: axis.size or 0 for position, axis in ends.items() if axis.padding}
        padded = join(prefix, "padded") if ragged else output
        self.write(sink, replace(product, plan=plan.padded), operands[0], operands[1], padded, prefix)
        if ragged:
            take_first(sink, padded, output, ragged)

    def _tiles(self, sink: Sink, product: TiledProduct, side: Side, operand: Operand, prefix: str) -> Grid:
        """Return the operand's tiles: constants that are there already, or nodes that split a value."""
        grid: Grid
        axes = product.axes(side)
        counts = [len(_pieces(axis)) for _, _, axis in axes]
        if operand.precut:
            labels = every(
                *([f"{letter}{i}" for i in range(n)] for (_, letter, _), n in zip(axes, counts, strict=True))
            )
            indices = every(*map(range, counts))
            grid = {
                index: f"{operand.name}/{label}" for index, label in zip(indices, map("_".join, labels), strict=True)
            }
            if product.widened is not None:
                for index, tile in grid.items():
                    wide = join(prefix, f"{side}_{_label(axes, index)}_wide")
                    grid[index] = _wide(sink, product.widened, tile, wide)
            return grid
        name = operand.name
        if product.transposed(side):
            rank = product.rank(side)
            name = join(prefix, f"{side}_transposed")
            sink.node("Transpose", [operand.name], [name], {"perm": last_axes_swapped(rank)})
        if product.widened is not None:
            name = _wide(sink, product.widened, name, join(prefix, f"{side}_wide"))
        grid = {(): name}
        for position, letter, axis in axes:
            if axis.whole:
                grid = {(*index, 0): piece for index, piece in grid.items()}
                continue
            lengths = axis.lengths
            label = join(prefix, f"{side}_{letter}")
            splitter: Splitter | Slicer = Slicer(sink, label, position)
            if self.splits == "split":
                splitter = Splitter(sink, f"{label}_lengths", position, self.max_fan_out)
            finer: Grid = {}
            for index, piece in grid.items():
                parts = [join(prefix, f"{side}_{_label(axes, (*index, i))}") for i in range(len(lengths))]
                splitter.split(piece, parts, lengths)
                finer |= {(*index, i): part for i, part in enumerate(parts)}
            grid = finer
        return grid

    def _add_up(self, sink: Sink, product: TiledProduct, partials: list[str], total: str) -> None:
        """Add partial sums in the order asked for; narrow floats in a wider type, rounded once."""
        wider = product.wider
        values, last = list(partials), total if wider is None else f"{total}_wide"
        if wider is not None and product.narrow:
            values = [_wide(sink, wider, partial, f"{partial}_wide") for partial in partials]
        if product.accumulate == "sum" and product.dtype not in INTEGERS:
            merge_tree(sink, "Sum", values, last, {}, self.max_fan_in)
        else:  # Sum takes no integers, whose additions are exact in any order
            pairs = additions(len(partials), "chain" if product.accumulate == "sum" else product.accumulate)
            for step, (left, right) in enumerate(pairs, 1):
                result = last if step == len(pairs) else f"{total}_sum{step}"
                sink.node("Add", (values[left], values[right]), (result,))
                values.append(result)
        if wider is not None:
            sink.node("Cast", (last,), (total,), {"to": product.dtype.value})


def _wide(sink: Sink, dtype: ir.DataType, value: str, name: str) -> str:
    """Add the Cast of a value to a wider type, and return its name."""
    sink.node("Cast", (value,), (name,), {"to": dtype.value})
    return name


def _pieces(axis: Axis) -> list[tuple[int, int | None]]:
    return [(0, None)] if axis.size is None else list(axis)


def _label(axes: list[tuple[int, str, Axis]], index: tuple[int, ...]) -> str:
    """Return indices with their letters, as many as there are: `k0_n3`."""
    return "_".join([f"{letter}{i}" for (_, letter, _), i in zip(axes, index, strict=False)])


def _output_rank(product: TiledProduct) -> int:
    return product.batch_axes + (product.a_rank > 1) + (product.b_rank > 1)
