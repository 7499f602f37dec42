"""What takes a node's place: new values are `prefix/...`, new nodes know their origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from onnxtile.ir.metadata import ORIGIN, PREFIX_META
from onnxtile.ir.names import Names
from onnxtile.ir.node_replacement import register_constant, replace_node


class Replacement:
    """Collects what takes a node's place: new values are `prefix/...`, new nodes know their origin."""

    def __init__(self, node: ir.Node, names: Names) -> None:
        self.origin = names.origin(node)
        self.prefix = names.prefix_of(node)
        self.nodes: list[ir.Node] = []
        self._node = node
        self._dtype = None if not node.inputs or node.inputs[0] is None else node.inputs[0].dtype
        assert isinstance(node.graph, ir.Graph)
        self._graph = node.graph
        self.graph = None if names.is_function_body(node.graph) else node.graph
        """Where initializers go; None in a function, which has none."""

    def node(
        self,
        op_type: str,
        leaf: str,
        inputs: Sequence[ir.Value],
        attributes: Mapping[str, Any] | None = None,
        shape: ir.Shape | None = None,
        dtype: ir.DataType | None = None,
    ) -> ir.Value:
        """Add a node and return its output, `prefix/leaf`, of the first operand's type if `dtype` isn't given."""
        (output,) = self.several(op_type, inputs, {leaf: (self._type(dtype), shape)}, attributes)
        return output

    def several(
        self,
        op_type: str,
        inputs: Sequence[ir.Value],
        outputs: Mapping[str, tuple[ir.DataType, ir.Shape | None]],
        attributes: Mapping[str, Any] | None = None,
    ) -> list[ir.Value]:
        """Add a node and return its outputs, `prefix/leaf` each with its type and shape."""
        values = [
            ir.Value(name=f"{self.prefix}/{leaf}", type=ir.TensorType(dtype), shape=shape)
            for leaf, (dtype, shape) in outputs.items()
        ]
        attrs = ir.convenience.convert_attributes(attributes or {})
        node = ir.Node("", op_type, inputs, attrs, outputs=values, name=values[0].name)
        node.metadata_props[ORIGIN] = self.origin
        node.meta[PREFIX_META] = self.prefix
        self.nodes.append(node)
        return values

    def constant(
        self, leaf: str, numbers: np.ndarray | ir.TensorProtocol, dtype: ir.DataType | None = None
    ) -> ir.Value:
        """Add an initializer `prefix/leaf` to the graph, or a Constant to a function, and return it.

        An array is taken as of `dtype`, or of the first operand's type if that isn't given; a tensor mustn't be shared.
        """
        tensor = ir.Tensor(numbers, dtype=self._type(dtype)) if isinstance(numbers, np.ndarray) else numbers
        if self.graph is None:
            value = self.node("Constant", leaf, [], {"value": tensor}, ir.Shape(tensor.shape.numpy()), tensor.dtype)
            tensor.name = value.name
            return value
        value = register_constant(self._graph, f"{self.prefix}/{leaf}", tensor)
        value.meta[PREFIX_META] = self.prefix
        return value

    def _type(self, dtype: ir.DataType | None) -> ir.DataType:
        own = dtype or self._dtype
        assert own is not None
        return own

    def stand_in(self, part: str = "") -> None:
        """Let the last node that was added stand for the replaced one: it's named so, and keeps what's said of it.

        `part`: where several nodes do, what tells their names, and those of what's made for them later, apart.
        """
        product = self.nodes[-1]
        product.name = product.meta[PREFIX_META] = f"{self.prefix}{part}"
        product.doc_string = self._node.doc_string
        product.metadata_props.update(self._node.metadata_props)

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
            # clones of a graph share theirs
            value.replace_all_uses_with(self.constant(name, ir.Tensor(tensor.numpy(), dtype=tensor.dtype)))
        for node in graph.all_nodes():
            node.name = node.meta[PREFIX_META] = str(next(value.name for value in node.outputs if value.name))
            node.metadata_props[ORIGIN] = self.origin
        self.nodes += (nodes := list(graph))
        graph.remove(nodes)
        return outputs

    def swap_in(self, *outputs: ir.Value | None, last: ir.Node | None = None) -> None:
        """Let `outputs` take over those of the node, in order; None for one that nobody can read.

        `last`: the node that alone reads what the replaced one gives, and goes with it; the outputs are its.
        """
        replace_node(last or self._node, self.nodes, *outputs)
        if last is not None:
            self._graph.remove(self._node, safe=True)
