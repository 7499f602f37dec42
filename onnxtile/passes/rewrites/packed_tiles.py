"""A product by packed weights written out tile by tile: each tile is the same operator on a part of the bytes."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.ir.dtypes import WIDER
from onnxtile.operators.block_packing import Blocks
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.opset_compat import Splitter, merge_tree
from onnxtile.tiling.plan import Axis, additions
from onnxtile.tiling.sinks.ir import IrSink


@dataclass(frozen=True)
class Cutting:
    """How a MatMulNBits is cut: A is split along M and K, the weights' bytes along N and K where blocks begin.

    Partial sums are added in a chain, those of float16 and bfloat16 in float32; bias is added once, and then all is
    rounded once.
    """

    m: Axis
    k: Axis
    n: Axis
    weights: Blocks

    def write_out(self, node: ir.Node, new: Replacement, opset: int) -> None:
        """Put the tiles in the node's place. The shape of its A is known."""
        a, bias = node.inputs[0], node.inputs[5] if len(node.inputs) > 5 else None
        assert a is not None and a.shape is not None and a.dtype is not None and isinstance(node.graph, ir.Graph)
        known = {str(value.name): value for value in (a, bias) if value is not None}
        sink = IrSink(opset, known, new.origin, new.graph)
        rank, prefix = len(a.shape), new.prefix
        tiles = self._tiles_of_a(sink, a, prefix)
        operands = self._weight_tiles(sink, new)
        attributes = {each.name: each.as_int() for each in node.attributes.values()}
        wider = WIDER.get(a.dtype) if self.k.count != 1 else None
        rows = []
        for m, (row, m_piece) in enumerate(zip(tiles, _pieces(self.m), strict=True)):
            columns = []
            for n, (n_start, n_stop) in enumerate(self.n):
                name = f"{prefix}/m{m}_n{n}"
                partials = [f"{name}_k{k}" for k in range(len(row))] if len(row) > 1 else [name]
                for k, (k_start, k_stop) in enumerate(self.k):
                    sizes = {"K": k_stop - k_start, "N": n_stop - n_start}
                    box = f"m{m_piece},k{k_start}:{k_stop},n{n_start}:{n_stop}"
                    inputs = [row[k], *operands[n, k]]
                    sink.node(node.op_type, inputs, [partials[k]], attributes | sizes, box, node.domain)
                columns.append(_sum(sink, partials, name, wider))
            rows.append(_joined(sink, columns, f"{prefix}/m{m}", rank - 1))
        total = _joined(sink, rows, f"{prefix}/product", rank - 2)
        if bias is not None:
            addend = _cast(sink, str(bias.name), f"{prefix}/bias_wide", wider)
            sink.node("Add", [total, addend], [f"{prefix}/biased"])
            total = f"{prefix}/biased"
        total = _cast(sink, total, f"{prefix}/rounded", a.dtype if wider else None)
        new.nodes += sink.nodes
        new.swap_in(sink.values[total])

    def _tiles_of_a(self, sink: IrSink, a: ir.Value, prefix: str) -> list[list[str]]:
        """Names of A's tiles, by rows; their shapes are told."""
        assert a.name is not None and a.shape is not None
        rank, rows = len(a.shape), [a.name]
        if not self.m.whole:
            rows = [f"{prefix}/A_m{m}" for m in range(self.m.count or 1)]
            Splitter(sink, f"{prefix}/A_m_lengths", rank - 2, None).split(a.name, rows, self.m.lengths)
        tiles = [[row] for row in rows]
        if not self.k.whole:
            starts = rows if len(rows) > 1 else [f"{prefix}/A"]
            tiles = [[f"{start}_k{k}" for k in range(self.k.count or 1)] for start in starts]
            splitter = Splitter(sink, f"{prefix}/A_k_lengths", rank - 1, None)
            for row, names in zip(rows, tiles, strict=True):
                splitter.split(row, names, self.k.lengths)
        heights = [None] if self.m.whole else self.m.lengths
        for names, height in zip(tiles, heights, strict=True):
            for name, width in zip(names, self.k.lengths, strict=True):
                dims = [*list(a.shape)[:-1], width]
                if height is not None:
                    dims[-2] = height
                sink.values[name].shape, sink.values[name].type = ir.Shape(dims), a.type
        return tiles

    def _weight_tiles(self, sink: IrSink, new: Replacement) -> dict[tuple[int, int], list[str]]:
        """Names of the weights', scales' and zero points' tiles by their indices n, k; made initializers."""
        tiles = {}
        for n, columns in enumerate(self.n):
            for k, rows in enumerate(self.k):
                values = [
                    new.constant(f"{name}_n{n}_k{k}", tensor) for name, tensor in self.weights.tile(columns, rows)
                ]
                sink.values.update({str(value.name): value for value in values})
                tiles[n, k] = [str(value.name) for value in values]
        return tiles


def _sum(sink: IrSink, partials: list[str], name: str, wider: ir.DataType | None) -> str:
    values = [_cast(sink, partial, f"{partial}_wide", wider) for partial in partials]
    for step, (left, right) in enumerate(additions(len(partials), "chain"), 1):
        values.append(f"{name}_sum{step}")
        sink.node("Add", [values[left], values[right]], [values[-1]])
    return values[-1]


def _joined(sink: IrSink, parts: list[str], name: str, axis: int) -> str:
    if len(parts) == 1:
        return parts[0]
    merge_tree(sink, "Concat", parts, name, {"axis": axis}, None)
    return name


def _cast(sink: IrSink, value: str, name: str, dtype: ir.DataType | None) -> str:
    """The value in another type; None: as it is."""
    if dtype is None:
        return value
    sink.node("Cast", [value], [name], {"to": dtype.value})
    return name


def _pieces(axis: Axis) -> list[str]:
    """The pieces as `start:stop`; an axis that is known only at run time is one."""
    return ["0:"] if axis.size is None else [f"{start}:{stop}" for start, stop in axis]
