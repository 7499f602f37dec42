"""Operators that make whole numbers out of shapes, and constants out of whole numbers."""

from __future__ import annotations

import math

import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.verification.semantics.entry import Call, operator
from onnxtile.verification.value import SIZE, UnprovenError, Value

MOST = 1 << 27
"""Elements that a node may make out of a few numbers."""


@operator("Shape", attributes="start end")
def _shape(call: Call) -> Value:
    value = call.value(0)
    start, end = call.attributes.get("start", 0), call.attributes.get("end", len(value.shape))
    return Value.constant(call.field, np.array(value.shape[start:end], np.int64), sized=SIZE * call.run.free)


@operator("Size")
def _size(call: Call) -> Value:
    return Value.constant(call.field, np.array(math.prod(call.value(0).shape), np.int64), sized=SIZE * call.run.free)


@operator("Range", "length")
def _range(call: Call) -> Value:
    values = [call.value(index) for index in range(3)]
    if any(value.known is None for value in values):
        raise UnprovenError("Range runs to a number that isn't known")
    first, limit, step = (value.known.reshape(()).item() for value in values if value.known is not None)
    if step == int(step) and all(value.dtype.is_integer() for value in values):
        call.run.decide(limit - first)
    if step == 0 or (limit - first) / step > MOST:
        raise UnprovenError(f"Range from {first} to {limit} by {step}")
    array = np.arange(first, limit, step).astype(values[0].dtype.numpy())
    if array.dtype.kind == "f" and array.size:  # engines add steps up, or multiply them
        added = np.cumsum([first, *[step] * (array.size - 1)], dtype=array.dtype)
        if not np.array_equal(added, array):
            return call.run.opaque(call)
    made = Value.constant(call.field, array, sized=max(value.sized for value in values))
    made.counts = not (values[0].sized or values[2].sized)
    return made


@operator("ConstantOfShape", "shape", "value")
def _constant_of_shape(call: Call) -> Value:
    shape = call.whole(0) or []
    if math.prod(shape) > MOST or min(shape, default=0) < 0:
        raise UnprovenError(f"ConstantOfShape of {shape}")
    tensor = call.attributes.get("value")
    number = np.zeros(1, np.float32) if tensor is None else call.run.array(tensor)
    dtype = ir.DataType.FLOAT if tensor is None else ir.DataType(tensor.data_type)
    call.run.decide(*(size - least for size in shape for least in (0, 1)))
    sized = max((value.sized for value in call.inputs if value is not None), default=0)
    return Value.constant(call.field, np.broadcast_to(number.reshape(()), shape), dtype, sized)


@operator("Constant", attributes="value value_float value_floats value_int value_ints value_string value_strings")
def _constant(call: Call) -> Value:
    ((name, found),) = call.attributes.items()
    if isinstance(found, onnx.TensorProto):
        return Value.constant(call.field, call.run.array(found), ir.DataType(found.data_type))
    kinds = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
    if name not in kinds:
        raise UnprovenError("Constant of text")
    return Value.constant(call.field, np.array(found, kinds[name]))
