"""Refuse names that stand for two values where both can be read: ONNX forbids them, and engines take either."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx

from onnxtile.errors import ModelError
from onnxtile.ir.proto_nodes import bodies_of, node_words

MAIN = "the main graph"
Bearer = tuple[str | onnx.NodeProto, str]
"""The input, initializer or node's output that has a name, and the graph that it's in."""


def check_shadowing(model: onnx.ModelProto) -> None:
    """Refuse a body whose input, initializer or value bears a name that can be read there from outside; ModelError.

    The main graph and each function are scopes of their own; bodies beside each other may use the same names, and a
    body those of values that the graph around it computes later.
    """
    graph = model.graph
    if next(bodies_of(graph.node), None):
        _check(_interface(graph), graph.node, MAIN, {})
    for function in model.functions:
        if next(bodies_of(function.node), None):
            inputs = (("input", name) for name in function.input)
            _check(inputs, function.node, f"function {function.name!r}", {})


def _check(
    interface: Iterable[tuple[str, str]], nodes: Iterable[onnx.NodeProto], scope: str, visible: dict[str, Bearer]
) -> None:
    """Check one graph and the bodies in it. `visible`: names that can be read from outside; it's left as it was."""
    own: set[str] = set()

    def bear(name: str, what: str | onnx.NodeProto) -> None:
        if name in visible and name not in own:
            here, there = _described(name, (what, scope)), _described(name, visible[name])
            raise ModelError(f"{here} bears the name of {there}; engines take one for the other: rename one")
        if name:
            own.add(name)
            visible[name] = (what, scope)

    for what, name in interface:
        bear(name, what)
    for node in nodes:
        for where, body in bodies_of([node]):
            _check(_interface(body), body.node, f"{where} of {scope}", visible)
        for name in node.output:
            bear(name, node)
    for name in own:
        del visible[name]


def _interface(graph: onnx.GraphProto) -> Iterator[tuple[str, str]]:
    yield from (("input", value.name) for value in graph.input)
    yield from (("initializer", tensor.name) for tensor in graph.initializer)
    yield from (("initializer", tensor.values.name) for tensor in graph.sparse_initializer)


def _described(name: str, bearer: Bearer) -> str:
    what, graph = bearer
    where = graph if isinstance(what, str) else f"{node_words(what)} of {graph}"
    return f"{what if isinstance(what, str) else 'value'} {name!r} of {where}"
