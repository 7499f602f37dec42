"""The one way to put new nodes in the place of an old one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
        attributes: Mapping[str, list[int]] | None = None,
        shape: ir.Shape | None = None,
    ) -> ir.Value:
        """Add a node and return its output, `prefix/leaf`."""
        output = ir.Value(name=f"{self.prefix}/{leaf}", type=self._type, shape=shape)
        attrs = ir.convenience.convert_attributes(attributes or {})
        node = ir.Node("", op_type, inputs, attrs, outputs=[output], name=output.name)
        node.metadata_props[ORIGIN] = self.origin
        node.meta[PREFIX_META] = self.prefix
        self.nodes.append(node)
        return output

    def constant(self, leaf: str, array: np.ndarray) -> ir.Value:
        """Add an initializer `prefix/leaf` to the graph and return it."""
        value = register_constant(self._graph, f"{self.prefix}/{leaf}", ir.Tensor(array, dtype=self._type.dtype))
        value.meta[PREFIX_META] = self.prefix
        return value

    def inline(self, graph: ir.Graph, inputs: Mapping[str, ir.Value]) -> dict[str, ir.Value]:
        """Take the nodes out of `graph` and feed them `inputs`, by name; its outputs by name. Values are `prefix/...`.

        Each node is a prefix of its own: things made for one don't meet those of another.
        """
        outputs = {str(value.name): value for value in graph.outputs}
        graph.outputs.clear()
        for value in graph.inputs:
            value.replace_all_uses_with(inputs[str(value.name)])
        for each in (graph, *graph.subgraphs()):
            inner = () if each is graph else (*each.inputs, *each.initializers.values())
            for value in (*inner, *(value for node in each for value in node.outputs)):
                value.name = f"{self.prefix}/{value.name}" if value.name else ""
        for name, value in list(graph.initializers.items()):
            tensor = value.const_value
            assert tensor is not None
            own = ir.Tensor(tensor.numpy(), dtype=tensor.dtype)  # clones of a graph share theirs
            constant = register_constant(self._graph, f"{self.prefix}/{name}", own)
            constant.meta[PREFIX_META] = self.prefix
            value.replace_all_uses_with(constant)
        for node in graph.all_nodes():
            node.name = node.meta[PREFIX_META] = str(next(value.name for value in node.outputs if value.name))
            node.metadata_props[ORIGIN] = self.origin
        self.nodes += (nodes := list(graph))
        graph.remove(nodes)
        return outputs

    def swap_in(self, *outputs: ir.Value | None) -> None:
        """Let `outputs` take over those of the node, in order; None for one that nobody can read."""
        replace_node(self._node, self.nodes, *outputs)


def register_constant(graph: ir.Graph, name: str, tensor: ir.TensorProtocol) -> ir.Value:
    """Make `tensor` an initializer of the graph."""
    tensor.name = name
    shape = ir.Shape(tensor.shape.numpy())
    value = ir.Value(name=name, type=ir.TensorType(tensor.dtype), shape=shape, const_value=tensor)
    graph.register_initializer(value)
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
