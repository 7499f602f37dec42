"""Operators that compute element by element, and the same functions as activations of others.

A function of several steps is counted by its definition: what onnx's function body computes for an element, constants
aside. What is then chosen between two results, as an if, isn't counted beside the comparison. Pow by a constant 2 or 3
is multiplied out, as engines do.
"""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from onnxtile.ir.attributes import UnsizedError, attribute_string, given
from onnxtile.operators.formula import Formula, condition, measure
from onnxtile.operators.measures import (
    ALL_INPUTS,
    INPUTS,
    ROWS,
    X,
    Y,
    constant,
    is_given,
    isnt,
    number,
    of_input,
    says,
    version,
)
from onnxtile.operators.registry import MICROSOFT, declare
from onnxtile.operators.work import COMPARISON, ELEMENTWISE, MOVEMENT, NONE, TRANSCENDENTAL, Work

SIGMOID = 3 * ELEMENTWISE + TRANSCENDENTAL
"""1 / (1 + exp(-x))."""
SOFTPLUS = ELEMENTWISE + 2 * TRANSCENDENTAL
"""log(exp(x) + 1)."""
SWISH = SIGMOID + ELEMENTWISE * (isnt("alpha", 1) + 1)
"""x * sigmoid(alpha * x)."""
SILU = SIGMOID + ELEMENTWISE
"""x * sigmoid(x)."""
GELU = 4 * ELEMENTWISE + TRANSCENDENTAL
"""0.5 * x * (1 + erf(x / sqrt(2)))."""
TANH_GELU = 8 * ELEMENTWISE + TRANSCENDENTAL
"""0.5 * x * (1 + tanh(a * (x + b * x^3))), x^3 being two multiplications; FastGelu's a * x + c * x * x * x too."""
HARD_SIGMOID = 2 * ELEMENTWISE + 2 * COMPARISON
"""max(0, min(1, alpha * x + beta))."""

PER_ELEMENT: dict[str, Work] = {
    **dict.fromkeys(("Abs", "Neg", "Sign", "Ceil", "Floor", "Round", "Reciprocal"), ELEMENTWISE),
    **dict.fromkeys(("Not", "BitwiseNot", "Scale"), ELEMENTWISE),
    **dict.fromkeys(("Exp", "Log", "Sqrt", "Erf", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan"), TRANSCENDENTAL),
    **dict.fromkeys(("Sinh", "Cosh", "Tanh", "Asinh", "Acosh", "Atanh"), TRANSCENDENTAL),
    **dict.fromkeys(("Relu", "ThresholdedRelu", "IsNaN", "IsInf"), COMPARISON),
    **dict.fromkeys(("Affine", "ImageScaler"), 2 * ELEMENTWISE),
    "Sigmoid": SIGMOID,
    "Softplus": SOFTPLUS,
    "Softsign": 3 * ELEMENTWISE,
    "LeakyRelu": COMPARISON + ELEMENTWISE,
    "Elu": COMPARISON + 2 * ELEMENTWISE + TRANSCENDENTAL,
    "Celu": COMPARISON + 4 * ELEMENTWISE + TRANSCENDENTAL,
    "Selu": COMPARISON + 4 * ELEMENTWISE + TRANSCENDENTAL,
    "Shrink": 2 * COMPARISON + 2 * ELEMENTWISE,
    "HardSigmoid": HARD_SIGMOID,
    "HardSwish": HARD_SIGMOID + ELEMENTWISE,
    "Mish": SOFTPLUS + TRANSCENDENTAL + ELEMENTWISE,
    "Swish": SWISH,
    "ParametricSoftplus": SOFTPLUS + 2 * ELEMENTWISE,
    "ScaledTanh": TRANSCENDENTAL + 2 * ELEMENTWISE,
    "Gelu": GELU + 4 * ELEMENTWISE * says("approximate", "tanh", default="none"),
}  # fmt: skip
"""The work of each function of one element."""
ACTIVATIONS: dict[str, Work] = {
    **{name.lower(): work for name, work in PER_ELEMENT.items()},
    **dict.fromkeys(("", "none", "identity"), NONE),
    **dict.fromkeys(("silu", "swish"), SILU),
    "clip": 2 * COMPARISON,
    "gelu": GELU,
    "fastgelu": TANH_GELU,
}
"""Activations by the names that attributes of fused and recurrent operators have for them, in small letters."""


def activation_of(name: str) -> Work:
    """Return the work of a function that is known by that name; UnsizedError for an unknown one."""
    work = ACTIVATIONS.get(name.lower())
    if work is None:
        raise UnsizedError(f"what its activation {name!r} computes isn't known")
    return work


def bias(index: int, name: str, output: Formula = Y) -> Work:
    """Return the work of adding an input to the output, if it's given."""
    return ELEMENTWISE * output * is_given(index, name)


def chosen(words: str, meaning: str, choose: Callable[[ir.Node], Work]) -> Work:
    """Return work that is chosen at the node, and moves nothing."""

    def formula(kind: str) -> Formula:
        return measure(words, meaning)(lambda node, opset: getattr(choose(node), kind).amount(node, opset, {}))

    return Work(formula("elementwise"), formula("transcendental"), formula("comparison"))


def activation(attribute: str, default: str = "") -> Work:
    """Return the work of the function of one element that an attribute names."""
    meaning = "operations of that kind in one call of the activation that an attribute names"
    return chosen("act", meaning, lambda node: activation_of(attribute_string(node, attribute, default)))


def _exponent(node: ir.Node) -> float | None:
    try:
        exponent = constant(node, 1, "exponent")
    except UnsizedError:
        return None
    return float(exponent.item()) if exponent.size == 1 else None


_SMALL_POWER = condition("a constant exponent of 2 or 3")(lambda node, opset: _exponent(node) in (2, 3))
_OTHER_POWER = condition("another exponent")(lambda node, opset: _exponent(node) not in (2, 3))
_POWER = measure("(exponent - 1)", "")(lambda node, opset: int(_exponent(node) or 1) - 1)


def _bound(index: int, name: str) -> Formula:
    """Return the condition that a bound is given: an input since version 11, an attribute before."""
    return condition(name)(lambda node, opset: given(node, index) if version(opset) >= 11 else name in node.attributes)


for _name, _work in PER_ELEMENT.items():
    declare(_name, work=_work * X)
declare("Add Sub Mul Div Mod And Or Xor BitShift BitwiseAnd BitwiseOr BitwiseXor", work=ELEMENTWISE * Y)
declare("PRelu", work=(ELEMENTWISE + COMPARISON) * Y)
declare("Equal Greater GreaterOrEqual Less LessOrEqual", work=COMPARISON * Y)
declare("Max Min", work=COMPARISON * (INPUTS * Y - Y))
declare("Sum", work=ELEMENTWISE * (INPUTS * Y - Y))
declare("Mean", work=ELEMENTWISE * (INPUTS * Y))
declare("Pow", work=ELEMENTWISE * (_POWER * Y * _SMALL_POWER) + TRANSCENDENTAL * (Y * _OTHER_POWER), settings=(1,))
declare("Clip", work=COMPARISON * (X * _bound(1, "min") + X * _bound(2, "max")), settings=(1, 2))
declare("Where", work=MOVEMENT * Y, settings=(0,))
declare("SwiGLU", work=(SWISH + ELEMENTWISE) * Y)

_PROJECTED = is_given(3, "gate_weight")
_LIMITED = condition("limit is above 0")(lambda node, opset: number(node, "limit", 0) > 0)
UNLIMITED_SWIGLU = SIGMOID + ELEMENTWISE * (isnt("activation_alpha", 1) + isnt("activation_beta", 0) + 2)
SWIGLU = UNLIMITED_SWIGLU + 3 * COMPARISON * _LIMITED
"""G * sigmoid(alpha * G) * (L + beta), where a limit bounds G from above and L from both sides (com.microsoft)."""
declare("Gelu", MICROSOFT, work=GELU * X)
declare("BiasGelu", MICROSOFT, work=(ELEMENTWISE + GELU) * X)
declare("FastGelu", MICROSOFT, work=TANH_GELU * X + ELEMENTWISE * (X * is_given(1, "bias")))
declare("QuickGelu", MICROSOFT, work=(SILU + ELEMENTWISE * isnt("alpha", 1, 1.702)) * X)
declare("ScaledSiLU", MICROSOFT, work=(SILU + ELEMENTWISE) * X)
declare("BiasAdd", MICROSOFT, work=2 * ELEMENTWISE * X)
declare("BiasSplitGelu", MICROSOFT, work=ELEMENTWISE * (X + Y) + GELU * Y)
# 4 multiplications and 2 additions for every 2 numbers
declare("ComplexMul ComplexMulConj", MICROSOFT, work=3 * ELEMENTWISE * Y)
declare(
    "GatedAdd",
    MICROSOFT,
    work=2 * ELEMENTWISE * Y + (ELEMENTWISE * (2 * of_input(2, "gate") - ROWS) + SIGMOID * ROWS) * _PROJECTED,
)
declare(
    "LinearAttentionGate",
    MICROSOFT,
    work=(SOFTPLUS + 2 * ELEMENTWISE) * X + SIGMOID * of_input(3, "b") * is_given(3, "b"),
)
declare("SwiGLU", MICROSOFT, work=SWIGLU * Y)
declare("IsAllFinite", MICROSOFT, work=COMPARISON * ALL_INPUTS)
