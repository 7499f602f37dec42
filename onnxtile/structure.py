"""The model without its weights, for onnx's own checker and shape inference."""

from __future__ import annotations

import onnx
import onnx_ir as ir

from onnxtile.contraction import node_name, subgraphs
from onnxtile.errors import ModelError

KEPT_BYTES = 1024
"""Initializers up to this size stay: shapes and axes are among them."""


def skeleton(model: ir.Model) -> onnx.ModelProto:
    """The model as protobuf, its large initializers turned into inputs; small ones are read into it."""
    copy = model.clone()
    for graph in copy.graphs():
        for name, value in list(graph.initializers.items()):
            tensor = value.const_value
            if tensor is None or tensor.nbytes <= KEPT_BYTES:
                if isinstance(tensor, ir.ExternalTensor):
                    value.const_value = ir.Tensor(tensor.numpy().copy(), dtype=tensor.dtype, name=name)
                continue
            value.const_value = None
            graph.initializers.pop(name)
            if graph is copy.graph and not value.is_graph_input():
                graph.inputs.append(value)
    return ir.to_proto(copy)


def check_structure(model: ir.Model) -> None:
    """Refuse a model that isn't well formed: ModelError with our words, or those of onnx's checker."""
    for graph in (model.graph, *model.functions.values()):
        _check_order(graph, set())
    try:
        onnx.checker.check_model(skeleton(model))
    except onnx.checker.ValidationError as error:
        raise ModelError(f"onnx's checker says: {one_line(error)}") from error


def _check_order(graph: ir.Graph | ir.Function, outer: set[ir.Value]) -> None:
    """Every value must be computed before it's read; `outer` holds those of the graphs around."""
    known = {*outer, *graph.inputs, *(graph.initializers.values() if isinstance(graph, ir.Graph) else ())}
    for node in graph:
        for value in node.inputs:
            if value is not None and value not in known:
                what = f"{node.op_type} {node_name(node)!r} reads {value.name!r}"
                raise ModelError(f"{what}, which nothing before it computes; there is a cycle, or a value is missing")
        for attribute in node.attributes.values():
            for inner in subgraphs(attribute):
                _check_order(inner, known)
        known.update(node.outputs)
    for value in graph.outputs:
        if value not in known:
            raise ModelError(f"nothing computes the output {value.name!r}")


def one_line(error: BaseException) -> str:
    """An error's words on one line, without the trail that libraries append."""
    words = str(error).split("\n\n==> Context")[0]
    return " ".join(words.split()) or type(error).__name__
