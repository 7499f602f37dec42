"""A key that equal obligations have, whatever their values are called: equal regions are proven once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

import onnx

from onnxtile.verification.derivations import Derivation, Factor
from onnxtile.verification.graphs import graphs_of
from onnxtile.verification.obligation import Obligation


def key_of(obligation: Obligation) -> str:
    """A hash of the obligation with its values renamed in the order in which they appear."""
    names: dict[str, str] = {"": ""}
    models = [onnx.ModelProto.FromString(each) for each in (obligation.original, obligation.lowered)]
    for model in models:
        _rename_graph(model.graph, names)
    ways = [
        sorted((_renamed(name, names), repr(_with_source(derivation, names))) for name, derivation in way)
        for way in obligation.derived
    ]
    operands = [(_renamed(each.name, names), each.dtype, each.shape) for each in obligation.operands]
    told = (ways, operands, [_renamed(name, names) for name in obligation.outputs], obligation.factors)
    digest = hashlib.sha256(repr((told, obligation.arithmetic)).encode())
    for model in models:
        digest.update(model.SerializeToString(deterministic=True))
    return digest.hexdigest()


def _rename_graph(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    graph.name = ""
    for value in (*graph.input, *graph.initializer):
        value.name = _renamed(value.name, names)
    for node in graph.node:
        node.name = ""
        del node.metadata_props[:]
        _rename(node.input, names)
        _rename(node.output, names)
        for attribute in node.attribute:
            for inner in graphs_of(attribute):
                _rename_graph(inner, names)
    for value in graph.output:
        value.name = _renamed(value.name, names)
    del graph.value_info[:]


def _rename(values: Iterable[str], names: dict[str, str]) -> None:
    fresh = [_renamed(name, names) for name in values]
    values[:] = fresh  # type: ignore[index]  # a repeated field of protobuf


def _renamed(name: str, names: dict[str, str]) -> str:
    return names.setdefault(name, f"v{len(names)}")


def _with_source(derivation: Derivation, names: dict[str, str]) -> Derivation:
    return (
        derivation if isinstance(derivation, Factor) else replace(derivation, source=_renamed(derivation.source, names))
    )
