"""Count what calls of local functions come to: a file of a kilobyte may hold any number of nodes once inlined."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

import onnx
import onnx_ir as ir

from onnxtile.errors import ModelError, UnsupportedError
from onnxtile.ir.attributes import node_name
from onnxtile.ir.bounds import most, raise_hint
from onnxtile.ir.graphs import CALL_DOMAIN
from onnxtile.ir.proto_nodes import name_of, node_words, with_nodes_inside

Identifier = ir.OperatorIdentifier
"""Domain, name and overload of an operator or local function."""
_COUNTED = 10**18
"""The number up to which is counted; numbers of a million digits would be a bomb of their own."""


def check_calls(model: onnx.ModelProto | ir.Model) -> None:
    """Refuse functions that call each other in a circle, too deep, or so often that too many nodes come of it.

    That's counted, not done. A call of ours without its function, of which nobody knows how it's cut, is refused too.
    Raises ModelError for that and for a circle, UnsupportedError otherwise.
    """
    if isinstance(model, onnx.ModelProto):
        _check_arguments(model)
    functions, main = _of_proto(model) if isinstance(model, onnx.ModelProto) else _of_ir(model)
    for operator in (*main, *(operator for called in functions.values() for operator in called)):
        if operator[0] == CALL_DOMAIN and operator not in functions:
            words = f"{operator[1]} {_caller(model, operator)!r} calls a function of the domain {CALL_DOMAIN}"
            raise ModelError(f"{words} that isn't in the model; give the model as it was lowered, with its functions")
    if not functions:
        return
    nodes: dict[Identifier, int] = {}
    depths: dict[Identifier, int] = {}
    for key in _inner_first(functions):
        nodes[key] = min(_COUNTED, sum(nodes.get(called, 1) for called in functions[key]))
        depths[key] = 1 + max((depths.get(called, 0) for called in functions[key]), default=0)
    depth = max((depths.get(called, 0) for called in main), default=0)
    if depth > most("call-depth"):
        raise UnsupportedError(f"local functions call each other {depth:,} deep, {raise_hint('call-depth')}")
    count = sum(nodes.get(called, 1) for called in main)
    if depth and count > most("inlined-nodes"):
        number = f"{count:,}" if count < _COUNTED else "10^18 and more"
        raise UnsupportedError(f"calls of local functions come to {number} nodes, {raise_hint('inlined-nodes')}")


def _caller(model: onnx.ModelProto | ir.Model, operator: Identifier) -> str:
    """Return the name of the first node of an operator."""
    if isinstance(model, ir.Model):
        holders = (model.graph, *model.functions.values())
        return node_name(next(n for graph in holders for n in graph.all_nodes() if n.op_identifier() == operator))
    nodes = with_nodes_inside([*model.graph.node, *(node for function in model.functions for node in function.node)])
    return name_of(next(node for node in nodes if (node.domain, node.op_type, node.overload) == operator))


def _check_arguments(model: onnx.ModelProto) -> None:
    """Refuse calls with more inputs or outputs than the function has; ModelError."""
    functions = {(function.domain, function.name, function.overload): function for function in model.functions}
    for holder in (model.graph, *model.functions) if functions else ():
        for node in with_nodes_inside(holder.node):
            called = functions.get((node.domain, node.op_type, node.overload))
            for what in ("input", "output") if called is not None else ():
                own, limit = len(getattr(node, what)), len(getattr(called, what))
                if own > limit:
                    words = f"{own} {what}s, and the local function that it calls {limit}"
                    raise ModelError(f"{node_words(node)} has {words}")


def _inner_first(functions: Mapping[Identifier, Sequence[Identifier]]) -> Iterator[Identifier]:
    """Yield functions, those that are called before those that call them; ModelError where there's a circle."""
    done: dict[Hashable, bool] = {}  # False: what it calls is being looked at
    for start in functions:
        waiting = [start]
        while waiting:
            key = waiting[-1]
            if done.get(key) is None:
                done[key] = False
                called = [name for name in dict.fromkeys(functions[key]) if name in functions and not done.get(name)]
                for name in called:
                    if name in done:
                        raise ModelError(f"local functions call each other in a circle: {key[1]!r} calls {name[1]!r}")
                waiting += called
            else:
                waiting.pop()
                if not done[key]:
                    done[key] = True
                    yield key


def _of_proto(model: onnx.ModelProto) -> tuple[dict[Identifier, list[Identifier]], list[Identifier]]:
    functions = {(f.domain, f.name, f.overload): list(_operators(f.node)) for f in model.functions}
    return functions, list(_operators(model.graph.node))


def _operators(nodes: Iterable[onnx.NodeProto]) -> Iterator[Identifier]:
    return ((node.domain, node.op_type, node.overload) for node in with_nodes_inside(nodes))


def _of_ir(model: ir.Model) -> tuple[dict[Identifier, list[Identifier]], list[Identifier]]:
    functions = {
        key: [node.op_identifier() for node in function.all_nodes()] for key, function in model.functions.items()
    }
    return functions, [node.op_identifier() for node in model.graph.all_nodes()]
