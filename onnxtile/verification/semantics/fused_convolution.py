"""onnxruntime's convolutions: with activations and a value to add, and with their channels last."""

from __future__ import annotations

from onnxtile.verification.semantics.arithmetic import elementwise
from onnxtile.verification.semantics.convolution import ATTRIBUTES, along_channels, convolved
from onnxtile.verification.semantics.entry import Call, operator
from onnxtile.verification.semantics.microsoft import MICROSOFT
from onnxtile.verification.value import UnprovenError, Value

FUSED = f"{ATTRIBUTES} activation activation_params"
PARAMETERS = {"": (), "Relu": (), "Tanh": (), "Sigmoid": (), "LeakyRelu": ("alpha",), "HardSigmoid": ("alpha", "beta")}
"""Names of activation_params, but for those of Clip, which are inputs of it."""

CLIP_AS_INPUT = 11
"""The version of the default operator set from which Clip takes its bounds as inputs."""


@operator("FusedConv", attributes=FUSED, domain=MICROSOFT)
def _fused_conv(call: Call) -> Value:
    return _activated(call, _biased(call, call.value(0), call.value(1)))


@operator("NhwcFusedConv", attributes=FUSED, domain=MICROSOFT)
def _nhwc_fused_conv(call: Call) -> Value:
    x = turned(call.value(0), first(call.value(0)))
    return _activated(call, turned(_biased(call, x, call.value(1)), last(x)))


@operator("NhwcConv", attributes=ATTRIBUTES, domain=MICROSOFT)
def _nhwc_conv(call: Call) -> Value:
    x, w = (turned(call.value(index), first(call.value(index))) for index in range(2))
    return turned(_biased(call, x, w), last(x))


def first(value: Value) -> list[int]:
    """The axes with the last one behind the first."""
    rank = len(value.shape)
    return [0, rank - 1, *range(1, rank - 1)]


def last(value: Value) -> list[int]:
    """The axes with the second one at the end."""
    return [0, *range(2, len(value.shape)), 1]


def turned(value: Value, order: list[int]) -> Value:
    """The value with its axes in an order."""
    return value.moved(lambda array, lead: array.transpose(*range(lead), *(lead + axis for axis in order)))


def _biased(call: Call, x: Value, w: Value) -> Value:
    y, bias = convolved(call, x, w), call.optional(2)
    return y if bias is None else elementwise(call, [y, along_channels(bias, len(y.shape))], "Add")


def _activated(call: Call, y: Value) -> Value:
    added = call.optional(3)
    if added is not None:
        if added.shape != y.shape:
            raise UnprovenError(f"{call.node.op_type} adds {list(added.shape)} to {list(y.shape)}")
        y = elementwise(call, [y, added], "Add")
    activation = call.attributes.get("activation", b"").decode()
    numbers = list(call.attributes.get("activation_params") or [])
    if activation == "Clip" and len(numbers) == 2 and call.run.default_opset < CLIP_AS_INPUT:
        return call.of("Clip", y, min=numbers[0], max=numbers[1])
    if activation == "Clip" and len(numbers) == 2:
        return call.of("Clip", y, *(call.constant(number, y.dtype) for number in numbers))
    if len(numbers) != len(PARAMETERS.get(activation, "unknown")):
        raise UnprovenError(f"{call.node.op_type} has activation {activation!r} with {numbers}")
    return call.of(activation, y, **dict(zip(PARAMETERS[activation], numbers, strict=True))) if activation else y
