"""Refuse names that stand for two values where both can be read: ONNX forbids them, and engines take either.

An initializer of a body that's a copy, bit by bit, of the one that its name stands for outside does no harm, and
onnxslim writes such files: it's removed, so that there's one again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import onnx

from onnxtile.errors import ModelError
from onnxtile.ir.proto_nodes import bodies_of, node_words

MAIN = "the main graph"


class Bearer(NamedTuple):
    """Hold what has a name: an input, an initializer, or a node with it as output; and the graph that it's in."""

    what: str | onnx.NodeProto
    where: str
    constant: onnx.TensorProto | None = None
    """The initializer, where no caller may give another value in its place."""


class Clash(NamedTuple):
    """A name that's borne in a body, and can be read there from outside."""

    name: str
    body: onnx.GraphProto
    here: Bearer
    there: Bearer


def check_shadowing(model: onnx.ModelProto) -> None:
    """Refuse a body whose input, initializer or value bears a name that can be read there from outside; ModelError.

    The main graph and each function are scopes of their own; bodies beside each other may use the same names, and a
    body those of values that the graph around it computes later.
    """
    clash = next(_clashes(model), None)
    if clash is not None:
        here, there = _described(clash.name, clash.here), _described(clash.name, clash.there)
        raise ModelError(f"{here} bears the name of {there}; engines take one for the other: rename one")


def without_copies(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model, or a copy of it in which bodies read from outside what they hold copies of."""
    if not any(map(_is_copy, _clashes(model))):
        return model
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    remove_copies(changed)
    return changed


def remove_copies(model: onnx.ModelProto) -> None:
    """Remove initializers of bodies that can be read from outside, in place; but those that their body also gives."""
    for clash in list(filter(_is_copy, _clashes(model))):
        for held in (clash.body.initializer, clash.body.value_info):
            for named in [named for named in held if named.name == clash.name]:
                held.remove(named)


def _is_copy(clash: Clash) -> bool:
    here, there = clash.here.constant, clash.there.constant
    if here is None or there is None or clash.name in {value.name for value in clash.body.output}:
        return False
    return _content(here) == _content(there)


def _content(tensor: onnx.TensorProto) -> bytes:
    """Return all that a tensor says but its name and remarks."""
    bare = onnx.TensorProto()
    bare.CopyFrom(tensor)
    for field in ("name", "doc_string", "metadata_props"):
        bare.ClearField(field)
    content: bytes = bare.SerializeToString(deterministic=True)
    return content


def _clashes(model: onnx.ModelProto) -> Iterator[Clash]:
    if next(bodies_of(model.graph.node), None):
        yield from _inside(model.graph, MAIN, {})
    for function in model.functions:
        if next(bodies_of(function.node), None):
            yield from _inside(function, f"function {function.name!r}", {})


def _inside(graph: onnx.GraphProto | onnx.FunctionProto, scope: str, visible: dict[str, Bearer]) -> Iterator[Clash]:
    """Yield the clashes of one graph and the bodies in it. `visible`: what can be read; it's left as it was."""
    outside: dict[str, Bearer | None] = {}
    """Keep what this graph's own names stand for outside."""

    def bear(name: str, bearer: Bearer) -> Iterator[Clash]:
        if name and name not in outside:
            there = outside[name] = visible.get(name)
            if there is not None and isinstance(graph, onnx.GraphProto):
                yield Clash(name, graph, bearer, there)
        if name:
            visible[name] = bearer

    for name, bearer in _interface(graph, scope):
        yield from bear(name, bearer)
    for node in graph.node:
        for where, body in bodies_of([node]):
            yield from _inside(body, f"{where} of {scope}", visible)
        for name in node.output:
            yield from bear(name, Bearer(node, scope))
    for name, there in outside.items():
        if there is None:
            del visible[name]
        else:
            visible[name] = there


def _interface(graph: onnx.GraphProto | onnx.FunctionProto, scope: str) -> Iterator[tuple[str, Bearer]]:
    if isinstance(graph, onnx.FunctionProto):
        yield from ((name, Bearer("input", scope)) for name in graph.input)
        return
    fed = {value.name for value in graph.input}
    yield from ((value.name, Bearer("input", scope)) for value in graph.input)
    for tensor in graph.initializer:
        yield tensor.name, Bearer("initializer", scope, None if tensor.name in fed else tensor)
    yield from ((tensor.values.name, Bearer("initializer", scope)) for tensor in graph.sparse_initializer)


def _described(name: str, bearer: Bearer) -> str:
    what = bearer.what
    where = bearer.where if isinstance(what, str) else f"{node_words(what)} of {bearer.where}"
    return f"{what if isinstance(what, str) else 'value'} {name!r} of {where}"
