"""The one way to put new nodes in the place of an old one."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir


def register_constant(graph: ir.Graph, name: str, tensor: ir.TensorProtocol) -> ir.Value:
    """Make `tensor` an initializer of the graph."""
    tensor.name = name
    shape = ir.Shape(tensor.shape.numpy())
    value = ir.Value(name=name, type=ir.TensorType(tensor.dtype), shape=shape, const_value=tensor)
    graph.register_initializer(value)
    return value


def add_constant(graph: ir.Graph, name: str, tensor: ir.TensorProtocol) -> ir.Value:
    """Make `tensor` a Constant node in front of all others: for functions, which have no initializers."""
    value = ir.Value(name=name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(tensor.shape.numpy()))
    node = ir.Node("", "Constant", [], [ir.AttrTensor("value", tensor)], outputs=[value], name=name)
    graph.insert_before(graph[0], node)
    return value


def replace_node(node: ir.Node, new_nodes: Sequence[ir.Node], *new_outputs: ir.Value | None) -> None:
    """Put `new_nodes` where `node` is; `new_outputs` take over the node's outputs: names, types, users and all."""
    graph = node.graph
    assert graph is not None
    pairs = [(old, new) for old, new in zip(node.outputs, new_outputs, strict=True) if new is not None]
    for old, new in pairs:
        new.metadata_props.update(old.metadata_props)
        new.meta.update(old.meta)
        new.doc_string = old.doc_string
    olds, news = [old for old, _ in pairs], [new for _, new in pairs]
    ir.convenience.replace_nodes_and_values(graph, node, [node], new_nodes, olds, news)
