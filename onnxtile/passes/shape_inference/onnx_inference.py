"""The sizes and types that onnx's own inference finds, value by value."""

from __future__ import annotations

from collections.abc import Iterator

import onnx
import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.graphs import subgraphs
from onnxtile.ir.io.checker import one_line, skeleton
from onnxtile.passes.shape_inference.bounded import may_be_followed, vectors_are_short

Inferred = dict[ir.Value, tuple[list[int | None] | None, onnx.TypeProto]]
"""Sizes along each axis (None: not known; no list: the rank isn't), of a sequence those of its elements; the type."""


def infer_by_onnx(model: ir.Model, strict: bool) -> Inferred:
    """Run onnx's inference on the model without its weights. Raises ModelError where shapes contradict, if `strict`."""
    light = skeleton(model)
    try:
        inferred = onnx.shape_inference.infer_shapes(light, strict_mode=strict)
        if vectors_are_short(inferred) and may_be_followed(light):
            inferred = onnx.shape_inference.infer_shapes(light, strict_mode=strict, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        words = one_line(error).removeprefix("[ShapeInferenceError] ")
        raise ModelError(f"the model's shapes contradict: {words}") from error
    types: Inferred = {}
    for ours, theirs in zip(_graphs(model.graph), _protos(inferred.graph), strict=True):
        infos = {info.name: info.type for info in (*theirs.value_info, *theirs.output)}
        for node in ours:
            for value in node.outputs:
                info = infos.get(str(value.name))
                if info is not None:
                    types[value] = (_sizes(info), info)
    return types


def _sizes(info: onnx.TypeProto) -> list[int | None] | None:
    if info.HasField("sequence_type"):
        return _sizes(info.sequence_type.elem_type)
    if not info.HasField("tensor_type") or not info.tensor_type.HasField("shape"):
        return None
    sizes = [(dim.dim_value, dim) for dim in info.tensor_type.shape.dim]
    return [size if size > 0 or (size == 0 and dim.HasField("dim_value")) else None for size, dim in sizes]


def _graphs(graph: ir.Graph) -> Iterator[ir.Graph]:
    yield graph
    for node in graph:
        for attribute in node.attributes.values():
            for inner in subgraphs(attribute):
                yield from _graphs(inner)


def _protos(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from _protos(inner)
