"""Shapes and types that a model declares, kept while it's lowered and put back: what is only inferred isn't written."""

from __future__ import annotations

from collections.abc import Iterable

import onnx_ir as ir

from onnxtile.ir.graphs import all_graphs, scopes
from onnxtile.passes.shape_inference.declared import corrected

Declared = dict[tuple[ir.Graph | ir.Function, str | None], tuple[ir.Shape | None, ir.TypeProtocol | None]]


def declared(model: ir.Model) -> Declared:
    """Shapes and types as the model declares them, by graph and name."""
    return {(graph, value.name): (value.shape, value.type) for graph, value in _described(model)}


def with_sizes(said: Declared, bound: Declared) -> Declared:
    """The declared shapes with the sizes that were bound, and nothing else of what binding did to names."""
    merged = dict(said)
    for key, (shape, value_type) in said.items():
        now = bound[key][0]
        if shape is not None and now is not None:
            dims = [new if isinstance(new, int) else old for old, new in zip(shape, now, strict=True)]
            denotations = [shape.get_denotation(axis) for axis in range(len(dims))]
            merged[key] = (shape if dims == list(shape) else ir.Shape(dims, denotations), value_type)
    return merged


def borne_out(model: ir.Model, said: Declared) -> Declared:
    """The declared shapes without numbers that inference doesn't bear out, such as those of a batch that was fixed."""
    held = dict(said)
    names = {
        dim.value
        for value in model.graph.inputs
        for dim in said[model.graph, value.name][0] or ()
        if not isinstance(dim, int)
    }
    for scope in scopes(model):
        if scope.name.startswith("function "):
            continue
        outputs = set(scope.graph.outputs)
        for value in (value for node in scope.graph for value in node.outputs):
            shape, type_ = said[scope.graph, value.name]
            if shape is not None:
                held[scope.graph, value.name] = (corrected(shape, value.shape, value in outputs, names), type_)
    return held


def restore(model: ir.Model, said: Declared) -> None:
    """Put the declared shapes and types back; what was only inferred goes.

    Bodies in copies of functions keep those of their inputs and outputs: onnxruntime wants them.
    """
    known = {graph for graph, _ in said}
    for graph, value in _described(model):
        own = value.is_graph_input() or value.is_graph_output()
        if graph in known or isinstance(graph, ir.Function) or not own:
            value.shape, value.type = said.get((graph, value.name), (None, None))


def _described(model: ir.Model) -> Iterable[tuple[ir.Graph | ir.Function, ir.Value]]:
    for graph in all_graphs(model):
        for values in (graph.inputs, *(node.outputs for node in graph)):
            yield from ((graph, value) for value in values)
