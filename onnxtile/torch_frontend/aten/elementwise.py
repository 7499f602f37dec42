"""Count functions of one element, operations between tensors, and reductions."""

from __future__ import annotations

import math

from onnxtile.operators.elementwise import GELU, PER_ELEMENT, TANH_GELU
from onnxtile.operators.work import Operations
from onnxtile.torch_frontend.aten.counting import Count, additions, named, of_one, of_result, sum_of, times
from onnxtile.torch_frontend.trace.calls import Call, Value


def functions() -> dict[str, Count]:
    """Return the formulas of functions of one element, which have ONNX's names here."""
    own = {
        "Abs": "abs", "Neg": "neg", "Sign": "sign sgn", "Ceil": "ceil", "Floor": "floor trunc frac",
        "Round": "round",
        "Reciprocal": "reciprocal", "Not": "logical_not", "BitwiseNot": "bitwise_not", "Exp": "exp exp2 expm1",
        "Log": "log log2 log10 log1p", "Sqrt": "sqrt", "Erf": "erf erfc erfinv", "Sin": "sin", "Cos": "cos",
        "Tan": "tan", "Asin": "asin", "Acos": "acos", "Atan": "atan", "Sinh": "sinh", "Cosh": "cosh", "Tanh": "tanh",
        "Asinh": "asinh", "Acosh": "acosh", "Atanh": "atanh", "Relu": "relu", "ThresholdedRelu": "threshold",
        "IsNaN": "isnan", "IsInf": "isinf isfinite isposinf isneginf signbit", "Sigmoid": "sigmoid",
        "Softplus": "softplus", "Softsign": "softsign", "LeakyRelu": "leaky_relu rrelu_with_noise _prelu_kernel",
        "Shrink": "softshrink hardshrink", "HardSigmoid": "hardsigmoid", "HardSwish": "hardswish", "Mish": "mish",
    }  # fmt: skip
    counts: dict[str, Count] = {}
    for name, torch_names in own.items():
        counts |= named(torch_names, of_result(of_one(PER_ELEMENT[name])))
    return counts


def softmax(size: int, sums: int, logarithm: bool = False) -> Operations:
    """Count a softmax of so many elements in so many sums."""
    return Operations(3 * size - sums, size + (sums if logarithm else 0), size - sums, 0)


def softmax_of(call: Call) -> Operations:
    shape = call.inputs[0].shape
    size = math.prod(shape)
    length = shape[int(call.argument("dim"))] if shape else 1
    return softmax(size, size // length if length else 0, call.operator.name == "aten._log_softmax")


def reduced(one: Operations, whole: bool = False) -> Count:
    """Count n - 1 operations for each sum of n; a mean divides it too."""

    def count(call: Call) -> Operations:
        size = call.inputs[0].elements
        return times(size if whole else max(size - call.outputs[0].elements, 0), one)

    return count


def variance(call: Call) -> Operations:
    """Count the mean, deviations, squares and their mean; std: a root."""
    size, sums = call.inputs[0].elements, call.outputs[0].elements
    return Operations(4 * size, sums if "std" in call.operator.name else 0, 0, 0)


def norm_of_vectors(call: Call) -> Operations:
    size, sums = call.inputs[0].elements, call.outputs[0].elements
    order = call.argument("ord" if call.operator.has("ord") else "p")
    if order in (None, 2):
        return Operations(2 * size - sums, sums, 0, 0)
    if order == 1:
        return additions(2 * size - sums)
    if isinstance(order, (int, float)) and math.isinf(order):
        return Operations(size, 0, size - sums, 0)
    return Operations(2 * size - sums, size + sums, 0, 0)


def binary(call: Call) -> Operations:
    """Count add and sub, whose alpha multiplies the other operand."""
    size = call.outputs[0].elements
    return additions(2 * size if call.operator.has("alpha") and call.argument("alpha") != 1 else size)


def power(call: Call) -> Operations:
    """Count a power; by 2 or 3 it's multiplied out."""
    size, exponent = call.outputs[0].elements, call.argument("exponent")
    if exponent in (2, 3) and not isinstance(exponent, Value):
        return additions(size * (int(exponent) - 1))
    return Operations(transcendental=size)


def clamp(call: Call) -> Operations:
    bounds = [name for name in ("min", "max", "min_val", "max_val") if call.operator.has(name)]
    return Operations(comparison=call.outputs[0].elements * sum(call.argument(name) is not None for name in bounds))


def elu(call: Call) -> Operations:
    """Count as ONNX's Elu; SELU and CELU, which torch calls with their scales, take 2 more."""
    plain = call.argument("scale") == 1 and call.argument("input_scale") == 1
    return times(call.outputs[0].elements, of_one(PER_ELEMENT["Elu" if plain else "Selu"]))


def gelu(call: Call) -> Operations:
    one = of_one(TANH_GELU if call.argument("approximate") == "tanh" else GELU)
    return times(call.outputs[0].elements, one)


def glu(call: Call) -> Operations:
    return times(call.outputs[0].elements, sum_of(of_one(PER_ELEMENT["Sigmoid"]), Operations(elementwise=1)))


def weighted(call: Call) -> Operations:
    """Count lerp: a difference, a product, a sum; addcmul, addcdiv: two operations, and `value`."""
    return additions(call.outputs[0].elements * 3)
