"""Quantizing is a function of number, scale and zero point; taking it back is arithmetic."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxtile.verification.semantics.arithmetic import divides, elementwise, inverse, times
from onnxtile.verification.semantics.casts import cast
from onnxtile.verification.semantics.entry import Call, operator
from onnxtile.verification.semantics.moves import reshaped
from onnxtile.verification.value import UnprovenError, Value


@operator("QuantizeLinear", attributes="axis")
def _quantize(call: Call) -> Value:
    value, scale, zero = call.value(0), call.value(1), call.optional(2)
    return quantized(call, value, scale, zero, _along(call, value))


def quantized(call: Call, value: Value, scale: Value, zero: Value | None, axis: int = 0) -> Value:
    """round(value / scale) + zero point, saturated: a function of the quotient and the zero point."""
    dtype = ir.DataType.UINT8 if zero is None else zero.dtype
    scale = _spread(scale, value, axis)
    if value.factor is not None and scale.known is not None:
        _fold(call, value.factor, scale)
    zero = Value.constant(call.field, np.zeros((), dtype.numpy()), dtype) if zero is None else zero
    quotient = [value, scale]
    if divides(scale):
        one = scale.known is not None and bool((scale.known == 1).all())
        divided = value if one else times(call, value, inverse(call, scale))
        divided = Value.computed(divided, call.field.rounded(divided.lanes, value.dtype))
        divided.met = value.met
        if value.factor is not None and call.run.exact_scales:  # whole numbers, whose sums are exact, times scales
            divided.numbers = call.field.magnitudes(divided.lanes)
        quotient = [divided]
    operands = [*quotient, _spread(zero, value, axis)]
    return call.run.function(call, operands, value.shape, dtype, f"quantize {dtype.name}")


def _fold(call: Call, factors: tuple[Value, ...], scale: Value) -> None:
    """Let sA * sB / sY, rounded as it's folded, stand for its exact value."""
    if len(factors) == 2:
        a, b = factors
        exact = times(call, times(call, a, b), inverse(call, scale))
        rounded = np.asarray(a.known * b.known / scale.known)  # type: ignore[operator]  # they're known
        call.field.alias(rounded.astype(a.dtype.numpy()), exact.lanes)


@operator("DequantizeLinear", attributes="axis")
def _dequantize(call: Call) -> Value:
    value, scale, zero = call.value(0), call.value(1), call.optional(2)
    axis = _along(call, value)
    difference = scale.dtype if value.dtype.is_floating_point() else ir.DataType.INT32
    wide = cast(call, value, difference)
    if zero is not None:
        wide = elementwise(call, [wide, cast(call, _spread(zero, value, axis), difference)], "Sub")
    scale = _spread(scale, value, axis)
    folded = wide.known is not None and scale.known is not None and not call.run.exact_scales
    exact = call.run.exact_scales and call.run.is_original  # a bias, which integer engines add to sums as it is
    if folded or (value.dtype.bitwidth > 16 and not exact) or value.dtype.is_floating_point():
        return elementwise(call, [cast(call, wide, scale.dtype), scale], "Mul")
    real = Value.computed(wide, wide.lanes, scale.dtype)  # so few digits are never rounded
    if not call.run.exact_scales:
        real.numbers = call.field.magnitudes(real.lanes)
    real.bound = wide.largest
    made = call.rounded(times(call, real, scale))
    made.bound = real.bound
    made.factor = (scale,) if scale.known is not None else None
    return made


def _along(call: Call, value: Value) -> int:
    """The axis of scales, which means something only where there are several."""
    rank = len(value.shape)
    axis = int(call.attributes.get("axis", 1))
    return axis + rank if axis < 0 else axis


def _spread(parameter: Value, value: Value, axis: int) -> Value:
    """A scale or zero point in a shape that broadcasts over the value."""
    if len(parameter.shape) == 0 or parameter.shape == (1,):
        return reshaped(parameter, [])
    if len(parameter.shape) != 1 or not 0 <= axis < len(value.shape) or parameter.shape[0] != value.shape[axis]:
        raise UnprovenError(f"a scale of shape {list(parameter.shape)} along axis {axis} of {list(value.shape)}")
    return reshaped(parameter, [parameter.shape[0], *[1] * (len(value.shape) - 1 - axis)])
