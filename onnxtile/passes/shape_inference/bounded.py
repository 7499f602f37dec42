"""Bounds for shape inference: a few bytes of a file must not become a shape of 10^9 numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import onnx
import onnx_ir as ir
from onnx_shape_inference import ShapeInferenceContext

from onnxtile.ir.bounds import most
from onnxtile.ir.opset_imports import canonical_domain
from onnxtile.ir.proto_nodes import bodies_of

MOST_JOINED = 1 << 20
"""Numbers of all vectors that Concat makes, up to which onnx's own inference may follow them."""
MOST_MADE = 1 << 24
"""Elements of the largest tensor up to which a value whose shape isn't known yet may turn out to be a vector."""
_Key = tuple[str, str, str]


def bound_numbers() -> None:
    """Let long vectors be unknown to onnx_shape_inference, which keeps each as a list, and as text."""
    get, put = ShapeInferenceContext.get_symbolic_value, ShapeInferenceContext.set_symbolic_value

    def get_bounded(self: ShapeInferenceContext, value: ir.Value) -> list[int | ir.SymbolicDim] | None:
        return None if length_of(value) > most("shape-numbers") else get(self, value)

    def put_bounded(self: ShapeInferenceContext, value: ir.Value, data: list[int | ir.SymbolicDim]) -> None:
        if len(data) <= most("shape-numbers"):
            put(self, value, data)

    ShapeInferenceContext.get_symbolic_value = get_bounded  # it has no setting for it
    ShapeInferenceContext.set_symbolic_value = put_bounded


def length_of(value: ir.Value | None) -> int:
    """Return how many elements a value has at least, of the axes that are known; 0 without a shape."""
    shape = None if value is None else value.shape
    return 0 if shape is None else math.prod(dim for dim in shape if isinstance(dim, int))


def may_be_followed(model: onnx.ModelProto) -> bool:
    """Return whether onnx's inference may follow numbers through this model: Concat of a vector with itself doubles it.

    It follows them through local functions too, call by call; these may not call each other in a circle.
    """
    growth: dict[_Key, int] = {}
    waiting = {(function.domain, function.name, function.overload): function for function in model.functions}
    while waiting:
        ready = [key for key, called in waiting.items() if not any(_key(node) in waiting for node in called.node)]
        if not ready:
            return False
        for key in ready:
            growth[key] = _joined(waiting.pop(key).node, {}, growth)
    constants = {tensor.name: _vector(tensor) for tensor in model.graph.initializer}
    return _joined(model.graph.node, constants, growth) <= MOST_JOINED


def vectors_are_short(inferred: onnx.ModelProto) -> bool:
    """Return whether all vectors together are short enough to be followed, in a model with the shapes that are known.

    onnx's data propagation makes a dimension of every element of a vector, whatever its type: 70 bytes each. What has
    no shape yet may turn out to be a vector that holds the largest tensor's elements.
    """
    vectors, largest, is_open = 0, 0, False
    waiting = [inferred.graph]
    while waiting:
        graph = waiting.pop()
        waiting += (body for _, body in bodies_of(graph.node))
        infos = {info.name: info.type.tensor_type for info in (*graph.input, *graph.value_info, *graph.output)}
        outputs = {name for node in graph.node for name in node.output if name}
        is_open |= not outputs <= infos.keys()
        for info in infos.values():
            sizes = [dim.dim_value for dim in info.shape.dim if dim.dim_value > 0]
            vectors += math.prod(sizes) if len(info.shape.dim) == 1 and sizes else 0
            largest = max(largest, math.prod(sizes))
            is_open |= not info.HasField("shape") or (len(info.shape.dim) == 1 and not sizes)
    return vectors <= MOST_JOINED and not (is_open and largest > MOST_MADE)


def _key(node: onnx.NodeProto) -> _Key:
    return node.domain, node.op_type, node.overload


def _vector(tensor: onnx.TensorProto) -> int:
    """Return how many numbers of a tensor may be followed: none of one that isn't a vector of integers."""
    whole = tensor.data_type in (onnx.TensorProto.INT64, onnx.TensorProto.INT32)
    return math.prod(tensor.dims) if whole and len(tensor.dims) <= 1 else 1


def _joined(nodes: Iterable[onnx.NodeProto], outside: Mapping[str, int], growth: Mapping[_Key, int]) -> int:
    """Return how many numbers all vectors have that nodes put together, at most.

    `outside`: lengths of values from outside; all others count as one number.
    """
    lengths: dict[str, int] = dict(outside)
    total = 1
    for node in nodes:
        inputs = [lengths.get(name, 1) for name in node.input]
        inner = [_joined(body.node, lengths, growth) for _, body in bodies_of([node])]
        joins = node.op_type == "Concat" and not canonical_domain(node.domain)
        length = (sum(inputs) if joins else max([1, *inputs, *inner])) * growth.get(_key(node), 1)
        total += length if length > max(inputs, default=1) else 0
        if length > 1:
            lengths.update(dict.fromkeys(node.output, length))
    return total
