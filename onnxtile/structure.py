"""The model without its weights, for onnx's own checker and shape inference."""

from __future__ import annotations

import onnx
import onnx_ir as ir

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
    """Let onnx's checker see the model; ModelError with its words where it finds a fault."""
    try:
        onnx.checker.check_model(skeleton(model))
    except onnx.checker.ValidationError as error:
        raise ModelError(f"onnx's checker says: {one_line(error)}") from error


def one_line(error: BaseException) -> str:
    """An error's words on one line, without the trail that libraries append."""
    words = str(error).split("\n\n==> Context")[0]
    return " ".join(words.split()) or type(error).__name__
