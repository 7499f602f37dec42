"""The model without its weights, for onnx's own checker and shape inference."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import onnx
import onnx_ir as ir

from onnxtile.contraction import node_name, subgraphs
from onnxtile.errors import ModelError

if TYPE_CHECKING:
    from google.protobuf.message import Message

_PLAIN = ("MatMul", "Add", "Split", "Concat", "Sum", "Cast")
"""Operators that come in great numbers and hold no graphs."""
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


def skeleton_of_proto(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same from protobuf, without a detour: initializers of the main graph that are large or elsewhere go."""
    light = onnx.ModelProto()
    _copy_fields(model, light, except_for="graph")
    _copy_fields(model.graph, light.graph, except_for="initializer")
    inputs = {value.name for value in model.graph.input}
    for tensor in model.graph.initializer:
        if tensor.data_location != onnx.TensorProto.EXTERNAL and math.prod(tensor.dims) <= KEPT_BYTES // 8:
            light.graph.initializer.append(tensor)
        elif tensor.name not in inputs:
            info = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            light.graph.input.append(info)
    return light


def _copy_fields(source: Message, target: Message, except_for: str) -> None:
    for field, value in source.ListFields():
        if field.name == except_for:
            continue
        if hasattr(value, "extend"):
            getattr(target, field.name).extend(value)
        else:
            setattr(target, field.name, value)


def check_structure(model: ir.Model, light: onnx.ModelProto | None = None) -> None:
    """Refuse a model that isn't well formed: ModelError with our words, or those of onnx's checker.

    `light`: the model's skeleton, where there is one already.
    """
    _check_order(model.graph, set())
    for function in model.functions.values():
        _check_order(function, set())
    try:
        onnx.checker.check_model(light or skeleton(model))
    except onnx.checker.ValidationError as error:
        raise ModelError(f"onnx's checker says: {one_line(error)}") from error
    except ir.serde.SerdeError as error:
        raise ModelError(f"the model can't be written as protobuf: {one_line(error.__cause__ or error)}") from error


def check_proto(model: onnx.ModelProto) -> None:
    """The same of protobuf, without a detour. Raises ModelError."""
    try:
        onnx.checker.check_model(skeleton_of_proto(model))
    except onnx.checker.ValidationError as error:
        raise ModelError(f"onnx's checker says: {one_line(error)}") from error
    check_names(model.graph, ())


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


def check_names(graph: onnx.GraphProto, outer: Iterable[str]) -> None:
    """Every value is computed once, and before it's read; `outer`: names that are there already. ModelError otherwise.

    What the checker says of order, over protobuf and fast: for graphs of very many nodes.
    """
    known = {"", *outer, *(value.name for value in graph.input), *(tensor.name for tensor in graph.initializer)}
    known |= {each.values.name for each in graph.sparse_initializer}
    for node in graph.node:
        if not known.issuperset(node.input):
            missing = next(name for name in node.input if name not in known)
            raise ModelError(f"{node.op_type} {node.name!r} reads {missing!r}, which nothing before it computes")
        for attribute in node.attribute if node.op_type not in _PLAIN else ():
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                check_names(inner, known)
        for name in node.output:
            if name in known and name:
                raise ModelError(f"{node.op_type} {node.name!r} computes {name!r}, which is there already")
            known.add(name)


def one_line(error: BaseException) -> str:
    """An error's words on one line, without the trail that libraries append."""
    words = str(error).split("\n\n==> Context")[0]
    return " ".join(words.split()) or type(error).__name__
