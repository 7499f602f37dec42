"""Mixtures of experts: routing, biases, activations between an expert's products, and the weighted sum of experts."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.ir.attributes import attribute_int, attribute_string
from onnxtile.ir.symbolic.amounts import Amount
from onnxtile.operators.formula import Formula, condition, measure, unknown
from onnxtile.operators.measures import ROWS, Y, is_given, of_input, of_products
from onnxtile.operators.moe import DOWN, GATE, UP
from onnxtile.operators.sizes import given
from onnxtile.operators.work.elementwise import TANH_GELU, UNLIMITED_SWIGLU, activation_of
from onnxtile.operators.work.reduction import softmax
from onnxtile.operators.work.work import COMPARISON, ELEMENTWISE, Work

_LIMITED = condition("swiglu_limit")(lambda node, opset: "swiglu_limit" in node.attributes)
_GATED = {
    "swiglu": UNLIMITED_SWIGLU + 3 * COMPARISON * _LIMITED,
    "geglu": TANH_GELU + ELEMENTWISE,
}
"""Activations of two projections; the others are of one, times the second if there is one."""


def _activation(kind: str, gate: int) -> Formula:
    def read(node: ir.Node, opset: int | None) -> Amount:
        name = attribute_string(node, "activation_type", "relu").lower()
        work = _GATED[name] if name in _GATED else activation_of(name) + ELEMENTWISE * int(given(node, gate))
        formula: Formula = getattr(work, kind)
        return formula.amount(node, opset, {})

    return measure("act", "")(read)


def _part(part: str) -> Formula:
    meaning = f"elements of the results of product `{part}`"
    return of_products(f"{part} results", meaning, lambda size: (size.m, size.n, size.batch), part)


_INNER = of_products("inner", "elements between an expert's products", lambda size: (size.m, size.k, size.batch), DOWN)
_CHOSEN = measure("chosen", "experts that all tokens together go through")(
    lambda node, opset: (ROWS * attribute_int(node, "k", 1)).amount(node, opset, {})
)
_NORMALIZED = condition("normalize_routing_weights")(
    lambda node, opset: bool(attribute_int(node, "normalize_routing_weights", 0))
)
_TOP = COMPARISON * unknown("how many comparisons the choice of experts takes depends on the data")


def _experts(up: int, down: int, gate: int) -> Work:
    """Indices of the inputs for biases, and of the gate's weights."""
    return (
        softmax(of_input(1, "router_probs"), ROWS)
        + ELEMENTWISE * (2 * _CHOSEN - ROWS) * _NORMALIZED
        + ELEMENTWISE * _part(UP) * is_given(up, "fc1_experts_bias")
        + ELEMENTWISE * _part(GATE) * is_given(gate + 1, "fc3_experts_bias")
        + ELEMENTWISE * _part(DOWN) * is_given(down, "fc2_experts_bias")
        + Work(_activation("elementwise", gate), _activation("transcendental", gate)) * _INNER
        + ELEMENTWISE * (2 * _part(DOWN) - Y)
    )


MICROSOFT: dict[str, Work] = {
    "MoE": _experts(3, 5, 6) + _TOP,
    "QMoE": (
        Work(transcendental=_experts(4, 7, 8).transcendental)
        + ELEMENTWISE * unknown("how many experts' weights are unpacked depends on where tokens go")
        + _TOP
    ),
}
