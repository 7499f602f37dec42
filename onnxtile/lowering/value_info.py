"""Types and shapes of the values in a written model, which viewers show: what our own inference knows, and no more."""

from __future__ import annotations

from collections.abc import Iterator

import onnx
import onnx_ir as ir

from onnxtile.errors import UnsupportedError
from onnxtile.ir.arrays import read_array
from onnxtile.ir.graphs import count_nodes, defined_values, scopes, subgraphs
from onnxtile.ir.io.load import with_sparse_as_inputs
from onnxtile.lowering.weight_stream import INLINE_BYTES, WeightStream
from onnxtile.passes.shape_inference.declared import in_words_of_the_model
from onnxtile.passes.shape_inference.infer import infer

MOST_NODES = 100_000
"""Nodes of the largest model whose values are described: inference takes about 0.2 ms for each."""


def describe(model: ir.Model) -> set[ir.Value]:
    """Give types and shapes to what nodes make and nothing was said of, and return these values.

    Values inside local functions stay as they are: their sizes are those of each call. A size that isn't a number is a
    name of the model's inputs, or unknown. Raises UnsupportedError for a model of more than MOST_NODES nodes.
    """
    check_count(count_nodes(model))
    before = {value: (value.shape, value.type) for _, value in defined_values(model)}
    names = {
        dim.value for value in model.graph.inputs for dim in before[value][0] or () if not isinstance(dim, int)
    }  # fmt: skip
    infer(model)
    asked = set(_made(model))
    described = set()
    for value, (shape, type_) in before.items():
        if value in asked and (shape is None or type_ is None) and isinstance(value.type, ir.TensorType):
            found = None if value.shape is None else in_words_of_the_model(value.shape, names)
            shape, type_ = shape or found, type_ or value.type
            described.add(value)
        value.shape, value.type = shape, type_
    return described


def add_value_info(proto: onnx.ModelProto, nodes: bytes, weights: WeightStream) -> list[onnx.NodeProto]:
    """Add value_info to a model whose main graph has its nodes and initializers apart.

    Returns the nodes; bodies in them are described too. No number of a weight is read but the smallest's.
    """
    proto.graph.MergeFromString(nodes)
    model = ir.from_proto(with_sparse_as_inputs(_weightless(proto, weights)))
    _transfer(model.graph, proto.graph, describe(model))
    made = list(proto.graph.node)
    del proto.graph.node[:]
    return made


def check_count(nodes: int) -> None:
    """Refuse to describe a model of so many nodes; UnsupportedError."""
    if nodes > MOST_NODES:
        words = f"shapes of {nodes:,} nodes aren't inferred for value_info, only those of {MOST_NODES:,}"
        raise UnsupportedError(f"{words}: take form batched, or write no value_info")


def _made(model: ir.Model) -> Iterator[ir.Value]:
    """Yield what nodes make outside local functions, but what their graph gives, which is described there."""
    for scope in scopes(model):
        if not scope.name.startswith("function "):
            given = set(scope.graph.outputs)
            yield from (value for node in scope.graph for value in node.outputs if value.name and value not in given)


def _weightless(proto: onnx.ModelProto, weights: WeightStream) -> onnx.ModelProto:
    """Return the model with its weights: small ones, which shapes may depend on, and inputs in place of large ones."""
    whole = onnx.ModelProto()
    whole.CopyFrom(proto)
    whole.graph.initializer.extend(weights.new)
    for tensor in weights.uncut:
        if tensor.nbytes <= INLINE_BYTES:
            inside = ir.Tensor(read_array(tensor), dtype=tensor.dtype, name=tensor.name)
            whole.graph.initializer.append(ir.serde.serialize_tensor(inside))
    there = {value.name for value in (*whole.graph.input, *whole.graph.initializer)}
    for name, data_type, shape in weights.described():
        if name not in there:
            whole.graph.input.append(onnx.helper.make_tensor_value_info(name, data_type, shape))
    return whole


def _transfer(graph: ir.Graph, proto: onnx.GraphProto, described: set[ir.Value]) -> None:
    """Put into `proto` what is described in the same graph of the IR, and in bodies to any depth."""
    for node, node_proto in zip(graph, proto.node, strict=True):
        for value in node.outputs:
            if value in described:
                proto.value_info.append(ir.serde.serialize_value(value))
        for attribute, attribute_proto in zip(node.attributes.values(), node_proto.attribute, strict=True):
            nested = [attribute_proto.g] if attribute_proto.HasField("g") else attribute_proto.graphs
            for inner, inner_proto in zip(subgraphs(attribute), nested, strict=True):
                _transfer(inner, inner_proto, described)
