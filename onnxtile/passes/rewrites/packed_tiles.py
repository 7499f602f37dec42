"""A product by packed weights written out tile by tile: each tile is the same operator on a part of the bytes."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from onnxtile.ir.dtypes import WIDER
from onnxtile.operators.block_packing import Blocks
from onnxtile.passes.rewrites.packed_weights import bias_of
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.loops import Loops
from onnxtile.tiling.opset_compat import Splitter, merge_tree
from onnxtile.tiling.plan import TilePlan, additions
from onnxtile.tiling.sinks.ir import IrSink


def write_packed_tiles(node: ir.Node, plan: TilePlan, weights: Blocks, new: Replacement, opset: int) -> None:
    """Replace a MatMulNBits by its tiles: A is split along M and K, the bytes of W along N and K where blocks begin.

    Partial sums are added in a chain, those of float16 and bfloat16 in float32; bias is added once, and then all is
    rounded once. The shape of A is known.
    """
    a, bias = node.inputs[0], bias_of(node)
    assert a is not None and a.shape is not None and a.dtype is not None
    known = {str(value.name): value for value in (a, bias) if value is not None}
    sink, prefix, rank = IrSink(opset, known, new.origin, new.graph), new.prefix, len(a.shape)
    tiles, operands = _split(sink, a, plan, prefix), _weight_tiles(sink, plan, weights, new)
    attributes = {attribute.name: attribute.as_int() for attribute in node.attributes.values()}
    wider = WIDER.get(a.dtype) if plan.k.count != 1 else None
    heights = ["0:"] if plan.m.size is None else [f"{start}:{stop}" for start, stop in plan.m]
    sink.schedule = plan.schedule
    k_count, n_count = len(tiles[0]), plan.n.count or 1
    values: dict[tuple[int, int], list[str]] = {}
    rows: dict[int, str] = {}
    for m, k, n in Loops.order(plan):
        name, (k_start, k_stop), (n_start, n_stop) = f"{prefix}/m{m}_n{n}", list(plan.k)[k], list(plan.n)[n]
        partial = f"{name}_k{k}" if k_count > 1 else name
        sizes = {"K": k_stop - k_start, "N": n_stop - n_start}
        box = f"m{heights[m]},k{k_start}:{k_stop},n{n_start}:{n_stop}"
        sink.node(node.op_type, [tiles[m][k], *operands[n, k]], [partial], attributes | sizes, box, node.domain)
        values.setdefault((m, n), []).append(partial)
        if k < k_count - 1:
            continue
        values[m, n] = [_sum(sink, values[m, n], name, wider)]
        done = [values[m, column][0] for column in range(n_count) if len(values.get((m, column), ())) == 1]
        if len(done) == n_count:
            rows[m] = _join(sink, done, f"{prefix}/m{m}", rank - 1)
    total = _join(sink, [rows[m] for m in range(len(heights))], f"{prefix}/product", rank - 2)
    if bias is not None:
        addend = _cast(sink, str(bias.name), f"{prefix}/bias_wide", wider)
        sink.node("Add", [total, addend], [f"{prefix}/biased"])
        total = f"{prefix}/biased"
    total = _cast(sink, total, f"{prefix}/rounded", a.dtype if wider else None)
    new.nodes += sink.nodes
    new.swap_in(sink.values[total])


def _sum(sink: IrSink, partials: Sequence[str], name: str, wider: ir.DataType | None) -> str:
    """Add the nodes that add partial sums up, and return the name of what they come to."""
    values = [_cast(sink, partial, f"{partial}_wide", wider) for partial in partials]
    for step, (left, right) in enumerate(additions(len(partials), "chain"), 1):
        values.append(f"{name}_sum{step}")
        sink.node("Add", [values[left], values[right]], [values[-1]])
    return values[-1]


def _split(sink: IrSink, a: ir.Value, plan: TilePlan, prefix: str) -> list[list[str]]:
    """Add the nodes that split A, and return the names of its tiles, row by row; they have shapes."""
    assert a.name is not None and a.shape is not None
    rank, rows = len(a.shape), [a.name]
    if not plan.m.whole:
        rows = [f"{prefix}/A_m{m}" for m in range(plan.m.count or 1)]
        Splitter(sink, f"{prefix}/A_m_lengths", rank - 2, None).split(a.name, rows, plan.m.lengths)
    tiles = [[row] for row in rows]
    if not plan.k.whole:
        starts = rows if len(rows) > 1 else [f"{prefix}/A"]
        tiles = [[f"{start}_k{k}" for k in range(plan.k.count or 1)] for start in starts]
        splitter = Splitter(sink, f"{prefix}/A_k_lengths", rank - 1, None)
        for row, names in zip(rows, tiles, strict=True):
            splitter.split(row, names, plan.k.lengths)
    heights = [a.shape[-2]] if rank > 1 and plan.m.whole else plan.m.lengths
    for names, height in zip(tiles, heights, strict=True):
        for name, width in zip(names, plan.k.lengths, strict=True):
            dims = [*list(a.shape)[:-2], height, width]
            sink.values[name].shape, sink.values[name].type = ir.Shape(dims[-rank:]), a.type
    return tiles


def _weight_tiles(sink: IrSink, plan: TilePlan, weights: Blocks, new: Replacement) -> dict[tuple[int, int], list[str]]:
    """Add the tiles of weights, scales and zero points as constants, and return their names by the indices n, k."""
    tiles = {}
    for n, columns in enumerate(plan.n):
        for k, rows in enumerate(plan.k):
            values = [new.constant(f"{name}_n{n}_k{k}", tensor) for name, tensor in weights.tile(columns, rows)]
            tiles[n, k] = [str(value.name) for value in values]
            sink.values.update(zip(tiles[n, k], values, strict=True))
    return tiles


def _join(sink: IrSink, parts: Sequence[str], name: str, axis: int) -> str:
    if len(parts) == 1:
        return parts[0]
    merge_tree(sink, "Concat", parts, name, {"axis": axis}, None)
    return name


def _cast(sink: IrSink, value: str, name: str, dtype: ir.DataType | None) -> str:
    """Return the value in another type; None: as it is."""
    if dtype is None:
        return value
    sink.node("Cast", [value], [name], {"to": dtype.value})
    return name
