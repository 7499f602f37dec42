"""Walk a model's graphs: the main one, bodies of nodes to any depth, local functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import onnx_ir as ir

from onnxtile.ir.attributes import node_name
from onnxtile.ir.metadata import SHAPED_META

CALL_DOMAIN = "onnxtile"
"""Domain of the model-local functions that stand for tiled products."""
CALL_ATTRIBUTES = frozenset(
    ("size", "tile", "ranks", "types", "accumulate", "empty", "full", "transpose_a", "transpose_b")
)
"""The attributes of a call to a tiled product."""


class Scope(NamedTuple):
    """A graph and where it is: '' for the main graph, `node/attribute` for one inside a node, to any depth.

    `in_function`: it belongs to a local function whose calls may differ in their shapes.
    """

    name: str
    opsets: dict[str, int]
    graph: ir.Graph | ir.Function
    in_function: bool = False


def scopes(model: ir.Model) -> Iterator[Scope]:
    """Yield every graph of the model, functions last; bodies of our own tiled products aren't the model's."""
    return (scope for scope, _ in scopes_with_nodes(model))


def scopes_with_nodes(model: ir.Model) -> Iterator[tuple[Scope, list[ir.Node]]]:
    """Yield scopes with the nodes of each graph: onnx_ir's list of nodes, which is slow, is gone through once."""
    for scope in _outermost(model):
        yield from _nested(scope)


def _outermost(model: ir.Model) -> Iterator[Scope]:
    yield Scope("", model.opset_imports, model.graph)
    for function in model.functions.values():
        if not is_tiled_product(function):
            name = f"function {function.domain}::{function.name}"
            yield Scope(name, function.opset_imports, function, not function.meta.get(SHAPED_META))


def all_graphs(model: ir.Model) -> Iterator[ir.Graph | ir.Function]:
    """Yield the graphs of all scopes."""
    return (scope.graph for scope in scopes(model))


def graphs_with_initializers(model: ir.Model) -> Iterator[ir.Graph]:
    """Yield every graph that may hold initializers: the main one and all bodies, those inside local functions too."""
    yield model.graph
    holders: list[ir.Graph | ir.Function] = [model.graph, *model.functions.values()]
    for holder in holders:
        for node in nodes_within(holder):
            yield from node_bodies(node)


def nodes_within(graph: Iterable[ir.Node]) -> Iterator[ir.Node]:
    """Yield a graph's nodes, each before those of the bodies in it: as all_nodes of onnx_ir, a few times as fast."""
    for node in graph:
        yield node
        for attribute in node.attributes.data.values():
            for body in subgraphs(attribute):
                yield from nodes_within(body)


def _nested(scope: Scope) -> Iterator[tuple[Scope, list[ir.Node]]]:
    nodes = list(scope.graph)
    yield scope, nodes
    for node in nodes:
        for inner in _bodies(scope, node) if node.attributes.data else ():  # mostly none
            yield from _nested(inner)


def _bodies(scope: Scope, node: ir.Node) -> Iterator[Scope]:
    """Yield the scopes right inside a node."""
    for attribute in node.attributes.values():
        for subgraph in subgraphs(attribute):
            name = f"{node_name(node)}/{attribute.name}"
            yield scope._replace(name=f"{scope.name}/{name}" if scope.name else name, graph=subgraph)


def subgraphs(attribute: ir.Attr) -> Sequence[ir.Graph]:
    """Return the graphs that an attribute holds (a body of If, Loop, Scan, ...), mostly none."""
    if attribute.is_ref():
        return ()
    if attribute.type == ir.AttributeType.GRAPH:
        return (attribute.as_graph(),)
    return attribute.as_graphs() if attribute.type == ir.AttributeType.GRAPHS else ()


def node_bodies(node: ir.Node) -> Iterator[ir.Graph]:
    """Yield the graphs that a node's attributes hold."""
    for attribute in node.attributes.data.values():
        yield from subgraphs(attribute)


def values_read(node: ir.Node) -> Iterator[ir.Value]:
    """Yield what a node reads, and what the bodies in it read and give."""
    yield from (value for value in node.inputs if value is not None)
    for body in node_bodies(node):
        yield from body.outputs
        for inner in body:
            yield from values_read(inner)


def defined_values(model: ir.Model) -> Iterator[tuple[ir.Graph | ir.Function, ir.Value]]:
    """Yield the inputs of every graph and what its nodes give, each with the graph."""
    for graph in all_graphs(model):
        for values in (graph.inputs, *(node.outputs for node in graph)):
            yield from ((graph, value) for value in values)


def default_opset(opsets: Mapping[str, int]) -> int | None:
    """Return the version of the default operator set; None: not imported."""
    return opsets.get("")


def called_functions(model: ir.Model) -> set[ir.OperatorIdentifier]:
    """Return the local functions that the main graph calls, by itself or through others."""
    called: set[ir.OperatorIdentifier] = set()
    waiting: list[ir.Graph | ir.Function] = [model.graph]
    while model.functions and waiting:
        for node in waiting.pop().all_nodes():
            key = node.op_identifier()
            if key in model.functions and key not in called:
                called.add(key)
                waiting.append(model.functions[key])
    return called


def callees_first(model: ir.Model) -> None:
    """Put functions behind those that they call, which engines that read models from front to back want."""
    waiting = dict(model.functions)
    model.functions.clear()

    def put(key: tuple[str, str, str]) -> None:
        function = waiting.pop(key, None)
        if function is not None:
            for node in function.all_nodes():
                put(node.op_identifier())
            model.functions[key] = function

    for key in list(waiting):
        put(key)


def is_tiled_product(called: ir.Function | ir.Node) -> bool:
    """Return whether a function, or a call, stands for a tiled product, by its attributes."""
    return called.domain == CALL_DOMAIN and called.attributes.keys() >= CALL_ATTRIBUTES


def count_nodes(model: ir.Model) -> int:
    """Count the nodes in all graphs of the model, those of local functions included."""
    return sum(len(graph) for graph in all_graphs(model))
