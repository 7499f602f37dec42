"""Outputs that calls of local functions leave out, as engines allow: they get names, which libraries ask for."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

from onnxtile.ir.graphs import all_graphs
from onnxtile.ir.names import spellings


def name_left_out(model: ir.Model) -> None:
    """Name the outputs that calls leave out, at the end or by an empty name: what a call makes is then all there."""
    calls = [
        (node, model.functions[node.op_identifier()])
        for graph in (all_graphs(model) if model.functions else ())
        for node in graph
        if node.op_identifier() in model.functions
    ]
    short = [(node, f) for node, f in calls if len(node.outputs) < len(f.outputs) or not all(_names(node))]
    taken = set(_taken(model)) if short else set()
    for node, function in short:
        node.resize_outputs(max(len(node.outputs), len(function.outputs)))
        for output, inside in zip(node.outputs, function.outputs, strict=False):
            if not output.name:
                output.name = _free(f"{node.op_type}/{inside.name}", taken)


def _names(node: ir.Node) -> Iterator[str | None]:
    return (output.name for output in node.outputs)


def _taken(model: ir.Model) -> Iterator[str | None]:
    for graph in all_graphs(model):
        yield from (value.name for value in graph.inputs)
        if isinstance(graph, ir.Graph):
            yield from graph.initializers
        for node in graph:
            yield from (node.name, *_names(node))


def _free(name: str, taken: set[str | None]) -> str:
    free = next(spelling for spelling in spellings(name, "_", 2) if spelling not in taken)
    taken.add(free)
    return free
