"""Find the elements of a region's values that bear on an element of its output: moves by indices, products by rows."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from onnxtile.verification.evaluator import Evaluator
from onnxtile.verification.graphs import graphs_of
from onnxtile.verification.semantics import moves
from onnxtile.verification.semantics.entry import OPERATORS, Call
from onnxtile.verification.value import Array, UnprovenError, Value

MOST_INDEXED = 1 << 22
"""Elements of a value up to which moves are run on indices."""
_TRACE_ERRORS = (UnprovenError, ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError)
Masks = dict[str, Array]


@dataclass
class Trace:
    """Hold what both sides of a region came to, by name, and their nodes; `run`: the lowered side's evaluator."""

    original: Sequence[onnx.NodeProto]
    wanted: Mapping[str, Value]
    nodes: Sequence[onnx.NodeProto]
    got: Mapping[str, Value]
    run: Evaluator
    opset: int
    within: Sequence[Value] = ()
    """What the original's nodes are made of inside."""


def slices_of(trace: Trace, masks: Masks, right: Container[str] = ()) -> Masks:
    """Return where values bear on the elements that `masks` has, back to inputs and to values that are right."""
    for node in reversed(trace.nodes):
        made = [None if name in right else masks.get(name) for name in node.output]
        if not any(mask is not None and mask.any() for mask in made):
            continue
        for name, mask in _before(trace, node, made):
            masks[name] = masks[name] | mask if name in masks else mask
    return masks


def _before(trace: Trace, node: onnx.NodeProto, made: Sequence[Array | None]) -> Iterator[tuple[str, Array]]:
    """Yield which elements of a node's inputs its outputs' elements depend on; all, where that isn't known."""
    inputs = [(name, trace.got.get(name)) for name in node.input]
    whole = [(name, np.ones(value.shape, bool)) for name, value in inputs if name and value is not None]
    entry = OPERATORS.get(("" if node.domain == "ai.onnx" else node.domain, node.op_type))
    first = made[0]
    if node.op_type.startswith("Reduce") and inputs[0][1] is not None and first is not None:
        yield inputs[0][0], _spread(trace, node, inputs[0][1], first)
        return
    if entry is None or holds_graphs(node):
        yield from whole
        return
    try:
        if entry.evaluate.__module__ == moves.__name__:
            yield from _moved(trace, node, made)
        elif node.op_type in ("MatMul", "MatMulInteger") and first is not None:
            yield from _multiplied(inputs[:2], first)
        elif first is not None and all(_broadcasts(value, first) for _, value in inputs):
            for name, value in inputs:
                if value is not None:
                    yield name, _unspread(first, value.shape)
        else:
            yield from whole
    except _TRACE_ERRORS:
        yield from whole


def _moved(trace: Trace, node: onnx.NodeProto, made: Sequence[Array | None]) -> Iterator[tuple[str, Array]]:
    """Run a move on indices of its inputs' elements."""
    entry = OPERATORS["", node.op_type]
    values = [trace.got.get(name) if name else None for name in node.input]
    indexed, at = list(values), 1
    starts: list[int] = []
    for index, value in enumerate(values):
        starts.append(at)
        if value is not None and entry.of_input(index) == "number":
            size = int(np.prod(value.shape, dtype=np.int64))
            if size > MOST_INDEXED:
                raise UnprovenError("it has too many elements")
            numbers = np.arange(at, at + size).reshape(value.shape)
            if node.op_type == "Pad" and index > 0:
                numbers = np.zeros(value.shape, np.int64)
            else:
                at += size
            indexed[index] = Value.constant(value.field, numbers, value.dtype)
    attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    results = entry.evaluate(Call(node, indexed, attributes, trace.opset, trace.run, dict(trace.got)))
    taken = np.zeros(at, bool)
    for value, mask in zip([results] if isinstance(results, Value) else results, made, strict=False):
        if mask is not None and value is not None:
            if value.known is None:
                raise UnprovenError("its elements aren't moved alone")
            taken[np.asarray(value.known)[mask].astype(np.int64)] = True
    for index, (name, value) in enumerate(zip(node.input, values, strict=True)):
        if value is not None and entry.of_input(index) == "number" and not (node.op_type == "Pad" and index > 0):
            size = int(np.prod(value.shape, dtype=np.int64))
            yield name, taken[starts[index] : starts[index] + size].reshape(value.shape)


def _multiplied(operands: Sequence[tuple[str, Value | None]], mask: Array) -> Iterator[tuple[str, Array]]:
    (a_name, a), (b_name, b) = operands
    assert a is not None and b is not None
    if len(a.shape) == 1:
        mask = np.expand_dims(mask, -1 if len(b.shape) == 1 else -2)
    if len(b.shape) == 1:
        mask = np.expand_dims(mask, -1)
    rows, columns = (np.asarray(mask.any(axis, keepdims=True)) for axis in (-1, -2))
    if len(a.shape) == 1:
        yield a_name, np.full(a.shape, bool(mask.any()))
    else:
        yield a_name, np.broadcast_to(_unspread(rows, (*a.shape[:-1], 1)), a.shape)
    if len(b.shape) == 1:
        yield b_name, np.full(b.shape, bool(mask.any()))
    else:
        yield b_name, np.broadcast_to(_unspread(columns, (*b.shape[:-2], 1, b.shape[-1])), b.shape)


def _spread(trace: Trace, node: onnx.NodeProto, value: Value, mask: Array) -> Array:
    """Give all elements of a sum the mask of the sum."""
    attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    axes = attributes.get("axes")
    if len(node.input) > 1 and node.input[1]:
        axes = trace.got[node.input[1]].whole_numbers("axes")
    axes = range(len(value.shape)) if axes is None else axes
    if not attributes.get("keepdims", 1):
        for axis in sorted(axis % len(value.shape) for axis in axes):
            mask = np.expand_dims(mask, axis)
    return np.broadcast_to(mask, value.shape)


def _broadcasts(value: Value | None, mask: Array) -> bool:
    if value is None:
        return True
    try:
        return np.broadcast_shapes(value.shape, mask.shape) == mask.shape
    except ValueError:
        return False


def _unspread(mask: Array, shape: tuple[int, ...]) -> Array:
    """Return where an operand of this shape bears on a result that it was broadcast to."""
    for _ in range(mask.ndim - len(shape)):
        mask = np.asarray(mask.any(0))
    for axis, size in enumerate(shape):
        if size == 1 and mask.shape[axis] != 1:
            mask = np.asarray(mask.any(axis, keepdims=True))
    return np.broadcast_to(mask, shape)


def holds_graphs(node: onnx.NodeProto) -> bool:
    return any(graphs_of(attribute) for attribute in node.attribute)


def is_move(node: onnx.NodeProto) -> bool:
    entry = OPERATORS.get(("", node.op_type))
    return entry is not None and entry.evaluate.__module__ == moves.__name__
