"""Fold what operators compute from constants: known ahead of time, computed by numpy when it's read.

Only where onnx.reference and onnxruntime agree to the bit. So float16 isn't rounded from double (onnxruntime rounds
twice), and numbers with a fraction, float8 and 4-bit numbers aren't made by Cast.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnxtile.ir.arrays import lazily, read_array
from onnxtile.ir.bounds import most
from onnxtile.ir.dtypes import BYTES, FLOATS, HALF_BYTES, INTEGERS, SHORTS

MOST_LINKS = 64
"""Operators that are seen through from one value on."""
_MOST_AXES = 32

Tensor = ir.TensorProtocol
Tensors = Sequence["Tensor | None"]
_NUMBERS = (*FLOATS, *BYTES, *SHORTS, *INTEGERS)
_QUANTIZED = (*HALF_BYTES, *BYTES, *SHORTS)


def is_foldable(node: ir.Node) -> bool:
    """Return whether the operator is one that can be seen through."""
    return node.domain == "" and node.op_type in _RULES


def fold(node: ir.Node, inputs: Tensors) -> Tensor | None:
    """Return what the node computes from constant inputs (None: left out); None where only a run tells.

    What is larger than the bound `generated-bytes`, and than what it's made of, isn't made.
    """
    rule = _RULES[node.op_type]
    attributes = node.attributes.values()
    if not rule.inputs[0] <= len(inputs) <= rule.inputs[1] or None in inputs[: rule.inputs[0]]:
        return None
    if any(attribute.is_ref() or attribute.name not in rule.attributes for attribute in attributes):
        return None
    result = rule.compute(node, inputs)
    sources = max((tensor.nbytes for tensor in inputs if tensor is not None), default=0)
    if result is None or (inputs and result.nbytes > max(most("generated-bytes"), sources)):
        return None
    return result


def _constant(node: ir.Node, inputs: Tensors) -> Tensor | None:
    if len(node.attributes) != 1:
        return None
    (attribute,) = node.attributes.values()
    if attribute.name == "value":
        return attribute.as_tensor()
    numbers = np.array(attribute.value, np.float32 if attribute.name.startswith("value_float") else np.int64)
    return ir.Tensor(numbers)


def _transpose(node: ir.Node, inputs: Tensors) -> Tensor | None:
    tensor, perm = inputs[0], node.attributes.get("perm")
    assert tensor is not None
    shape = tensor.shape.numpy()
    order = list(reversed(range(len(shape)))) if perm is None else list(perm.as_ints())
    if sorted(order) != list(range(len(shape))):
        return None
    return lazily(lambda: read_array(tensor).transpose(order), tensor.dtype, [shape[axis] for axis in order])


def _reshape(node: ir.Node, inputs: Tensors) -> Tensor | None:
    tensor, wanted = inputs[0], _axes(inputs[1])
    assert tensor is not None
    if wanted is None:
        return None
    old, keeps_zero = tensor.shape.numpy(), _int(node, "allowzero", 0)
    if not keeps_zero and any(dim == 0 and axis >= len(old) for axis, dim in enumerate(wanted)):
        return None
    shape = [old[axis] if dim == 0 and not keeps_zero else dim for axis, dim in enumerate(wanted)]
    known = math.prod(dim for dim in shape if dim != -1)
    if shape.count(-1) == 1 and known > 0:
        shape[shape.index(-1)] = math.prod(old) // known
    if min(shape, default=0) < 0 or math.prod(shape) != math.prod(old):
        return None
    return lazily(lambda: read_array(tensor).reshape(shape), tensor.dtype, shape)


def _cast(node: ir.Node, inputs: Tensors) -> Tensor | None:
    tensor, wanted = inputs[0], _int(node, "to", 0)
    assert tensor is not None
    to = next((dtype for dtype in _NUMBERS if dtype.value == wanted), None)
    if to is None or tensor.dtype not in _NUMBERS or not (to in FLOATS or _holds(to, tensor.dtype)):
        return None
    if (tensor.dtype, to) == (ir.DataType.DOUBLE, ir.DataType.FLOAT16):
        return None
    return lazily(lambda: _as(read_array(tensor), to), to, tensor.shape.numpy())


def _holds(to: ir.DataType, integers: ir.DataType) -> bool:
    """Return whether an integer type holds every number of another."""
    return integers not in FLOATS and np.can_cast(integers.numpy(), to.numpy(), "safe")


def _dequantize(node: ir.Node, inputs: Tensors) -> Tensor | None:
    """Compute (x - zero point) * scale, in float32; int32 has no zero point."""
    x, scale, zero = (*inputs, None)[:3]
    assert x is not None and scale is not None
    if scale.dtype not in (ir.DataType.FLOAT, ir.DataType.FLOAT16):
        return None
    if _int(node, "output_dtype", 0) not in (0, scale.dtype.value):
        return None
    if not (x.dtype in _QUANTIZED or (x.dtype == ir.DataType.INT32 and zero is None)):
        return None
    if zero is not None and (zero.dtype != x.dtype or zero.shape.numpy() != scale.shape.numpy()):
        return None
    spread = _spread(x.shape.numpy(), scale.shape.numpy(), _int(node, "axis", 1), _int(node, "block_size", 0))
    if spread is None:
        return None

    def numbers() -> np.ndarray:
        result = read_array(x).astype(np.float32)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is an infinity in the engines too
            if zero is not None:
                result -= spread(read_array(zero).astype(np.float32))
            result *= spread(read_array(scale).astype(np.float32))
        return _as(result, scale.dtype)

    return lazily(numbers, scale.dtype, x.shape.numpy())


def _spread(
    shape: Sequence[int], of_scale: Sequence[int], axis: int, block_size: int
) -> Callable[[np.ndarray], np.ndarray] | None:
    """Return how scales or zero points are laid over x: one for all, one an index of an axis, or one a block."""
    if math.prod(of_scale) == 1 and len(of_scale) <= 1 and not block_size:
        return lambda array: array.reshape(())
    if not -len(shape) <= axis < len(shape):
        return None
    axis %= len(shape)
    if not block_size and list(of_scale) == [shape[axis]]:
        return lambda array: array.reshape([-1 if index == axis else 1 for index in range(len(shape))])
    if block_size <= 0:
        return None
    if list(of_scale) != [-(-dim // block_size) if index == axis else dim for index, dim in enumerate(shape)]:
        return None
    return lambda array: array.repeat(min(block_size, shape[axis]), axis).take(range(shape[axis]), axis)


def _constant_of_shape(node: ir.Node, inputs: Tensors) -> Tensor | None:
    shape, attribute = _axes(inputs[0]), node.attributes.get("value")
    value = ir.Tensor(np.zeros(1, np.float32)) if attribute is None else attribute.as_tensor()
    if shape is None or min(shape, default=0) < 0 or value.size != 1:
        return None
    return lazily(lambda: np.broadcast_to(value.numpy().reshape(()), shape), value.dtype, shape)


def _concat(node: ir.Node, inputs: Tensors) -> Tensor | None:
    pieces, axis = [_sizes(tensor) for tensor in inputs], _int(node, "axis", _MOST_AXES)
    known = [piece for piece in pieces if piece is not None]
    shapes = {tuple(np.delete(piece.shape, axis)) for piece in known if -piece.ndim <= axis < piece.ndim}
    if len(known) < len(pieces) or len(shapes) != 1 or len({piece.ndim for piece in known}) != 1:
        return None
    return _of_sizes(np.concatenate(known, axis))


def _slice(node: ir.Node, inputs: Tensors) -> Tensor | None:
    data, starts, ends = _sizes(inputs[0]), _axes(inputs[1]), _axes(inputs[2])
    if data is None or starts is None or ends is None:
        return None
    axes = _axes(inputs[3]) if len(inputs) > 3 and inputs[3] is not None else list(range(len(starts)))
    steps = _axes(inputs[4]) if len(inputs) > 4 and inputs[4] is not None else [1] * len(starts)
    if axes is None or steps is None or not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        return None
    if not all(-data.ndim <= axis < data.ndim for axis in axes) or len({axis % data.ndim for axis in axes}) < len(axes):
        return None
    places = [slice(None)] * data.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        length = data.shape[axis]
        if step < 0 and (start < -length or end >= length):  # engines differ in what is beyond an end
            return None
        places[axis] = slice(start, end, step)
    return _of_sizes(data[tuple(places)])


def _sizes(tensor: Tensor | None) -> np.ndarray | None:
    """Return the numbers of a tensor that may hold sizes, as amounts of padding are written: a few of int64."""
    if tensor is None or tensor.dtype != ir.DataType.INT64 or tensor.size > 2 * _MOST_AXES:
        return None
    return read_array(tensor)


def _of_sizes(numbers: np.ndarray) -> Tensor | None:
    return ir.Tensor(np.ascontiguousarray(numbers)) if numbers.size <= 2 * _MOST_AXES else None


def _axes(tensor: Tensor | None) -> list[int] | None:
    """Return a shape given as a value, which is read."""
    if tensor is None or tensor.dtype != ir.DataType.INT64 or len(tensor.shape) != 1 or tensor.size > _MOST_AXES:
        return None
    return [int(dim) for dim in read_array(tensor)]


def _int(node: ir.Node, name: str, default: int) -> int:
    attribute = node.attributes.get(name)
    return default if attribute is None else attribute.as_int()


def _as(array: np.ndarray, dtype: ir.DataType) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        return array.astype(dtype.numpy(), copy=False)


@dataclass(frozen=True)
class _Rule:
    """The function that computes a result; the least and the most inputs; the attributes that are understood."""

    compute: Callable[[ir.Node, Tensors], Tensor | None]
    inputs: tuple[int, int]
    attributes: frozenset[str] = frozenset()


_RULES = {
    "Constant": _Rule(
        _constant, (0, 0), frozenset({"value", "value_float", "value_floats", "value_int", "value_ints"})
    ),
    "Identity": _Rule(lambda node, inputs: inputs[0], (1, 1)),
    "Transpose": _Rule(_transpose, (1, 1), frozenset({"perm"})),
    "Reshape": _Rule(_reshape, (2, 2), frozenset({"allowzero"})),
    "Concat": _Rule(_concat, (1, 2 * _MOST_AXES), frozenset({"axis"})),
    "Slice": _Rule(_slice, (3, 5)),
    "Cast": _Rule(_cast, (1, 1), frozenset({"to", "saturate", "round_mode"})),
    "DequantizeLinear": _Rule(_dequantize, (2, 3), frozenset({"axis", "block_size", "output_dtype"})),
    "ConstantOfShape": _Rule(_constant_of_shape, (1, 1), frozenset({"value"})),
}
