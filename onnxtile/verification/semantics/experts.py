"""Mixtures of experts: each expert's products are exact, its activation and the router are functions."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.verification.semantics.casts import cast
from onnxtile.verification.semantics.entry import Call, operator
from onnxtile.verification.semantics.microsoft import MICROSOFT, _unpacked
from onnxtile.verification.semantics.moves import reshaped
from onnxtile.verification.semantics.products import product, swapped
from onnxtile.verification.value import UnprovenError, Value

FLOAT, INT64 = ir.DataType.FLOAT, ir.DataType.INT64
ROUTING = "activation_alpha activation_beta activation_type k normalize_routing_weights swiglu_fusion swiglu_limit"
BYTES_OF = "fc1_expert_weight_bits fc2_expert_weight_bits fc3_expert_weight_bits expert_weight_bits"


@operator("MoE", attributes=ROUTING, domain=MICROSOFT)
def _moe(call: Call) -> Value:
    weights = [call.optional(2 + 2 * index) for index in range(3)]
    biases = [call.optional(3 + 2 * index) for index in range(3)]
    turned = [None if weight is None else swapped(weight) for weight in weights]
    return _mixture(call, turned, biases, None)


@operator("QMoE", attributes=f"{ROUTING} {BYTES_OF} accuracy_level block_size weights_prepacked", domain=MICROSOFT)
def _qmoe(call: Call) -> Value:
    if int(call.attributes.get("weights_prepacked", -1)) == 1:
        raise UnprovenError("QMoE of weights in the layout of an engine")
    if not call.attributes.get("normalize_routing_weights") and call.optional(14) is None:
        raise UnprovenError("QMoE whose weights aren't normalized, on which engines disagree")
    weights = [_numbers(call, index) for index in range(3)]
    biases = [call.optional(4 + 3 * index) for index in range(3)]
    call.run.coarse = True  # engines may quantize what they multiply packed weights by
    return _mixture(call, weights, biases, call.optional(14))


def _numbers(call: Call, index: int) -> Value | None:
    """fc1, fc2 or fc3 as [experts, k, n]: (code - zero point) * scale in float32, rounded to the type of the input."""
    packed, scales, zeros = call.optional(2 + 3 * index), call.optional(3 + 3 * index), call.optional(11 + index)
    if packed is None:
        return None
    if packed.known is None or scales is None or scales.known is None or (zeros is not None and zeros.known is None):
        raise UnprovenError("QMoE of weights that aren't constants")
    bits = int(call.attributes.get(f"fc{index + 1}_expert_weight_bits", call.attributes.get("expert_weight_bits", 4)))
    if bits not in (2, 4, 8):
        raise UnprovenError(f"QMoE of weights of {bits} bits")
    codes = _unpacked(packed.known, bits).astype(np.float32)
    experts, n, k = codes.shape
    factors = scales.known.astype(np.float32).reshape(experts, n, -1)
    blocks = factors.shape[2]
    size = k if "block_size" not in call.attributes else int(call.attributes["block_size"])
    if blocks * size != k:
        raise UnprovenError(f"QMoE has {blocks} scales a row of {k} weights")
    middle = np.full((experts, n, blocks), 1 << (bits - 1), np.float32)
    if zeros is not None and zeros.known is not None:
        own = _unpacked(zeros.known, bits)
        own = own[..., :blocks] if zeros.known.ndim == 3 else own[:, :n]
        middle = own.reshape(experts, n, blocks).astype(np.float32)
    numbers = (codes.reshape(experts, n, blocks, size) - middle[..., None]) * factors[..., None]
    numbers = np.ascontiguousarray(numbers.reshape(experts, n, k).swapaxes(1, 2))
    dtype = call.value(0).dtype
    return Value.constant(call.field, numbers.astype(dtype.numpy()), dtype)


def _mixture(call: Call, weights: list[Value | None], biases: list[Value | None], mixing: Value | None) -> Value:
    x, shape = call.value(0), call.value(0).shape
    rows = reshaped(x, [int(np.prod(shape[:-1])), shape[-1]])
    shares = _routed(call, call.value(1), mixing)

    def projected(value: Value, index: int) -> Value | None:
        weight, bias = weights[index], biases[index]
        if weight is None:
            return None
        y = product(call, value, weight)
        return y if bias is None else call.of("Add", y, reshaped(bias, [bias.shape[0], 1, bias.shape[1]]))

    up, gate = projected(rows, 0), projected(rows, 2)
    if up is None:
        raise UnprovenError("a mixture of experts without weights")
    results = projected(_activated(call, up, gate), 1)
    if results is None or shares.shape != (rows.shape[0], results.shape[0]):
        raise UnprovenError("a mixture of experts whose router knows others")
    column = call.of("Transpose", shares, perm=[1, 0])
    column = reshaped(column, [*column.shape, 1])
    zero = call.constant(0, FLOAT)
    weighed = call.of("Mul", cast(call, results, FLOAT), column)
    chosen = call.of("Where", call.of("Greater", column, zero), weighed, zero)
    total = call.reduced("ReduceSum", chosen, 0, 13)
    return reshaped(cast(call, reshaped(total, list(rows.shape)), x.dtype), list(shape))


def _routed(call: Call, router: Value, mixing: Value | None) -> Value:
    """Softmax, the k most likely experts (of equal ones the last), their shares, and 0 for all others."""
    experts, last = router.shape[1], int(call.attributes.get("k", 1))
    chances = call.of("Softmax", cast(call, router, FLOAT), axis=1)

    def turned(value: Value) -> Value:
        return call.of("Gather", value, call.constant(range(experts)[::-1], INT64), axis=1)

    node = onnx.helper.make_node("TopK", ["x", "k"], ["top", "places"], axis=1)
    given = {"x": turned(chances), "k": call.constant([last], INT64)}
    top, places = call.run.evaluated([node], given, ["top", "places"])
    if mixing is not None:
        top = call.of("GatherElements", turned(cast(call, mixing, FLOAT)), places, axis=1)
    if call.attributes.get("normalize_routing_weights"):
        top = call.of("Div", top, call.reduced("ReduceSum", top, 1, 13))
    nothing = Value.constant(call.field, np.zeros(router.shape, np.float32), FLOAT)
    return turned(call.of("ScatterElements", nothing, places, top, axis=1))


def _activated(call: Call, up: Value, gate: Value | None) -> Value:
    name = call.attributes.get("activation_type", b"relu").decode()
    fusion = int(call.attributes.get("swiglu_fusion", 0))
    if (gate is not None) != (name == "swiglu" and fusion == 0):
        raise UnprovenError(f"{name} of experts with or without fc3, which isn't specified")
    if name == "swiglu":
        return _swiglu(call, *_halves(up, gate, fusion))
    if name == "silu":
        return call.of("Mul", up, call.of("Sigmoid", up))
    if name == "gelu":
        return tanh_gelu(call, up)
    if name not in ("relu", "identity"):
        raise UnprovenError(f"experts have the activation {name}")
    return call.of("Relu", up) if name == "relu" else up


def _halves(up: Value, gate: Value | None, fusion: int) -> tuple[Value, Value]:
    if gate is not None:
        return up, gate
    inner = up.shape[-1] // 2
    bounds = (slice(0, None, 2), slice(1, None, 2)) if fusion == 1 else (slice(0, inner), slice(inner, None))
    one, other = (up.moved(lambda array, _, piece=piece: array[..., piece]) for piece in bounds)  # type: ignore[misc]
    return one, other


def _swiglu(call: Call, gate: Value, linear: Value) -> Value:
    """G * sigmoid(alpha * G) * (L + beta), with both limited."""
    attributes = call.attributes
    alpha, beta = (
        float(attributes.get(f"activation_{name}", default)) for name, default in (("alpha", 1), ("beta", 0))
    )
    if "swiglu_limit" in attributes:
        most, least = (call.constant(sign * float(attributes["swiglu_limit"]), gate.dtype) for sign in (1, -1))
        gate, linear = call.of("Min", gate, most), call.of("Clip", linear, least, most)
    inside = gate if alpha == 1 else call.of("Mul", gate, call.constant(alpha, gate.dtype))
    swish = call.of("Mul", gate, call.of("Sigmoid", inside))
    return call.of("Mul", swish, linear if beta == 0 else call.of("Add", linear, call.constant(beta, gate.dtype)))


def tanh_gelu(call: Call, x: Value) -> Value:
    """0.5 * x * (1 + tanh(0.7978845608 * (x + 0.044715 * x^3)))."""
    bend, stretch, one, half = (call.constant(number, x.dtype) for number in (0.044715, 0.7978845608, 1, 0.5))
    inside = call.of("Add", x, call.of("Mul", call.of("Mul", call.of("Mul", x, x), x), bend))
    curve = call.of("Tanh", call.of("Mul", inside, stretch))
    return call.of("Mul", call.of("Mul", x, half), call.of("Add", curve, one))
