"""The nodes that replace one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx_ir as ir
from onnx_ir._cloner import Cloner

from onnxtile.ir.graphs import node_bodies
from onnxtile.ir.metadata import ORIGIN, PREFIX_META
from onnxtile.ir.names import Names
from onnxtile.ir.node_replacement import register_constant, replace_node


class Replacement:
    """Collects the nodes that replace one: their values are named `prefix/...`, and they know their origin."""

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
        inputs: Sequence[ir.Value | None],
        attributes: Mapping[str, Any] | None = None,
        shape: ir.Shape | None = None,
        dtype: ir.DataType | None = None,
        domain: str = "",
    ) -> ir.Value:
        """Add a node and return its output, `prefix/leaf`, of the first operand's type if `dtype` isn't given."""
        output = ir.Value(name=f"{self.prefix}/{leaf}", type=ir.TensorType(self._type(dtype)), shape=shape)
        attrs = ir.convenience.convert_attributes(attributes or {})
        node = ir.Node(domain, op_type, inputs, attrs, outputs=[output], name=output.name)
        node.metadata_props[ORIGIN] = self.origin
        node.meta[PREFIX_META] = self.prefix
        self.nodes.append(node)
        return output

    def transpose(self, leaf: str, value: ir.Value, order: list[int]) -> ir.Value:
        """Add a Transpose unless the axes are in order already, and return the value that has them so."""
        if order == sorted(order):
            return value
        shape = None if value.shape is None else ir.Shape([value.shape[axis] for axis in order])
        return self.node("Transpose", leaf, [value], {"perm": order}, shape, value.dtype)

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
        """Let the last node that was added stand for the replaced one: it gets its name, metadata and doc string.

        `part`: tells the names apart where several nodes do.
        """
        product = self.nodes[-1]
        product.name = product.meta[PREFIX_META] = f"{self.prefix}{part}"
        product.doc_string = self._node.doc_string
        product.metadata_props.update(self._node.metadata_props)

    @contextmanager
    def within(self, folder: str) -> Iterator[None]:
        """Name what is added meanwhile `prefix/folder/...`."""
        outer, self.prefix = self.prefix, f"{self.prefix}/{folder}"
        yield
        self.prefix = outer

    @contextmanager
    def inside(self) -> Iterator[list[ir.Node]]:
        """Collect the nodes that are added meanwhile by themselves: they're for a graph inside a node."""
        outer, self.nodes = self.nodes, []
        yield self.nodes
        self.nodes = outer

    def inline(self, graph: ir.Graph, inputs: Mapping[str, ir.Value]) -> dict[str, ir.Value | None]:
        """Add copies of the graph's nodes that read `inputs`, by name; return its outputs by name, `prefix/...`.

        Each node is a prefix of its own, so that what is made for one later doesn't meet what is made for another.
        """
        values: dict[ir.Value, ir.Value | None] = {formal: inputs[str(formal.name)] for formal in graph.inputs}
        for name, value in graph.initializers.items():
            tensor = value.const_value
            assert tensor is not None
            values[value] = self.constant(name, ir.Tensor(tensor.numpy(), dtype=tensor.dtype))
        cloner = Cloner(attr_map={}, value_map=values, metadata_props={}, post_process=self._adopt)
        self.nodes += [cloner.clone_node(node) for node in graph]
        return {str(value.name): values[value] for value in graph.outputs}

    def _adopt(self, node: ir.Node) -> None:
        """Name a copied node, its outputs, and what its bodies get, below the prefix."""
        inner = (value for body in node_bodies(node) for value in (*body.inputs, *body.initializers.values()))
        for value in (*node.outputs, *inner):
            value.name = f"{self.prefix}/{value.name}" if value.name else ""
        node.name = node.meta[PREFIX_META] = str(next(value.name for value in node.outputs if value.name))
        node.metadata_props[ORIGIN] = self.origin

    def swap_in(self, *outputs: ir.Value | None, last: ir.Node | None = None) -> None:
        """Let `outputs` take over those of the node, in order; None for one that nobody can read.

        `last`: the node that alone reads what the replaced one gives, and goes with it; the outputs are its.
        """
        replace_node(last or self._node, self.nodes, *outputs)
        if last is not None:
            self._graph.remove(self._node, safe=True)
