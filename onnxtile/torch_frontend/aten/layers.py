"""Count layers: normalizations, and what is computed beside products: biases, attention, recurrent cells."""

from __future__ import annotations

import math

from onnxtile.operators.elementwise import GELU, PER_ELEMENT, SIGMOID, TANH_GELU
from onnxtile.operators.normalization import by_root_mean_square, by_variance
from onnxtile.operators.reduction import softmax
from onnxtile.operators.work import COMPARISON, ELEMENTWISE, TRANSCENDENTAL, Work
from onnxtile.torch_frontend.aten.products import PRODUCTS, self_attention
from onnxtile.torch_frontend.trace.calls import Call, Value


def norm(call: Call) -> Work:
    """Count layer_norm and group_norm: rows are those whose mean is the second result."""
    size = call.inputs[0].elements
    rows = call.outputs[1].elements if len(call.outputs) > 1 else 0
    if call.operator.name == "aten.native_layer_norm":
        rows = size // max(math.prod(call.argument("normalized_shape")), 1)
    scaled = sum(size for name in ("weight", "bias") if isinstance(call.argument(name), Value))
    return by_variance(size, rows, scaled)


def rms_norm(call: Call) -> Work:
    size = call.inputs[0].elements
    rows = size // max(math.prod(call.argument("normalized_shape")), 1)
    return by_root_mean_square(size, rows, size if isinstance(call.argument("weight"), Value) else 0)


def batch_norm(call: Call) -> Work:
    """Count for inference a multiplication and an addition an element; where the input gives the statistics, 4 more."""
    size, channels = call.inputs[0].elements, call.inputs[0].shape[1]
    trained = call.operator.has("training") and bool(call.argument("training"))
    if not trained:
        return ELEMENTWISE * (2 * size)
    return ELEMENTWISE * (6 * size + 10 * channels) + TRANSCENDENTAL * channels


def bias(call: Call) -> Work:
    """Count a convolution's bias; a transposed one adds every element of its product to one of the result."""
    result = call.outputs[0].elements if isinstance(call.argument("bias"), Value) else 0
    if call.operator.has("transposed") and call.argument("transposed"):
        result += sum(product.m * product.n * product.batch for product in PRODUCTS[call.operator.name](call))
    return ELEMENTWISE * result


def affine(call: Call) -> Work:
    """Count addmm and its kind: alpha, and, where beta isn't 0, an addition for each result, and beta."""
    result, added = call.outputs[0].elements, 0
    alpha, beta = call.argument("alpha"), call.argument("beta")
    if beta != 0:
        added = result + (call.inputs[0].elements if beta != 1 else 0)
    work = ELEMENTWISE * (added + (result if alpha != 1 else 0))
    if call.operator.name != "aten._addmm_activation":
        return work
    return work + (TANH_GELU if call.argument("use_gelu") else COMPARISON) * result


def attention(call: Call) -> Work:
    """Count as ONNX's Attention: queries and keys are scaled, scores masked, and a softmax makes weights of them."""
    query, key, _ = (call.argument(name) for name in ("query", "key", "value"))
    scores = math.prod(query.shape[:-1]) * key.shape[-2]
    masks = [name for name in ("attn_mask", "attn_bias") if call.operator.has(name)]
    masked = any(isinstance(call.argument(name), Value) for name in masks) or bool(call.argument("is_causal"))
    scaled = query.elements + key.elements + (scores if masked else 0)
    return ELEMENTWISE * scaled + softmax(scores, math.prod(query.shape[:-1]))


def self_attention_of(call: Call) -> Work:
    """Count biases of the projections, scaled queries, masked scores, softmax."""
    queries, keys, values, out, scores, _ = self_attention(call)
    size = scores.m * scores.n * scores.batch
    masked = size if isinstance(call.argument("mask"), Value) else 0
    biases = sum(product.m * product.n for product in (queries, keys, values, out))
    return ELEMENTWISE * (biases + queries.m * queries.n + masked) + softmax(size, scores.m * scores.batch)


def encoder_layer(call: Call) -> Work:
    """Count attention, two norms, two sums with what came before, two linear layers with an activation between."""
    src, inner = call.shape("src"), call.shape("ffn_weight_1")[0]
    rows, size = math.prod(src[:-1]), math.prod(src)
    act = ELEMENTWISE + (GELU if call.argument("use_gelu") else COMPARISON)
    norms = by_variance(2 * size, 2 * rows, 4 * size)
    return self_attention_of(call) + norms + act * (rows * inner) + ELEMENTWISE * (3 * size)


_GATES = {2: ("lstm", 4), 3: ("gru", 3), 0: ("relu", 1), 1: ("tanh", 1)}
"""Numbers that torch's kernels have for the kinds of recurrent layers, and how many gates each has."""


def recurrent(kind: str, cells: int, biased: bool) -> Work:
    """Count so many numbers of the state by ONNX's formulas: sums of gates, activations, and the state from them."""
    gates = {"lstm": 4, "gru": 3}.get(kind, 1)
    sums = gates + (2 * gates if biased else 0) + {"lstm": 4, "gru": 5}.get(kind, 0)
    tanh = PER_ELEMENT["Tanh"]
    acts = {"lstm": 3 * SIGMOID + 2 * tanh, "gru": 2 * SIGMOID + tanh, "tanh": tanh}
    return (ELEMENTWISE * sums + acts.get(kind, PER_ELEMENT["Relu"])) * cells


def rnn_layer(call: Call) -> Work:
    x, hidden = call.inputs[0].shape, int(call.argument("hidden_size"))
    kind, _ = _GATES[int(call.argument("mode"))]
    return recurrent(kind, x[0] * x[1] * hidden, bool(call.argument("has_biases")))


def cudnn_rnn(call: Call) -> Work:
    rows = math.prod(call.inputs[0].shape[:-1])
    kind, gates = _GATES[int(call.argument("mode"))]
    matrices = [weight.shape for weight in call.argument("weight") if len(weight.shape) == 2]
    cells = rows * sum(shape[0] // gates for shape in matrices) // 2
    return recurrent(kind, cells, int(call.argument("weight_stride0")) > 3)
