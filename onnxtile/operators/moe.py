"""Mixtures of experts: every token goes through the two or three products of some experts, which are then weighed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import onnx_ir as ir

from onnxtile.ir.attributes import UnsizedError, attribute_int, attribute_string, given
from onnxtile.ir.symbolic.amounts import Dim
from onnxtile.operators.elementwise import SWIGLU, TANH_GELU, UNLIMITED_SWIGLU, activation_of, chosen
from onnxtile.operators.formula import Formula, measure, unknown
from onnxtile.operators.matmul import MATMUL, matmul
from onnxtile.operators.measures import ROWS, Y, has_attribute, is_given, is_set, of_input, of_output, of_products
from onnxtile.operators.reduction import softmax
from onnxtile.operators.registry import MICROSOFT, Packed, Products, declare, one_product, unsized
from onnxtile.operators.sizes import Size, count_of, quotient, shape
from onnxtile.operators.work import COMPARISON, ELEMENTWISE, Work

UP, GATE, DOWN = "up", "gate", "down"


def experts(indices: Mapping[str, int], bits: Callable[[ir.Node, str], int]) -> Callable[[ir.Node], Mapping[str, Size]]:
    """MoE: input [..., hidden size] by weights of [experts, ...], for each of the `k` experts of a token.

    `indices`: where the weights of each product are. `bits`: those of a number of them (8: as its shape says). How many
    tokens an expert gets is known only at run time: M is the most, all of them, and batch what each token goes through.
    Lowered, every expert multiplies every token.
    """

    def sizes(node: ir.Node) -> Mapping[str, Size]:
        x, k = shape(node, 0, least=1), attribute_int(node, "k", 1)
        products = {}
        for name, index in indices.items():
            if given(node, index):
                weight = shape(node, index, 3)
                other = _other_axis(node, weight, x[-1], bits(node, name))
                row, column = (other, x[-1]) if name == DOWN else (x[-1], other)
                products[name] = Size(count_of(x[:-1]), row, column, k, weight[0])
        return products

    return sizes


def _other_axis(node: ir.Node, weight: list[Dim], hidden: Dim, bits: int) -> Dim:
    """Return the axis of an expert's weight that isn't the hidden size, whichever is stored first and packed."""
    if any(not isinstance(dim, int) for dim in (*weight, hidden)):
        raise UnsizedError("the shape of its weights isn't known")
    numbers = count_of(weight[1:])
    assert isinstance(numbers, int)
    return quotient(node, "number of weights of an expert", numbers * 8 // bits, hidden)


def _bits(node: ir.Node, name: str) -> int:
    """Return how many bits a number of QMoE's weights for that product takes, by its attributes."""
    quantized_to = attribute_string(node, "quant_type", "int")
    if quantized_to != "int":
        return 4 if "fp4" in quantized_to else 8
    own = {UP: "fc1_expert_weight_bits", DOWN: "fc2_expert_weight_bits", GATE: "fc3_expert_weight_bits"}
    return attribute_int(node, own[name], 0) or attribute_int(node, "expert_weight_bits", 4)


_GATED = {"swiglu": UNLIMITED_SWIGLU + 3 * COMPARISON * has_attribute("swiglu_limit"), "geglu": TANH_GELU + ELEMENTWISE}
"""Activations of two projections; the others are of one, times the second if there is one."""


def _activation(gate: int) -> Work:
    def choose(node: ir.Node) -> Work:
        name = attribute_string(node, "activation_type", "relu").lower()
        return _GATED[name] if name in _GATED else activation_of(name) + ELEMENTWISE * int(given(node, gate))

    work = chosen("act", "", choose)
    return Work(work.elementwise, work.transcendental)


def _results(name: str) -> Formula:
    meaning = f"elements of the results of product `{name}`"
    return of_products(f"{name} results", meaning, "m n batch", name)


_INNER = of_products("inner", "elements between an expert's products", "m k batch", DOWN)
_CHOSEN = measure("chosen", "experts that all tokens together go through")(
    lambda node, opset: (ROWS * attribute_int(node, "k", 1)).amount(node, opset, {})
)
_TOP = COMPARISON * unknown("how many comparisons the choice of experts takes depends on the data")


def _experts(up: int, down: int, gate: int) -> Work:
    """Return the work of experts; `up`, `down`: indices of the inputs for biases, `gate`: of the gate's weights."""
    return (
        softmax(of_input(1, "router_probs"), ROWS)
        + ELEMENTWISE * (2 * _CHOSEN - ROWS) * is_set("normalize_routing_weights")
        + ELEMENTWISE * _results(UP) * is_given(up, "fc1_experts_bias")
        + ELEMENTWISE * _results(GATE) * is_given(gate + 1, "fc3_experts_bias")
        + ELEMENTWISE * _results(DOWN) * is_given(down, "fc2_experts_bias")
        + _activation(gate) * _INNER
        + ELEMENTWISE * (2 * _results(DOWN) - Y)
    )


_FORMULA = (
    f"{UP}, {GATE} (if any): M = tokens, K = hidden size, N = inner size; {DOWN}: M = tokens, K = inner size, "
    "N = hidden size; batch = experts a token goes through; M is the most that one expert may get"
)
_REFUSED = (
    "activations other than relu, gelu, silu, swiglu and identity; fc3 but for swiglu that isn't fused; sparse mixers; "
    "weights in the layout of older releases; opsets before 14"
)
declare(
    "MoE",
    MICROSOFT,
    products=Products(
        "matmul",
        experts({UP: 2, GATE: 6, DOWN: 4}, lambda node, name: 8),
        _FORMULA,
        "decompose-experts",
        refused=_REFUSED,
    ),
    work=_experts(3, 5, 6) + _TOP,
)
declare(
    "QMoE",
    MICROSOFT,
    products=Products(
        "matmul",
        experts({UP: 2, GATE: 8, DOWN: 5}, _bits),
        _FORMULA,
        "decompose-experts",
        refused=f"{_REFUSED}; formats other than integers of 2, 4, 8 bits; shares that aren't normalized",
    ),
    work=Work(transcendental=_experts(4, 7, 8).transcendental)
    + ELEMENTWISE * unknown("how many experts' weights are unpacked depends on where tokens go")
    + _TOP,
    quantization=(3, 6, 9, 11, 12, 13),
    packed=Packed((2, 5, 8), "expert_weight_bits"),
)
declare("MoEPacked", MICROSOFT, products=unsized("matmul", "can't be sized: its weights are in formats of their own"))
declare(
    "MoEGroupRouter",
    MICROSOFT,
    products=unsized("matmul", "can't be sized yet: it holds a product where it has a projection"),
)
declare(
    "RouterGateUpProj", MICROSOFT, products=one_product("matmul", matmul, MATMUL), work=SWIGLU * of_output(1, "Y[1]")
)
