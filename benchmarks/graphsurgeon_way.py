"""The same lowering in onnx-graphsurgeon's terms: a node a tile, weights cut ahead of time, partial sums in a chain.

Node by node what onnxtile writes by default, but for the nodes' metadata, which onnx-graphsurgeon doesn't carry.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from seed_way import shapes


def lower(source: Path, limits: tuple[int, int, int], target: Path) -> None:
    """Every Gemm and MatMul by a constant."""
    model = onnx.load(source)
    known = shapes(model)
    graph = gs.import_onnx(model)
    nodes: list[gs.Node] = []
    for node in graph.nodes:
        is_product = node.op in ("Gemm", "MatMul")
        nodes += _tiled(node, known[node.inputs[0].name], limits, graph.opset) if is_product else [node]
    graph.nodes = nodes
    onnx.save(gs.export_onnx(graph), target)


def _tiled(product: gs.Node, a_shape: list[int], limits: tuple[int, int, int], opset: int) -> list[gs.Node]:
    (a, b, *bias), (result,) = list(product.inputs), list(product.outputs)
    product.inputs.clear()
    product.outputs.clear()  # the result gets another producer
    weight: np.ndarray = b.values.T if product.attrs.get("transB") else b.values
    nodes: list[gs.Node] = []

    def add(op: str, inputs: list[gs.Tensor], name: str, **attributes: int) -> gs.Tensor:
        output = gs.Variable(name, weight.dtype)
        nodes.append(gs.Node(op, name, attributes, inputs, [output]))
        return output

    def split(value: gs.Tensor, letter: str, size: int, tile: int, axis: int) -> list[gs.Tensor]:
        if size <= tile:
            return [value]
        lengths = [stop - start for start, stop in _pieces(size, tile)]
        outputs = [gs.Variable(f"{value.name}_{letter}{i}", weight.dtype) for i in range(len(lengths))]
        constant = [] if opset < 13 else [gs.Constant(f"{value.name}_{letter}_lengths", np.array(lengths))]
        attributes = {"axis": axis} if constant else {"axis": axis, "split": lengths}
        nodes.append(gs.Node("Split", outputs[0].name, attributes, [value, *constant], outputs))
        return outputs

    p, (rows, depth) = product.name or result.name, a_shape
    a_tiles = [split(row, "k", depth, limits[1], 1) for row in split(a, "m", rows, limits[0], 0)]
    b_tiles = [
        [
            gs.Constant(f"{b.name}/k{k}_n{n}", np.ascontiguousarray(weight[slice(*deep), slice(*wide)]))
            for n, wide in enumerate(_pieces(weight.shape[1], limits[2]))
        ]
        for k, deep in enumerate(_pieces(depth, limits[1]))
    ]
    out_rows = []
    for m, a_row in enumerate(a_tiles):
        sums = []
        for n in range(len(b_tiles[0])):
            total = None
            for k, a_tile in enumerate(a_row):
                partial = add("MatMul", [a_tile, b_tiles[k][n]], f"{p}/m{m}_n{n}_k{k}")
                total = partial if total is None else add("Add", [total, partial], f"{p}/m{m}_n{n}_sum{k}")
            sums.append(total)
        out_rows.append(add("Concat", sums, f"{p}/m{m}", axis=1))
    if len(out_rows) > 1:
        out_rows = [add("Concat", out_rows, f"{p}/product", axis=0)]
    if bias:
        add("Add", [*out_rows, *bias], f"{p}/biased")
    nodes[-1].outputs = [result]
    return nodes


def _pieces(size: int, tile: int) -> list[tuple[int, int]]:
    return [(start, min(start + tile, size)) for start in range(0, size, tile)]
