"""The plainest way to tile a product: helper nodes inserted one by one into the protobuf list, all cut at run time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx import helper

Shapes = dict[str, list[int]]


def lower(source: Path, limits: tuple[int, int, int], target: Path) -> None:
    """Every Gemm and MatMul: Split both operands, MatMul a tile, Sum over k, Concat over n, then m, Add the bias."""
    model = onnx.load(source)
    graph, known = model.graph, shapes(model)
    index = 0
    while index < len(graph.node):
        node = graph.node[index]
        if node.op_type not in ("Gemm", "MatMul"):
            index += 1
            continue
        product = onnx.NodeProto()
        product.CopyFrom(node)
        del graph.node[index]
        for new in _tiled(product, known, limits, f"dl_{index}_", model):
            graph.node.insert(index, new)
            index += 1
    onnx.save(model, target)


def shapes(model: onnx.ModelProto) -> Shapes:
    """Sizes of all values and constants. A whole copy of the model goes through onnx's inference, weights included."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    described = [*graph.value_info, *graph.input, *graph.output]
    known = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in described}
    return known | {tensor.name: list(tensor.dims) for tensor in graph.initializer}


def _tiled(
    product: onnx.NodeProto, known: Shapes, limits: tuple[int, int, int], p: str, model: onnx.ModelProto
) -> Iterator[onnx.NodeProto]:
    (a, b, *bias), (result,) = product.input, product.output
    (rows, depth), columns = known[a], known[b][1]
    if any(attribute.name == "transB" and attribute.i for attribute in product.attribute):
        columns = known[b][0]
        yield helper.make_node("Transpose", [b], [f"{p}B_T"], f"{p}B_T", perm=[1, 0])
        b = f"{p}B_T"
    opset = model.opset_import[0].version
    sizes = {"m": rows, "k": depth, "n": columns}
    pieces = {axis: _pieces(size, tile) for (axis, size), tile in zip(sizes.items(), limits, strict=True)}
    ms, ks, ns = (range(len(pieces[axis])) for axis in "mkn")
    if opset >= 13:
        for axis, lengths in pieces.items():
            model.graph.initializer.append(
                helper.make_tensor(f"{p}{axis}", onnx.TensorProto.INT64, [len(lengths)], lengths)
            )

    def split(value: str, stem: str, letter: str, axis: int) -> onnx.NodeProto:
        outputs = [f"{stem}_{letter}{i}" for i in range(len(pieces[letter]))]
        if opset < 13:
            return helper.make_node("Split", [value], outputs, f"{stem}_split", axis=axis, split=pieces[letter])
        return helper.make_node("Split", [value, f"{p}{letter}"], outputs, f"{stem}_split", axis=axis)

    yield split(a, f"{p}A", "m", 0)
    for m in ms:
        yield split(f"{p}A_m{m}", f"{p}A_m{m}", "k", 1)
    yield split(b, f"{p}B", "k", 0)
    for k in ks:
        yield split(f"{p}B_k{k}", f"{p}B_k{k}", "n", 1)
    for k in ks:
        for n in ns:
            for m in ms:
                output = f"{p}MM_m{m}_n{n}_k{k}"
                yield helper.make_node("MatMul", [f"{p}A_m{m}_k{k}", f"{p}B_k{k}_n{n}"], [output], output)
    for m in ms:
        for n in ns:
            output = f"{p}Sum_m{m}_n{n}"
            yield helper.make_node("Sum", [f"{p}MM_m{m}_n{n}_k{k}" for k in ks], [output], output)
    for m in ms:
        output = f"{p}Concat_m{m}"
        yield helper.make_node("Concat", [f"{p}Sum_m{m}_n{n}" for n in ns], [output], output, axis=1)
    whole = f"{p}Concat_M" if bias else result
    yield helper.make_node("Concat", [f"{p}Concat_m{m}" for m in ms], [whole], whole, axis=0)
    if bias:
        yield helper.make_node("Add", [whole, bias[0]], [result], result)


def _pieces(size: int, tile: int) -> list[int]:
    return [min(tile, size - start) for start in range(0, size, tile)]
