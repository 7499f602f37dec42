"""Calls of local functions: a file of a kilobyte may come to any number of nodes when they're put in their places."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

import onnx
import onnx_ir as ir

from onnxtile.errors import ModelError, UnsupportedError
from onnxtile.ir.attributes import node_name
from onnxtile.ir.bounds import most, raise_hint
from onnxtile.ir.graphs import CALL_DOMAIN
from onnxtile.ir.shadowing import bodies_of

Operator = tuple[str, str, str]
"""Domain, name and overload of an operator or local function."""
_COUNTED = 10**18
"""What is counted up to; numbers of a million digits would be a bomb of their own."""


def check_calls(model: onnx.ModelProto | ir.Model) -> None:
    """Refuse functions that call each other in a circle, too deep, or so often that too many nodes come of it.

    That's counted, not done. A call of ours without its function, of which nobody knows how it's cut, is refused too.
    Raises ModelError for that and for a circle, UnsupportedError otherwise.
    """
    if isinstance(model, onnx.ModelProto):
        _check_arguments(model)
    functions, main = _of_proto(model) if isinstance(model, onnx.ModelProto) else _of_ir(model)
    for domain, name, overload in (*main, *(each for called in functions.values() for each in called)):
        if domain == CALL_DOMAIN and (domain, name, overload) not in functions:
            words = f"{name} {_caller(model, (domain, name, overload))!r} calls a function of the domain {CALL_DOMAIN}"
            raise ModelError(f"{words} that isn't in the model; give the model as it was lowered, with its functions")
    if not functions:
        return
    nodes: dict[Operator, int] = {}
    depths: dict[Operator, int] = {}
    for key in _inner_first(functions):
        nodes[key] = min(_COUNTED, sum(nodes.get(each, 1) for each in functions[key]))
        depths[key] = 1 + max((depths.get(each, 0) for each in functions[key]), default=0)
    depth = max((depths.get(each, 0) for each in main), default=0)
    if depth > most("call-depth"):
        raise UnsupportedError(f"local functions call each other {depth:,} deep, {raise_hint('call-depth')}")
    count = sum(nodes.get(each, 1) for each in main)
    if depth and count > most("inlined-nodes"):
        number = f"{count:,}" if count < _COUNTED else "10^18 and more"
        raise UnsupportedError(f"calls of local functions come to {number} nodes, {raise_hint('inlined-nodes')}")


def _caller(model: onnx.ModelProto | ir.Model, operator: Operator) -> str:
    """Return the name of the first node of an operator."""
    if isinstance(model, ir.Model):
        every = [*model.graph.all_nodes(), *(node for each in model.functions.values() for node in each.all_nodes())]
        return node_name(next(node for node in every if node.op_identifier() == operator))
    nodes = _nodes([*model.graph.node, *(node for each in model.functions for node in each.node)])
    node = next(each for each in nodes if (each.domain, each.op_type, each.overload) == operator)
    return node.name or next(iter(node.output), "")


def _check_arguments(model: onnx.ModelProto) -> None:
    """Refuse calls with more inputs or outputs than the function has; ModelError."""
    functions = {(each.domain, each.name, each.overload): each for each in model.functions}
    for nodes in (model.graph.node, *(each.node for each in model.functions)) if functions else ():
        for node in _nodes(nodes):
            called = functions.get((node.domain, node.op_type, node.overload))
            if called is None:
                continue
            for what, given, taken in (("inputs", node.input, called.input), ("outputs", node.output, called.output)):
                if len(given) > len(taken):
                    where = f"{node.op_type} {node.name or next(iter(node.output), '')!r}"
                    raise ModelError(
                        f"{where} has {len(given)} {what}, and the local function that it calls {len(taken)}"
                    )


def _inner_first(functions: Mapping[Operator, Sequence[Operator]]) -> Iterator[Operator]:
    """Functions, those that are called before those that call them; ModelError where there's a circle."""
    done: dict[Hashable, bool] = {}  # False: what it calls is being looked at
    for start in functions:
        waiting = [start]
        while waiting:
            key = waiting[-1]
            if done.get(key) is None:
                done[key] = False
                called = [each for each in dict.fromkeys(functions[key]) if each in functions and not done.get(each)]
                for each in called:
                    if each in done:
                        raise ModelError(f"local functions call each other in a circle: {key[1]!r} calls {each[1]!r}")
                waiting += called
            else:
                waiting.pop()
                if not done[key]:
                    done[key] = True
                    yield key


def _of_proto(model: onnx.ModelProto) -> tuple[dict[Operator, list[Operator]], list[Operator]]:
    functions = {(each.domain, each.name, each.overload): list(_operators(each.node)) for each in model.functions}
    return functions, list(_operators(model.graph.node))


def _operators(nodes: Iterable[onnx.NodeProto]) -> Iterator[Operator]:
    return ((node.domain, node.op_type, node.overload) for node in _nodes(nodes))


def _nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """Nodes, and those inside them."""
    waiting = [iter(nodes)]
    while waiting:
        node = next(waiting[-1], None)
        if node is None:
            waiting.pop()
            continue
        yield node
        waiting += [iter(body.node) for _, body in bodies_of([node])]


def _of_ir(model: ir.Model) -> tuple[dict[Operator, list[Operator]], list[Operator]]:
    functions = {
        key: [node.op_identifier() for node in function.all_nodes()] for key, function in model.functions.items()
    }
    return functions, [node.op_identifier() for node in model.graph.all_nodes()]
