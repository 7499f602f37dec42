"""Bounds for shape inference: a few bytes of a file must not become a shape of 10^9 numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import onnx
import onnx_ir as ir
from onnx_shape_inference import ShapeInferenceContext, registry

from onnxtile.ir.bounds import most
from onnxtile.ir.shadowing import bodies_of

CONCAT = 4
"""Version of the operator whose rule is bounded."""
SHAPED = {"Reshape": (5, 1), "Expand": (8, 1), "ConstantOfShape": (9, 0)}
"""Operators whose result has a shape that is an operand: version of the rule, and which operand."""
MOST_JOINED = 1 << 20
"""Numbers of all vectors that Concat makes, up to which onnx's own inference may follow them."""
MOST_MADE = 1 << 24
"""Elements of the largest tensor up to which a value whose shape isn't known yet may turn out to be a vector."""
_Key = tuple[str, str, str]


def install_bounds() -> None:
    """Bound what onnx_shape_inference follows, for all models: numbers of a vector, and axes of what's reshaped."""
    _bound_numbers()
    _bound_concat()
    for op_type, (version, operand) in SHAPED.items():
        _bound_axes(op_type, version, operand)


def _length(value: ir.Value | None) -> int | None:
    """Return how many elements a value has at least, of the axes that are known; None without a shape."""
    if value is None or value.shape is None:
        return None
    return math.prod(dim for dim in value.shape if isinstance(dim, int))


def _bound_numbers() -> None:
    """Let long vectors be unknown: the library keeps each as a list, and as text."""
    get, put = ShapeInferenceContext.get_symbolic_value, ShapeInferenceContext.set_symbolic_value

    def get_bounded(self: ShapeInferenceContext, value: ir.Value) -> list[int | ir.SymbolicDim] | None:
        return None if (_length(value) or 0) > most("shape-numbers") else get(self, value)

    def put_bounded(self: ShapeInferenceContext, value: ir.Value, data: list[int | ir.SymbolicDim]) -> None:
        if len(data) <= most("shape-numbers"):
            put(self, value, data)

    ShapeInferenceContext.get_symbolic_value = get_bounded  # it has no setting for it
    ShapeInferenceContext.set_symbolic_value = put_bounded


def _bound_concat() -> None:
    concat = registry.get("", "Concat", CONCAT)
    assert concat is not None

    def infer_concat(context: ShapeInferenceContext, node: ir.Node) -> None:
        """The library's rule; of vectors that are long together, the length alone."""
        shapes = [None if value is None else value.shape for value in node.inputs]
        vectors = [shape for shape in shapes if shape is not None and len(shape) == 1]
        if len(vectors) < len(shapes) or sum(_length(each) or 0 for each in node.inputs) <= most("shape-numbers"):
            concat(context, node)
            return
        total: int | ir.SymbolicDim = sum(dim for (dim,) in vectors if isinstance(dim, int))
        for (dim,) in vectors:
            total = total if isinstance(dim, int) else total + dim
        source = node.inputs[0]
        context.set_shape_and_dtype(node.outputs[0], ir.Shape([total]), None if source is None else source.dtype)

    registry.register("", "Concat", CONCAT)(infer_concat)


def _bound_axes(op_type: str, version: int, operand: int) -> None:
    rule = registry.get("", op_type, version)
    assert rule is not None

    def infer(context: ShapeInferenceContext, node: ir.Node) -> None:
        """The library's rule; nothing where the operand that gives the shape has more numbers than a value may axes."""
        asked = node.inputs[operand] if operand < len(node.inputs) else None
        if (_length(asked) or 0) <= most("axes"):
            rule(context, node)

    registry.register("", op_type, version)(infer)


def may_be_followed(model: onnx.ModelProto) -> bool:
    """Return whether onnx's inference may follow numbers through this model: Concat of a vector with itself doubles it.

    It follows them through local functions too, call by call; these may not call each other in a circle.
    """
    growth: dict[_Key, int] = {}
    waiting = {(each.domain, each.name, each.overload): each for each in model.functions}
    while waiting:
        ready = [key for key, each in waiting.items() if not any(_key(node) in waiting for node in each.node)]
        if not ready:
            return False
        for key in ready:
            growth[key] = _joined(waiting.pop(key).node, {}, growth)
    given = {tensor.name: _vector(tensor) for tensor in model.graph.initializer}
    return _joined(model.graph.node, given, growth) <= MOST_JOINED


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
        made = {name for node in graph.node for name in node.output if name}
        is_open |= not made <= infos.keys()
        for kind in infos.values():
            sizes = [dim.dim_value for dim in kind.shape.dim if dim.dim_value > 0]
            vectors += math.prod(sizes) if len(kind.shape.dim) == 1 and sizes else 0
            largest = max(largest, math.prod(sizes))
            is_open |= not kind.HasField("shape") or (len(kind.shape.dim) == 1 and not sizes)
    return vectors <= MOST_JOINED and not (is_open and largest > MOST_MADE)


def _key(node: onnx.NodeProto) -> _Key:
    return node.domain, node.op_type, node.overload


def _vector(tensor: onnx.TensorProto) -> int:
    """Return how many numbers of a tensor may be followed: none of one that isn't a vector of integers."""
    whole = tensor.data_type in (onnx.TensorProto.INT64, onnx.TensorProto.INT32)
    return math.prod(tensor.dims) if whole and len(tensor.dims) <= 1 else 1


def _joined(nodes: Iterable[onnx.NodeProto], given: Mapping[str, int], growth: Mapping[_Key, int]) -> int:
    """Return how many numbers all vectors have that nodes put together, at most; of what isn't given there's one."""
    lengths: dict[str, int] = dict(given)
    total = 1
    for node in nodes:
        inputs = [lengths.get(name, 1) for name in node.input]
        inner = [_joined(body.node, lengths, growth) for _, body in bodies_of([node])]
        joins = node.op_type == "Concat" and node.domain in ("", "ai.onnx")
        made = (sum(inputs) if joins else max([1, *inputs, *inner])) * growth.get(_key(node), 1)
        total += made if made > max(inputs, default=1) else 0
        if made > 1:
            lengths.update(dict.fromkeys(node.output, made))
    return total
