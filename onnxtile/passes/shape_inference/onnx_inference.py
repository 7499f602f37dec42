"""The sizes and types that onnx's own inference finds, value by value."""

from __future__ import annotations

from collections.abc import Iterator

import onnx
import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.graphs import node_bodies
from onnxtile.ir.io.checker import one_line, skeleton
from onnxtile.passes.shape_inference.bounded import may_be_followed, vectors_are_short

Inferred = dict[ir.Value, tuple[list[int | None] | None, onnx.TypeProto]]
"""Sizes along each axis (None: not known; no list: the rank isn't), of a sequence those of its elements; the type."""


def infer_by_onnx(model: ir.Model, strict: bool) -> Inferred:
    """Run onnx's inference on the model without its weights. Raises ModelError where shapes contradict, if `strict`."""
    light = skeleton(model)
    try:
        inferred = onnx.shape_inference.infer_shapes(light, strict_mode=strict)
        types, is_complete = _types(model, inferred)
        if (strict or not is_complete) and vectors_are_short(inferred) and may_be_followed(light):
            inferred = onnx.shape_inference.infer_shapes(light, strict_mode=strict, data_prop=True)
            types, _ = _types(model, inferred)
    except onnx.shape_inference.InferenceError as error:
        words = one_line(error).removeprefix("[ShapeInferenceError] ")
        raise ModelError(f"the model's shapes contradict: {words}") from error
    return types


def _types(model: ir.Model, inferred: onnx.ModelProto) -> tuple[Inferred, bool]:
    """Return what was inferred of the outputs of nodes, and whether that's all sizes of those that something reads."""
    types: Inferred = {}
    is_complete = True
    for ours, theirs in zip(_graphs(model.graph), _protos(inferred.graph), strict=True):
        infos = {info.name: info.type for info in (*theirs.value_info, *theirs.output)}
        for node in ours:
            for value in node.outputs:
                info = infos.get(str(value.name))
                sizes = None if info is None else _sizes(info)
                if info is not None:
                    types[value] = (sizes, info)
                if sizes is None or None in sizes:
                    is_complete &= not (value.uses() or value.is_graph_output())
    return types, is_complete


def _sizes(info: onnx.TypeProto) -> list[int | None] | None:
    kind = info.WhichOneof("value")
    if kind == "sequence_type":
        return _sizes(info.sequence_type.elem_type)
    if kind != "tensor_type" or not info.tensor_type.HasField("shape"):
        return None
    dims = info.tensor_type.shape.dim
    return [dim.dim_value if dim.dim_value > 0 or _is_empty(dim) else None for dim in dims]


def _is_empty(dim: onnx.TensorShapeProto.Dimension) -> bool:
    return dim.dim_value == 0 and bool(dim.HasField("dim_value"))


def _graphs(graph: ir.Graph) -> Iterator[ir.Graph]:
    yield graph
    for node in graph:
        for inner in node_bodies(node):
            yield from _graphs(inner)


def _protos(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from _protos(inner)
