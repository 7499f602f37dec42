"""Is every product of what was written within the limits? Read from the file, fast enough for millions of nodes.

A small model is checked as any other: `check`. That infers every shape, which takes a hundred times as long as writing
a node; what `lower` unrolls is simpler: tiles are initializers, or come by Split and Transpose from values that were
there before.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import onnx
from onnx import numpy_helper

from onnxtile.errors import PassError
from onnxtile.ir.io.interop import AnyModel
from onnxtile.ir.io.protobuf_wire import inside, number_of, runs
from onnxtile.ir.metadata import TILE
from onnxtile.lowering.check import check
from onnxtile.lowering.report import Row, Status
from onnxtile.tiling.limits import Limits

MOST_CHECKED = 2000
"""Nodes of the largest model whose shapes are all inferred again."""
Shape = tuple[int | None, ...]
Shapes = Mapping[str, Shape]
_GRAPH = number_of(onnx.ModelProto, "graph")
_NODE = number_of(onnx.GraphProto, "node")
_CHUNK_BYTES = 1 << 22
_PRODUCTS = ("MatMul", "MatMulInteger")
_AS_THEIR_INPUT = ("Add", "Sum", "Cast")


def left_over(
    written: AnyModel, nodes: int, rows: Sequence[Row], limits: Limits, ops: Sequence[str], known: Shapes | None
) -> Iterator[Row]:
    """Products of what was written that exceed the limits, or may, and aren't among `rows` as such.

    `known`: shapes of the main graph's values that were cut by Split; an axis that isn't a number is None. Without
    it, tiles are made in another way, or elsewhere. Raises PassError where names don't fit together.
    """
    told = [row for row in rows if row.status not in ("tiled", "fits")]
    if nodes <= MOST_CHECKED or known is None or not isinstance(written, Path):
        names = {(row.op, row.name) for row in told}
        # check looks into functions call by call, and names what it finds there after the calls
        sizes = {(row.op, row.m, row.k, row.n) for row in told if row.scope.startswith("function ")}
        for row in check(written, limits, ops=ops).contractions:
            told_so = (row.op, row.name) in names or (row.op, row.m, row.k, row.n) in sizes
            if row.status in ("over", "unknown") and not told_so:
                yield row
        return
    walk = _Walk(limits, known, {row.name for row in rows if row.status != "tiled"})
    with written.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for graph in _pieces(memoryview(data)):
            yield from walk(graph)


def _pieces(data: memoryview) -> Iterator[onnx.GraphProto]:
    """The main graph in pieces: all but its nodes first."""
    with data:
        start, stop = next((start, stop) for number, start, stop in runs(data, 0, len(data), 0) if number == _GRAPH)
        nodes = []
        for number, begin, end in runs(data, inside(data, start), stop, _CHUNK_BYTES):
            if number == _NODE:
                nodes.append((begin, end))
            else:
                yield onnx.GraphProto.FromString(bytes(data[begin:end]))
        for begin, end in nodes:
            yield onnx.GraphProto.FromString(bytes(data[begin:end]))


def _is_tile(node: onnx.NodeProto) -> bool:
    """Whether we made it of a product that was cut; others were judged before."""
    return any(pair.key == TILE for pair in node.metadata_props)


class _Walk:
    """Goes over a graph's pieces, and tells the products that exceed the limits.

    `judged`: names of nodes that were left as they were.
    """

    def __init__(self, limits: Limits, known: Shapes, judged: set[str]) -> None:
        self._limits, self._known, self._judged = limits, known, judged
        self._shapes: dict[str, Shape | None] = {"": None}
        self._lengths: dict[str, list[int]] = {}
        self._results: dict[tuple[Shape | None, Shape | None], Shape] = {}

    def __call__(self, graph: onnx.GraphProto) -> Iterator[Row]:
        shapes, known = self._shapes, self._known
        shapes.update((value.name, known.get(value.name)) for value in graph.input)
        shapes.update((tensor.values.name, None) for tensor in graph.sparse_initializer)
        for tensor in graph.initializer:
            shapes[tensor.name] = tuple(tensor.dims)
            if tensor.data_type == onnx.TensorProto.INT64 and len(tensor.dims) == 1 and tensor.raw_data:
                self._lengths[tensor.name] = numpy_helper.to_array(tensor).tolist()
        results = self._results
        for node in graph.node:
            op_type, inputs, outputs = node.op_type, list(node.input), list(node.output)
            try:
                read = [shapes[name] for name in inputs]
            except KeyError as error:
                words = f"{op_type} {node.name!r} reads {error}, which nothing computes; please report this"
                raise PassError(words) from error
            made: Sequence[Shape | None] = (None,) * len(outputs)
            if op_type in _PRODUCTS:
                result = results.get((read[0], read[1]))
                if result is None and (all(read[:2]) or _is_tile(node)) and not self._judged & {node.name, *outputs}:
                    yield from self._judge(node, read[0], read[1])
                    result = results.get((read[0], read[1]))
                made = (result,)
            elif op_type in _AS_THEIR_INPUT:
                made = (read[0] if all(each == read[0] for each in read) else None,)
            elif op_type in ("Split", "Transpose", "Pad"):
                made = self._moved(node, read[0])
            for name, shape in zip(outputs, made, strict=True):
                if name in shapes and name:
                    words = f"computes {name!r}, which is there already; please report this"
                    raise PassError(f"{op_type} {node.name!r} {words}")
                shapes[name] = shape
                if name in known:
                    shapes[name] = known[name]

    def _judge(self, node: onnx.NodeProto, a: Shape | None, b: Shape | None) -> Iterator[Row]:
        """A row for a product that exceeds the limits, or may; the shape of one that doesn't is remembered."""
        if not a or not b:
            words = "unknown-shape: a tile's shape doesn't follow from the file; please report this"
            yield Row(node.name, node.op_type, "", None, None, None, None, None, "unknown", words)
            return
        sizes = (a[-2] if len(a) > 1 else 1, a[-1], b[-1] if len(b) > 1 else 1)
        pairs = list(zip(sizes, self._limits.axes, strict=True))
        if all(most is None or (size is not None and size <= most) for size, most in pairs):
            self._results[a, b] = (*a[:-1], *b[-1:])
            return
        surely = any(size is not None and most is not None and size > most for size, most in pairs)
        status: Status = "over" if surely else "unknown"
        words = "postcondition: a rewrite left it so; please report this"
        yield Row(node.name, node.op_type, "", *sizes, None, None, status, words)

    def _moved(self, node: onnx.NodeProto, shape: Shape | None) -> list[Shape | None]:
        """What Split, Transpose and Pad make of a shape."""
        attributes = {attribute.name: attribute for attribute in node.attribute}
        if shape is None:
            return [None] * len(node.output)
        if node.op_type == "Transpose":
            order = attributes["perm"].ints if "perm" in attributes else reversed(range(len(shape)))
            return [tuple(shape[axis] for axis in order)]
        said = attributes.get("split", attributes.get("pads"))
        lengths = self._lengths.get(node.input[1], []) if len(node.input) > 1 else list(said.ints) if said else []
        if node.op_type == "Pad":
            ends = zip(shape, lengths, lengths[len(shape) :], strict=False)
            return [tuple(None if size is None else size + before + after for size, before, after in ends) or None]
        axis = attributes["axis"].i if "axis" in attributes else 0
        if len(lengths) != len(node.output):
            return [None] * len(node.output)
        return [(*shape[:axis], length, *shape[axis:][1:]) for length in lengths]
