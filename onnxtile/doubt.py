"""Inferred shapes that may not hold at run time: what onnx_shape_inference takes for granted, we don't."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import onnx_ir as ir

from onnxtile.contraction import all_graphs, subgraphs

Declared = Mapping[ir.Value, tuple[ir.Shape | None, object]]


def doubtful_values(model: ir.Model, declared: Declared) -> list[ir.Value]:
    """Values whose inferred shape rests on an assumption.

    A Slice of an axis of unknown length is taken to find as many elements as it asks for; a value that a Loop carries
    is taken to keep the shape that it starts with; what an If gives is taken to have one branch's shape.
    """
    found: list[ir.Value] = []
    for graph in all_graphs(model):
        for node in graph:
            if node.domain == "" and node.op_type == "Slice":
                found += [node.outputs[0]] if _shortened(node, declared) else []
            elif node.domain == "" and node.op_type == "Loop":
                found += _carried_that_change(node, declared)
            elif node.domain == "" and node.op_type == "If":
                found += _given_by_one_branch(node, declared)
    return found


def reachable(roots: Iterable[ir.Value]) -> set[ir.Value]:
    """The values, and all that are computed from them, in nested graphs too."""
    seen: set[ir.Value] = set()
    waiting = list(roots)
    while waiting:
        value = waiting.pop()
        if value in seen:
            continue
        seen.add(value)
        for use in value.uses():
            waiting += use.node.outputs
            for attribute in use.node.attributes.values():
                for graph in subgraphs(attribute):
                    waiting.extend(graph.inputs)
    return seen


def _shortened(node: ir.Node, declared: Declared) -> bool:
    source, result = node.inputs[0], node.outputs[0]
    if source is None or source.shape is None or result.shape is None or len(source.shape) != len(result.shape):
        return False
    said = declared.get(result, (None, None))[0]
    return any(
        not isinstance(before, int) and isinstance(after, int) and not (said is not None and said[axis] == after)
        for axis, (before, after) in enumerate(zip(source.shape, result.shape, strict=True))
    )


def _carried_that_change(node: ir.Node, declared: Declared) -> list[ir.Value]:
    attribute = node.attributes.get("body")
    bodies = () if attribute is None else subgraphs(attribute)
    found: list[ir.Value] = []
    for body in bodies:
        for index, value in enumerate(body.inputs[2:]):
            if declared.get(value, (None, None))[0] is None and value.shape != body.outputs[index + 1].shape:
                found += [value, node.outputs[index]]
    return found


def _given_by_one_branch(node: ir.Node, declared: Declared) -> list[ir.Value]:
    branches = [graph for attribute in node.attributes.values() for graph in subgraphs(attribute)]
    return [
        value
        for index, value in enumerate(node.outputs)
        if value.shape is not None and declared.get(value, (None, None))[0] is None
        if not all(_at_least(branch.outputs[index].shape, value.shape) for branch in branches)
    ]


def _at_least(shape: ir.Shape | None, claimed: ir.Shape) -> bool:
    """Whether all numbers in `claimed` are in `shape` too."""
    return (
        shape is not None
        and len(shape) == len(claimed)
        and all(not isinstance(size, int) or size == known for size, known in zip(claimed, shape, strict=True))
    )
