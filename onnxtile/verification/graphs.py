"""A graph of a model as it was read, and what it sees of the graphs around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import NamedTuple, cast

import onnx

from onnxtile.ir.opset_imports import canonical_domain

RANDOM = frozenset(
    (
        "Bernoulli", "BiasDropout", "BitmaskBiasDropout", "BitmaskDropout", "Dropout", "Multinomial", "RandomNormal",
        "RandomNormalLike", "RandomUniform", "RandomUniformLike",
    )
)  # fmt: skip
"""Operators whose results may be others in each run."""


def types_said(graph: onnx.GraphProto) -> dict[str, int]:
    """The element types that a graph says its values have; of text, sequences and others it's nothing."""
    values = (*graph.input, *graph.value_info, *graph.output)
    return {value.name: number for value in values if (number := value.type.tensor_type.elem_type)}


class Made(NamedTuple):
    """Hold the maker of a value: a node, a constant, or neither: it's fed. `depth`: of its graph, 0 the main one.

    `at`: the node's place in that graph.
    """

    depth: int
    node: onnx.NodeProto | None = None
    constant: onnx.TensorProto | None = None
    at: int = -1


class Scope:
    """A graph, with every value that is made in it, and the graph around it.

    `name` is '' for the main graph, `node/attribute` for one inside a node, to any depth. `overridable`: an initializer
    that is an input too is a default that a caller may override, so it's fed.
    """

    def __init__(
        self, graph: onnx.GraphProto, name: str = "", outer: Scope | None = None, overridable: bool = True
    ) -> None:
        self.graph, self.name, self.outer = graph, name, outer
        self.depth: int = 0 if outer is None else outer.depth + 1
        depth = self.depth
        self.nodes = list(graph.node)
        self.made: dict[str, Made] = {value.name: Made(depth) for value in graph.input}
        self.defaults = {}
        for tensor in graph.initializer:
            if overridable and tensor.name in self.made:
                self.defaults[tensor.name] = tensor
            else:
                self.made[tensor.name] = Made(depth, constant=tensor)
        for sparse in graph.sparse_initializer:
            self.made[sparse.values.name] = Made(depth)
        made_here = self.made
        for at, node in enumerate(self.nodes):
            tensor_of = _constant(node) if node.op_type == "Constant" else None
            made = Made(depth, node, None, at) if tensor_of is None else Made(depth, constant=tensor_of)
            for output in node.output:
                if output:
                    made_here[output] = made

    @cached_property
    def said(self) -> dict[str, int]:
        """Types that the file says values have, here and around."""
        return ({} if self.outer is None else self.outer.said) | types_said(self.graph)

    @cached_property
    def readers(self) -> dict[str, list[onnx.NodeProto]]:
        """The nodes that read each value, in this graph or in one inside it."""
        found: dict[str, list[onnx.NodeProto]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(reads(node)):
                found.setdefault(name, []).append(node)
        return found

    def find(self, name: str) -> Made | None:
        """Find the maker of the value that the graph sees by this name; None: nobody makes it."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.made:
                return scope.made[name]
            scope = scope.outer
        return None

    @cached_property
    def computed(self) -> set[str]:
        """Values that nodes of this graph compute from constants and the sizes of other values alone."""
        found: set[str] = set()
        for node in self.nodes:
            if not canonical_domain(node.domain) and node.op_type not in RANDOM and _has_no_graphs(node):
                inputs = list(filter(None, node.input))
                if node.op_type in ("Shape", "Size") or (
                    inputs and all(name in found or self._is_constant_or_outer(name) for name in inputs)
                ):
                    found.update(filter(None, node.output))
        return found

    def _is_constant_or_outer(self, name: str) -> bool:
        if name in self.made:
            return self.made[name].constant is not None
        made = self.find(name)
        return (
            self.outer is not None and made is not None and (made.constant is not None or self.outer.is_computed(name))
        )

    def is_computed(self, name: str) -> bool:
        """Return whether the value that the graph sees by this name is computed from constants and sizes alone."""
        scope: Scope | None = self
        while scope is not None and name not in scope.made:
            scope = scope.outer
        return scope is not None and name in scope.computed

    def inside(self, node: onnx.NodeProto, attribute: str, graph: onnx.GraphProto) -> Scope:
        """The scope of a graph that a node of this one holds."""
        place = f"{name_of(node)}/{attribute}"
        return Scope(graph, f"{self.name}/{place}" if self.name else place, self)


def _constant(node: onnx.NodeProto) -> onnx.TensorProto | None:
    """The tensor of a Constant; None for a sparse one, and for one that the checker would refuse."""
    if node.domain not in ("", "ai.onnx"):
        return None
    for attribute in node.attribute:
        if attribute.name == "value" and attribute.HasField("t"):
            return cast("onnx.TensorProto", attribute.t)
        kind = _KINDS.get(attribute.name)
        if kind is not None:
            field, data_type = kind
            found = getattr(attribute, field)
            numbers, dims = (list(found), [len(found)]) if field.endswith("s") and field != "s" else ([found], [])
            made: onnx.TensorProto = onnx.helper.make_tensor(node.output[0], data_type, dims, numbers)
            return made
    return None


_KINDS = {
    "value_float": ("f", onnx.TensorProto.FLOAT), "value_floats": ("floats", onnx.TensorProto.FLOAT),
    "value_int": ("i", onnx.TensorProto.INT64), "value_ints": ("ints", onnx.TensorProto.INT64),
    "value_string": ("s", onnx.TensorProto.STRING), "value_strings": ("strings", onnx.TensorProto.STRING),
}  # fmt: skip


def name_of(node: onnx.NodeProto) -> str:
    """A node's name, or that of its first output."""
    return node.name or next((output for output in node.output if output), node.op_type)


def graphs_of(attribute: onnx.AttributeProto) -> list[onnx.GraphProto]:
    """The graphs that an attribute holds, mostly none."""
    return [attribute.g] if attribute.HasField("g") else list(attribute.graphs)


def _has_no_graphs(node: onnx.NodeProto) -> bool:
    return not any(attribute.type in _HOLDS_GRAPHS for attribute in node.attribute)


def reads(node: onnx.NodeProto) -> Iterator[str]:
    """Return what a node reads of its graph: its inputs, and what graphs inside it see of what's around them."""
    return filter(None, node.input) if not node.attribute else _all_reads(node)


def _all_reads(node: onnx.NodeProto) -> Iterator[str]:
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        for graph in graphs_of(attribute) if attribute.type in _HOLDS_GRAPHS else ():
            own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
            own |= {name for inner in graph.node for name in inner.output}
            yield from (name for inner in graph.node for name in reads(inner) if name not in own)
            yield from (value.name for value in graph.output if value.name not in own)


def nodes_inside(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    """The node, and those of graphs inside it."""
    yield node
    for attribute in node.attribute:
        for graph in graphs_of(attribute):
            for inner in graph.node:
                yield from nodes_inside(inner)


def names_inside(node: onnx.NodeProto) -> Iterator[str]:
    """The names of the node and of those in graphs inside it."""
    return map(name_of, nodes_inside(node))


def with_attributes(node: onnx.NodeProto, given: Mapping[str, onnx.AttributeProto]) -> onnx.NodeProto:
    """The node of a function's body with the attributes of the call."""
    if not any(attribute.ref_attr_name for attribute in node.attribute):
        return node
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    del copy.attribute[:]
    for attribute in node.attribute:
        if not attribute.ref_attr_name:
            copy.attribute.append(attribute)
        elif attribute.ref_attr_name in given:
            copy.attribute.append(given[attribute.ref_attr_name])
            copy.attribute[-1].name = attribute.name
    return copy


_HOLDS_GRAPHS = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
