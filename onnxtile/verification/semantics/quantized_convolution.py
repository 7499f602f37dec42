"""Convolutions of quantized numbers: those of the integers less their zero points, exactly, and rounded once."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.verification.semantics.arithmetic import elementwise
from onnxtile.verification.semantics.casts import cast
from onnxtile.verification.semantics.convolution import ATTRIBUTES, along_channels, convolved
from onnxtile.verification.semantics.entry import Call, operator
from onnxtile.verification.semantics.fused_convolution import first, turned
from onnxtile.verification.semantics.fused_convolution import last as last_of
from onnxtile.verification.semantics.microsoft import MICROSOFT, number_of, requantized
from onnxtile.verification.value import Value

INT32 = ir.DataType.INT32


@operator("ConvInteger", attributes=ATTRIBUTES)
def _conv_integer(call: Call) -> Value:
    return _summed(call, call.value(0), call.value(1), call.optional(2), call.optional(3))


def _summed(call: Call, x: Value, w: Value, x_zero: Value | None, w_zero: Value | None) -> Value:
    """The convolution in int32; x's zero point is what it's padded with, w's is one number, or one a filter."""
    return convolved(call, _less(call, x, x_zero, 1), _less(call, w, w_zero, len(w.shape)))


def _less(call: Call, value: Value, zero: Value | None, rank: int) -> Value:
    wide = cast(call, value, INT32)
    return wide if zero is None else elementwise(call, [wide, cast(call, _filters(zero, rank), INT32)], "Sub")


def _filters(parameter: Value, rank: int) -> Value:
    """One number, or one for each filter that broadcasts over `rank` axes, of which filters are the first."""
    parameter = number_of(parameter)
    return parameter if not parameter.shape else along_channels(parameter, rank + 1)


@operator("QLinearConv", attributes=ATTRIBUTES)
@operator("QLinearConv", attributes=f"{ATTRIBUTES} channels_last", domain=MICROSOFT)
def _qlinear_conv(call: Call) -> Value:
    x, x_scale, _, w, w_scale, _, y_scale = (call.value(index) for index in (0, 1, 0, 3, 4, 0, 6))
    rank, last, bias = len(x.shape), bool(call.attributes.get("channels_last")), call.optional(8)
    if last:
        x = turned(x, first(x))
    total = _summed(call, x, w, call.optional(2), call.optional(5))
    if bias is not None:
        total = elementwise(call, [total, along_channels(bias, rank)], "Add")
    scale = call.of("Mul", number_of(x_scale), _filters(w_scale, rank - 1))
    y = requantized(call, total, scale, y_scale, call.value(7))
    return turned(y, last_of(y)) if last else y
