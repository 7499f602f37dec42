"""Count functions of one element, operations between tensors, and reductions."""

from __future__ import annotations

import math

from onnxtile.operators.elementwise import GELU, PER_ELEMENT, SIGMOID, TANH_GELU
from onnxtile.operators.reduction import softmax
from onnxtile.operators.work import COMPARISON, ELEMENTWISE, TRANSCENDENTAL, Work
from onnxtile.torch_frontend.aten.counting import Count, of_result
from onnxtile.torch_frontend.trace.calls import Call, Value

FUNCTIONS: dict[str, Count] = {
    f"aten.{torch_name}": of_result(PER_ELEMENT[name])
    for name, torch_names in {
        "Abs": "abs", "Neg": "neg", "Sign": "sign sgn", "Ceil": "ceil", "Floor": "floor trunc frac",
        "Round": "round",
        "Reciprocal": "reciprocal", "Not": "logical_not", "BitwiseNot": "bitwise_not", "Exp": "exp exp2 expm1",
        "Log": "log log2 log10 log1p", "Sqrt": "sqrt", "Erf": "erf erfc erfinv", "Sin": "sin", "Cos": "cos",
        "Tan": "tan", "Asin": "asin", "Acos": "acos", "Atan": "atan", "Sinh": "sinh", "Cosh": "cosh", "Tanh": "tanh",
        "Asinh": "asinh", "Acosh": "acosh", "Atanh": "atanh", "Relu": "relu", "ThresholdedRelu": "threshold",
        "IsNaN": "isnan", "IsInf": "isinf isfinite isposinf isneginf signbit", "Sigmoid": "sigmoid",
        "Softplus": "softplus", "Softsign": "softsign", "LeakyRelu": "leaky_relu rrelu_with_noise _prelu_kernel",
        "Shrink": "softshrink hardshrink", "HardSigmoid": "hardsigmoid", "HardSwish": "hardswish", "Mish": "mish",
    }.items()
    for torch_name in torch_names.split()
}  # fmt: skip
"""The formulas of functions of one element, by torch's name; ONNX has them under another."""


def softmax_of(call: Call) -> Work:
    shape = call.inputs[0].shape
    size = math.prod(shape)
    length = shape[int(call.argument("dim"))] if shape else 1
    sums = size // length if length else 0
    return softmax(size, sums) + TRANSCENDENTAL * (sums if call.operator.name == "aten._log_softmax" else 0)


def reduced(one: Work, whole: bool = False) -> Count:
    """Count n - 1 operations for each sum of n; a mean divides it too."""

    def count(call: Call) -> Work:
        size = call.inputs[0].elements
        return one * (size if whole else max(size - call.outputs[0].elements, 0))

    return count


def variance(call: Call) -> Work:
    """Count the mean, deviations, squares and their mean; std: a root."""
    size, sums = call.inputs[0].elements, call.outputs[0].elements
    return ELEMENTWISE * (4 * size) + TRANSCENDENTAL * (sums if "std" in call.operator.name else 0)


def norm_of_vectors(call: Call) -> Work:
    size, sums = call.inputs[0].elements, call.outputs[0].elements
    order = call.argument("ord" if call.operator.has("ord") else "p")
    if order in (None, 2):
        return ELEMENTWISE * (2 * size - sums) + TRANSCENDENTAL * sums
    if order == 1:
        return ELEMENTWISE * (2 * size - sums)
    if isinstance(order, (int, float)) and math.isinf(order):
        return ELEMENTWISE * size + COMPARISON * (size - sums)
    return ELEMENTWISE * (2 * size - sums) + TRANSCENDENTAL * (size + sums)


def binary(call: Call) -> Work:
    """Count add and sub, whose alpha multiplies the other operand."""
    size = call.outputs[0].elements
    return ELEMENTWISE * (2 * size if call.operator.has("alpha") and call.argument("alpha") != 1 else size)


def power(call: Call) -> Work:
    """Count a power; by 2 or 3 it's multiplied out."""
    size, exponent = call.outputs[0].elements, call.argument("exponent")
    if exponent in (2, 3) and not isinstance(exponent, Value):
        return ELEMENTWISE * (size * (int(exponent) - 1))
    return TRANSCENDENTAL * size


def clamp(call: Call) -> Work:
    bounds = [name for name in ("min", "max", "min_val", "max_val") if call.operator.has(name)]
    return COMPARISON * (call.outputs[0].elements * sum(call.argument(name) is not None for name in bounds))


def elu(call: Call) -> Work:
    """Count as ONNX's Elu; SELU and CELU, which torch calls with their scales, take 2 more."""
    plain = call.argument("scale") == 1 and call.argument("input_scale") == 1
    return PER_ELEMENT["Elu" if plain else "Selu"] * call.outputs[0].elements


def gelu(call: Call) -> Work:
    return (TANH_GELU if call.argument("approximate") == "tanh" else GELU) * call.outputs[0].elements


def glu(call: Call) -> Work:
    return (SIGMOID + ELEMENTWISE) * call.outputs[0].elements


def weighted(call: Call) -> Work:
    """Count lerp: a difference, a product, a sum; addcmul, addcdiv: two operations, and `value`."""
    return 3 * ELEMENTWISE * call.outputs[0].elements
