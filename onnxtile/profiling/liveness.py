"""How much memory the values of a graph take while its nodes run one after another."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator

import onnx_ir as ir

from onnxtile.ir.graphs import nodes_within, subgraphs
from onnxtile.ir.symbolic.amounts import Amount, Number, Range, Unknown
from onnxtile.operators.value_sizes import value_bytes


class Liveness:
    """Bytes alive in a graph, node by node.

    A value is alive from the node that makes it, an input of the graph from the start, to the last node that reads it,
    an output of the graph to the end. Every value has memory of its own; stored constants aren't counted.
    """

    def __init__(
        self,
        graph: ir.Graph | ir.Function,
        size: Callable[[ir.Value], Amount] = value_bytes,
        owned: Container[ir.Value] = (),
    ) -> None:
        """`owned`: inputs of a function that its caller needs no more; it counts the others itself, all the time."""
        self._size = size
        self._alive: dict[ir.Value, Amount] = {}
        self._bytes: Number = 0
        self._not_known = 0
        self._last = _last_readers(graph)
        self._kept = set(graph.outputs)
        self._dying: dict[ir.Node, list[ir.Value]] = {}
        for value, node in self._last.items():
            if value not in self._kept:
                self._dying.setdefault(node, []).append(value)
        for value in graph.inputs:
            counted = value in owned if isinstance(graph, ir.Function) else not value.is_initializer()
            if counted and (value in self._last or value in self._kept):
                self._start(value)

    def run(self, node: ir.Node, stores: bool) -> Amount:
        """Bytes alive while the node runs: what it reads, what it makes, and what is kept for later."""
        if not stores:
            for value in node.outputs:
                if value.name:
                    self._start(value)
        now = self.alive()
        for value in (*self._dying.get(node, ()), *node.outputs):
            if value not in self._kept and (value not in self._last or self._last[value] is node):
                self._stop(value)
        return now

    def ending(self, node: ir.Node) -> list[ir.Value]:
        """What is alive before the node and not behind it."""
        return [value for value in self._dying.get(node, ()) if value in self._alive]

    def alive(self) -> Amount:
        """Bytes alive between the last node and the next."""
        return Range(self._bytes, None) if self._not_known else self._bytes

    def _start(self, value: ir.Value) -> None:
        size = self._size(value)
        self._alive[value] = size
        self._count(size, 1)

    def _stop(self, value: ir.Value) -> None:
        if value in self._alive:
            self._count(self._alive.pop(value), -1)

    def _count(self, size: Amount, sign: int) -> None:
        if isinstance(size, (Unknown, Range)):
            self._not_known += sign
        else:
            self._bytes += sign * size


def _last_readers(graph: ir.Graph | ir.Function) -> dict[ir.Value, ir.Node]:
    """For each value that the graph's nodes read, or graphs within them, the last of them."""
    return {value: node for node in graph for value in read_by(node)}


def read_by(node: ir.Node) -> Iterator[ir.Value]:
    """The values that a node reads, and those of outer graphs that graphs within it read."""
    yield from (value for value in node.inputs if value is not None)
    for attribute in node.attributes.data.values():
        for graph in subgraphs(attribute):
            yield from graph.outputs
            for inner in nodes_within(graph):
                yield from (value for value in inner.inputs if value is not None)
                for nested in inner.attributes.values():
                    for each in subgraphs(nested):
                        yield from each.outputs
