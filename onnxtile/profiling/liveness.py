"""Count the memory that the values of a graph take while its nodes run one after another."""

from __future__ import annotations

from collections.abc import Callable, Collection

import onnx_ir as ir

from onnxtile.ir.graphs import values_read
from onnxtile.ir.symbolic.amounts import Amount, Number, Range, Unknown, total


class Liveness:
    """Bytes alive in a graph, node by node.

    A value is alive from the node that makes it, an input of the graph from the start, to the last node that reads it,
    an output of the graph to the end. Every value has memory of its own; stored constants aren't counted.
    """

    def __init__(
        self, graph: ir.Graph | ir.Function, size: Callable[[ir.Value], Amount], owned: Collection[ir.Value] = ()
    ) -> None:
        """`owned`: inputs of a function that its caller needs no more; it counts the others itself, all the time."""
        self._size = size
        self._alive: set[ir.Value] = set()
        self._bytes: Number = 0
        self._not_known = 0
        kept = set(graph.outputs)
        last = {value: node for node in graph for value in values_read(node)}
        self._read = last.keys() | kept
        self._dying: dict[ir.Node, list[ir.Value]] = {}
        for value, node in last.items():
            if value not in kept:
                self._dying.setdefault(node, []).append(value)
        for value in graph.inputs:
            counted = value in owned if isinstance(graph, ir.Function) else not value.is_initializer()
            if counted and value in self._read:
                self._start(value)

    def run(self, node: ir.Node, stores: bool = False) -> Amount:
        """Return the bytes alive while the node runs: what it reads, what it makes, and what is kept for later."""
        if not stores:
            for value in node.outputs:
                if value.name:
                    self._start(value)
        now = self.alive()
        for value in self._dying.get(node, ()):
            self._stop(value)
        for value in node.outputs:
            if value not in self._read:
                self._stop(value)
        return now

    def ending(self, node: ir.Node) -> list[ir.Value]:
        """Return what is alive before the node and not behind it."""
        return [value for value in self._dying.get(node, ()) if value in self._alive]

    def alive(self) -> Amount:
        """Return the bytes alive between the last node and the next."""
        return Range(self._bytes, None) if self._not_known else self._bytes

    def _start(self, value: ir.Value) -> None:
        self._alive.add(value)
        self._count(self._size(value), 1)

    def _stop(self, value: ir.Value) -> None:
        if value in self._alive:
            self._alive.remove(value)
            self._count(self._size(value), -1)

    def _count(self, size: Amount, sign: int) -> None:
        if isinstance(size, (Unknown, Range)):
            self._not_known += sign
        else:
            self._bytes += sign * size


def plus(left: Amount, right: Amount) -> Amount:
    """Return the sum of two amounts, which mostly are numbers."""
    return left + right if isinstance(left, int) and isinstance(right, int) else total([left, right])
