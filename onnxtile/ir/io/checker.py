"""The model without its weights, for onnx's own checker and shape inference."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import TYPE_CHECKING, TypeGuard

import onnx
import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import node_name
from onnxtile.ir.graphs import graphs_with_initializers, subgraphs
from onnxtile.ir.proto_nodes import bodies_of
from onnxtile.ir.shadowing import check_shadowing

if TYPE_CHECKING:
    from google.protobuf.message import Message

KEPT_ELEMENTS = 128
"""Initializers of up to so many elements stay in a skeleton: shapes and axes are among them."""
_STAND_IN = "onnxtile.skeleton"
"""Domain of the nodes that stand for large initializers of bodies; nothing is known of its operators."""


def skeleton(model: ir.Model) -> onnx.ModelProto:
    """Return the model as protobuf without its large initializers, as `skeleton_of_proto` does; small ones are read."""
    graph, initializers = model.graph, model.graph.initializers.values()
    large = [value.const_value for value in initializers if _is_large(value.const_value)]
    small = [value for value in initializers if not _is_large(value.const_value)]
    view = ir.GraphView(
        graph.inputs, graph.outputs, nodes=graph, initializers=small, doc_string=graph.doc_string,
        opset_imports=graph.opset_imports, name=graph.name, metadata_props=graph.metadata_props,
    )  # fmt: skip
    viewed = copy(model)
    viewed.graph = view  # type: ignore[assignment]  # all that is written of a graph is there
    with _light_weights(model):
        light = ir.to_proto(viewed)
    inputs = {value.name for value in graph.inputs}
    for tensor in large:
        if tensor.name not in inputs:
            _describe(light.graph.input.add(), str(tensor.name), tensor.dtype, tensor.shape.numpy())
    _put_stand_ins(light)
    return light


def _is_large(tensor: ir.TensorProtocol | None) -> TypeGuard[ir.TensorProtocol]:
    return tensor is not None and tensor.size > KEPT_ELEMENTS


@contextmanager
def _light_weights(model: ir.Model) -> Iterator[None]:
    """Put references in the place of bodies' large initializers, and read small ones, while this lasts."""
    held: list[tuple[ir.Value, ir.TensorProtocol]] = []
    try:
        for graph in graphs_with_initializers(model):
            for name, value in graph.initializers.items():
                tensor = value.const_value
                if tensor is None:
                    continue
                if _is_large(tensor):
                    if graph is model.graph:
                        continue
                    shape = ir.Shape(tensor.shape.numpy())
                    light: ir.TensorProtocol = ir.ExternalTensor("-", None, None, tensor.dtype, shape=shape, name=name)
                elif isinstance(tensor, ir.ExternalTensor):
                    light = ir.Tensor(tensor.numpy().copy(), dtype=tensor.dtype, name=name)
                else:
                    continue
                held.append((value, tensor))
                value.const_value = light
        yield
    finally:
        for value, tensor in held:
            value.const_value = tensor


def skeleton_of_proto(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model without initializers that are large or in external data.

    Those of the main graph become inputs; those of bodies, which can't have more inputs, outputs of stand-in nodes.
    """
    light = onnx.ModelProto()
    _copy_fields(model, light, except_for="graph")
    _copy_fields(model.graph, light.graph, except_for="initializer")
    light.graph.initializer.extend(tensor for tensor in model.graph.initializer if _is_small(tensor))
    inputs = {value.name for value in model.graph.input}
    for tensor in model.graph.initializer:
        if not _is_small(tensor) and tensor.name not in inputs:
            _describe(light.graph.input.add(), tensor.name, tensor.data_type, tensor.dims)
    _put_stand_ins(light)
    return light


def _put_stand_ins(light: onnx.ModelProto) -> None:
    """Put nodes in the place of bodies' large initializers."""
    for holder in (light, *light.functions):
        nodes = holder.graph.node if isinstance(holder, onnx.ModelProto) else holder.node
        if sum(_stand_ins(body) for _, body in bodies_of(nodes)):
            holder.opset_import.add(domain=_STAND_IN, version=1)


def _stand_ins(body: onnx.GraphProto) -> int:
    """Put a node in the place of each initializer that isn't small, in bodies inside too; returns how many."""
    count = sum(_stand_ins(inner) for _, inner in bodies_of(body.node))
    large = [tensor for tensor in body.initializer if not _is_small(tensor)]
    if not large:
        return count
    small = [tensor for tensor in body.initializer if _is_small(tensor)]
    inputs = {value.name for value in body.input}
    large = [tensor for tensor in large if tensor.name not in inputs]
    nodes = [onnx.helper.make_node("Weight", [], [tensor.name], domain=_STAND_IN) for tensor in large]
    nodes += body.node
    for tensor in large:
        _describe(body.value_info.add(), tensor.name, tensor.data_type, tensor.dims)
    for field, values in (("initializer", small), ("node", nodes)):
        body.ClearField(field)
        getattr(body, field).extend(values)
    return count + len(large)


def _is_small(tensor: onnx.TensorProto) -> bool:
    return tensor.data_location != onnx.TensorProto.EXTERNAL and math.prod(tensor.dims) <= KEPT_ELEMENTS


def _describe(info: onnx.ValueInfoProto, name: str, data_type: int, sizes: Iterable[int]) -> None:
    """Write name, type and shape, as `onnx.helper.make_tensor_value_info` does, in a third of the time."""
    info.name = name
    info.type.tensor_type.elem_type = data_type
    shape = info.type.tensor_type.shape
    shape.SetInParent()  # of no axis, too
    for size in sizes:
        shape.dim.add().dim_value = size


def _copy_fields(source: Message, target: Message, except_for: str) -> None:
    for field, value in source.ListFields():
        if field.name == except_for:
            continue
        if hasattr(value, "extend"):
            getattr(target, field.name).extend(value)
        else:
            setattr(target, field.name, value)


def put_in_order(model: ir.Model) -> bool:
    """Sort the nodes of a model that reads what later nodes compute: engines run it, though the standard says no.

    Returns whether it was so. Raises ModelError for what nothing computes, and for a cycle.
    """
    try:
        check_order(model)
        return False
    except ModelError:
        try:
            model.graph.sort()
            for function in model.functions.values():
                function.sort()
        except ValueError:  # a cycle, of which the check below tells
            pass
        check_order(model)
        return True


def check_structure(model: ir.Model, light: onnx.ModelProto | None = None, ordered: bool = False) -> None:
    """Refuse a model that isn't well formed: ModelError with our words, or those of onnx's checker.

    `light`: the model's skeleton, where there is one already. `ordered`: the order of its nodes was checked.
    """
    if not ordered:
        check_order(model)
    try:
        if light is None:  # a model that was in a file was checked for names before
            light = skeleton(model)
            check_shadowing(light)
        _check(light)
    except ir.serde.SerdeError as error:
        raise ModelError(f"the model can't be written as protobuf: {one_line(error.__cause__ or error)}") from error


def check_proto(model: onnx.ModelProto) -> None:
    """Check a model in protobuf as `check_structure` does, without a detour. Raises ModelError."""
    _check(skeleton_of_proto(model))
    check_names(model.graph, ())


def _check(light: onnx.ModelProto) -> None:
    """Ask onnx's checker, which wants shapes of inputs and outputs, and types of these; engines don't: it gets some."""
    for value in light.graph.output:
        if value.type.WhichOneof("value") is None:
            value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    for value in (*light.graph.input, *light.graph.output):
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.shape.SetInParent()  # an empty one where there's none
    try:
        onnx.checker.check_model(light)
    except onnx.checker.ValidationError as error:
        raise ModelError(f"onnx's checker says: {one_line(error)}") from error


def check_order(model: ir.Model) -> None:
    """Check that every value that's read or given is computed before, in its graph or around it. Raises ModelError."""
    _check_order(model.graph, set())
    for function in model.functions.values():
        _check_order(function, set())


def _check_order(graph: ir.Graph | ir.Function, outer: set[ir.Value]) -> None:
    """Check that every value is computed before it's read; `outer` holds those of the graphs around."""
    known = {*outer, *graph.inputs, *(graph.initializers.values() if isinstance(graph, ir.Graph) else ())}
    for node in graph:
        for value in node.inputs:
            if value is not None and value not in known:
                what = f"{node.op_type} {node_name(node)!r} reads {value.name!r}"
                raise ModelError(
                    f"{what}, which nothing before it computes; there is a cycle, or it's missing, or of another graph"
                )
        for attribute in node.attributes.values():
            for inner in subgraphs(attribute):
                _check_order(inner, known)
        known.update(node.outputs)
    for value in graph.outputs:
        if value not in known:
            raise ModelError(f"nothing computes the output {value.name!r}")


def check_names(graph: onnx.GraphProto, outer: Iterable[str]) -> None:
    """Check that every value is computed once, and before it's read; `outer`: names from outside. Raises ModelError.

    What the checker says of order, over protobuf and fast: for graphs of very many nodes.
    """
    known = {"", *outer, *(value.name for value in graph.input), *(tensor.name for tensor in graph.initializer)}
    known |= {sparse.values.name for sparse in graph.sparse_initializer}
    for node in graph.node:
        if not known.issuperset(node.input):
            missing = next(name for name in node.input if name not in known)
            raise ModelError(f"{node.op_type} {node.name!r} reads {missing!r}, which nothing before it computes")
        for _, inner in bodies_of([node]):
            check_names(inner, known)
        for name in node.output:
            if name in known and name:
                raise ModelError(f"{node.op_type} {node.name!r} computes {name!r}, which is there already")
            known.add(name)


def one_line(error: BaseException) -> str:
    """Return an error's words on one line, without the trail that libraries append."""
    words = str(error).split("\n\n==> Context")[0]
    return " ".join(words.split()) or type(error).__name__
