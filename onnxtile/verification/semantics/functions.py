"""Operators that are functions of their argument, whatever they are: the same of the same gives the same number.

Of each element, or of whole lines along an axis; any other operator is a function of all its inputs.
"""

from __future__ import annotations

import numpy as np

from onnxtile.verification.semantics.entry import Call, Results, operator
from onnxtile.verification.value import UnprovenError, Value

MEANT_FROM = {"PRelu": 7, "Selu": 6}
"""Operator sets that brought another meaning: slopes of the last axes, not of channels; other defaults."""


@operator(
    "Relu Sigmoid Tanh Exp Log Erf Reciprocal Softplus Softsign Elu LeakyRelu Selu Celu ThresholdedRelu HardSigmoid "
    "HardSwish Mish Gelu Round Sin Cos Tan IsNaN IsInf PRelu Pow BitwiseAnd BitwiseOr BitwiseXor BitwiseNot BitShift",
    attributes="alpha beta gamma approximate direction detect_negative detect_positive",
)
def _of_elements(call: Call) -> Value:
    values = [call.value(index) for index in range(len(call.inputs))]
    if call.opset < MEANT_FROM.get(call.node.op_type, 0):
        raise UnprovenError(f"{call.node.op_type} of opset {call.opset} means something else than today")
    return call.run.function(call, values, np.broadcast_shapes(*(value.shape for value in values)))


@operator("Clip", attributes="min max")
def _clip(call: Call) -> Value:
    """The limits that aren't there are functions of nothing, by their place."""
    values = [value for value in call.inputs if value is not None]
    there = "".join("01"[value is not None] for value in (*call.inputs, None, None)[:3])
    name = f"Clip {there} {sorted(call.attributes.items())}"
    return call.run.function(call, values, np.broadcast_shapes(*(value.shape for value in values)), name=name)


@operator("Softmax LogSoftmax Hardmax", attributes="axis")
def _of_lines(call: Call) -> Value:
    value = call.value(0)
    rank = len(value.shape)
    if not rank:
        raise UnprovenError(f"{call.node.op_type} of a number")
    axis = call.axis("axis", rank, -1 if call.opset >= 13 else 1)
    axes = (axis,) if call.opset >= 13 else tuple(range(axis, rank))
    return call.run.function(call, [value], value.shape, name=f"{call.node.op_type} of lines", axes=axes)


@operator("DynamicQuantizeLinear")
def _of_all(call: Call) -> Results:
    return call.run.opaque_outputs(call)
