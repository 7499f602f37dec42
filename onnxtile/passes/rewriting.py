"""The one way to put new nodes in the place of an old one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from onnxtile.names import Names
from onnxtile.provenance import ORIGIN, PREFIX_META


class Replacement:
    """Collects what takes a node's place: new values are `prefix/...`, new nodes know their origin."""

    def __init__(self, node: ir.Node, dtype: ir.DataType, names: Names) -> None:
        self.origin = names.origin(node)
        self.prefix = names.prefix_of(node)
        self.nodes: list[ir.Node] = []
        self._node = node
        self._type = ir.TensorType(dtype)
        assert isinstance(node.graph, ir.Graph)
        self._graph = node.graph

    def node(
        self,
        op_type: str,
        leaf: str,
        inputs: Sequence[ir.Value],
        attributes: Mapping[str, Any] | None = None,
        shape: ir.Shape | None = None,
        dtype: ir.DataType | None = None,
    ) -> ir.Value:
        """Add a node and return its output, `prefix/leaf`, of the replaced node's type or of `dtype`."""
        output_type = self._type if dtype is None else ir.TensorType(dtype)
        output = ir.Value(name=f"{self.prefix}/{leaf}", type=output_type, shape=shape)
        attrs = ir.convenience.convert_attributes(attributes or {})
        node = ir.Node("", op_type, inputs, attrs, outputs=[output], name=output.name)
        node.metadata_props[ORIGIN] = self.origin
        node.meta[PREFIX_META] = self.prefix
        self.nodes.append(node)
        return output

    def constant(self, leaf: str, array: np.ndarray, dtype: ir.DataType | None = None) -> ir.Value:
        """Add an initializer `prefix/leaf` to the graph and return it."""
        return self.initializer(leaf, ir.Tensor(array, dtype=dtype or self._type.dtype))

    def initializer(self, leaf: str, tensor: ir.TensorProtocol) -> ir.Value:
        """Make a tensor that isn't shared the initializer `prefix/leaf` of the graph and return it."""
        value = register_constant(self._graph, f"{self.prefix}/{leaf}", tensor)
        value.meta[PREFIX_META] = self.prefix
        return value

    def stand_in(self, part: str = "") -> None:
        """Let the last node that was added stand for the replaced one: it's named so, and keeps what's said of it.

        `part`: where several nodes do, what tells their names, and those of what's made for them later, apart.
        """
        product = self.nodes[-1]
        product.name = product.meta[PREFIX_META] = f"{self.prefix}{part}"
        product.doc_string = self._node.doc_string
        product.metadata_props.update(self._node.metadata_props)

    def swap_in(self, output: ir.Value) -> None:
        replace_node(self._node, self.nodes, output)


def register_constant(graph: ir.Graph, name: str, tensor: ir.TensorProtocol) -> ir.Value:
    """Make `tensor` an initializer of the graph."""
    tensor.name = name
    shape = ir.Shape(tensor.shape.numpy())
    value = ir.Value(name=name, type=ir.TensorType(tensor.dtype), shape=shape, const_value=tensor)
    graph.register_initializer(value)
    return value


def replace_node(node: ir.Node, new_nodes: Sequence[ir.Node], new_output: ir.Value) -> None:
    """Put `new_nodes` where `node` is; `new_output` takes over the node's one output: name, type, users and all."""
    graph, old_output = node.graph, node.outputs[0]
    assert graph is not None
    new_output.metadata_props.update(old_output.metadata_props)
    new_output.meta.update(old_output.meta)
    new_output.doc_string = old_output.doc_string
    ir.convenience.replace_nodes_and_values(graph, node, [node], new_nodes, [old_output], [new_output])
