"""Size the matrix products in torch's operators as the table of ONNX operators sizes them.

Convolutions are windows by kernels, group by group, and transposed ones count on their input; recurrent layers are a
product with the input of all steps and one with the state in every step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import torch

from onnxtile.torch_frontend.trace.calls import Call


class Product(NamedTuple):
    """C[b, m, n] = sum over k of A[b, m, k] * B[b, k, n]; `batch` counts the independent products."""

    m: int
    k: int
    n: int
    batch: int


Products: TypeAlias = "list[Product]"


def _matrices(left: str, right: str) -> Callable[[Call], Products]:
    """Size [..., M, K] by [..., K, N], a vector standing for a matrix of one row or column; same batch in both."""

    def sizes(call: Call) -> Products:
        a, b = call.shape(left), call.shape(right)
        m = a[-2] if len(a) > 1 else 1
        n = b[-1] if len(b) > 1 else 1
        return [Product(m, a[-1], n, math.prod(a[:-2]))]

    return sizes


def _linear(call: Call) -> Products:
    """Size rows of the input [..., K] by weight [N, K]."""
    x, weight = call.inputs[0].shape, call.shape("weight")  # the first goes by several names
    return [Product(math.prod(x[:-1]), x[-1], math.prod(weight[:-1]), 1)]


def _outer(call: Call) -> Products:
    (m,), (n,) = call.shape("vec1"), call.shape("vec2")
    return [Product(m, 1, n, 1)]


def _convolution(call: Call) -> Products:
    weight, groups = call.shape("weight"), int(call.argument("groups"))
    if call.argument("transposed"):
        return [_transposed(call, weight, groups)]
    return [_windows(call.outputs[0].shape, weight, groups)]


def _windows(output: Sequence[int], weight: Sequence[int], groups: int) -> Product:
    """Size windows of [channels / groups, *kernel] by as many kernels, for each group."""
    return Product(math.prod([output[0], *output[2:]]), math.prod(weight[1:]), weight[0] // groups, groups)


def _transposed(call: Call, weight: Sequence[int], groups: int) -> Product:
    """Size positions of the input by all kernels [channels, output channels / groups, *kernel]; then overlaps add."""
    x = call.inputs[0].shape
    return Product(math.prod([x[0], *x[2:]]), weight[0] // groups, math.prod(weight[1:]), groups)


def _conv_of_groups(call: Call) -> Products:
    """Size convolutions of one backend, and torchvision's of what was interpolated: weight as `_windows` has it."""
    return [_windows(call.outputs[0].shape, call.shape("weight"), int(call.argument("groups")))]


def _attention(call: Call) -> Products:
    """Size queries by keys and weights by values, for every head of the query, of which several may share keys."""
    query, key, value = (call.shape(name) for name in ("query", "key", "value"))
    batch = math.prod(query[:-2])
    return [Product(query[-2], query[-1], key[-2], batch), Product(query[-2], key[-2], value[-1], batch)]


def self_attention(call: Call) -> Products:
    """Size a fused MultiheadAttention, or an encoder's layer with one.

    They are projections of query [batch, T, E], key and value, that of the result, and attention's two products.
    """
    layer = call.operator.has("src")
    query, key, value = [call.shape(name) for name in (("src",) * 3 if layer else ("query", "key", "value"))]
    batch, width = query[0], int(call.argument("embed_dim"))
    heads = int(call.argument("num_heads" if layer else "num_head"))
    head = width // heads
    return [
        *(Product(batch * shape[1], width, width, 1) for shape in (query, key, value, query)),
        Product(query[1], head, key[1], batch * heads),
        Product(query[1], key[1], head, batch * heads),
    ]


def _encoder_layer(call: Call) -> Products:
    """Size attention, and two linear layers behind it."""
    rows, (inner, width) = math.prod(call.shape("src")[:-1]), call.shape("ffn_weight_1")
    return [*self_attention(call), Product(rows, width, inner, 1), Product(rows, inner, width, 1)]


def _bilinear(call: Call) -> Products:
    """Size Bilinear of x1 [batch, I], x2 [batch, J], weight [N, I, J]: Einsum 'bi,nij,bj->bn', from left to right."""
    (batch, i), (n, _, j) = call.inputs[0].shape, call.inputs[1].shape
    return [Product(batch, i, n * j, 1), Product(n, j, 1, batch)]


def _rnn_layer(call: Call) -> Products:
    """Size one layer in one direction; a packed sequence has one axis less, its rows being those of all steps."""
    x, w, r = call.inputs[0].shape, call.inputs[1].shape, call.inputs[2].shape
    steps, batch = x[0], x[1]
    return [Product(steps * batch, w[1], w[0], 1), Product(batch, r[1], r[0], steps)]


def _cudnn_rnn(call: Call) -> Products:
    """Size all layers and directions: each matrix among the weights by the rows of all steps."""
    rows = math.prod(call.inputs[0].shape[:-1])
    matrices = [weight.shape for weight in call.argument("weight") if len(weight.shape) == 2]
    return [Product(rows, k, n, 1) for n, k in matrices]


def _distances(call: Call) -> Products:
    """Size cdist: by a product where the norm is 2 and torch takes one (compute_mode; by default above 25 rows)."""
    if not by_product(call):
        return []
    a, b = call.shape("x1"), call.shape("x2")
    return [Product(a[-2], a[-1], b[-2], math.prod(call.outputs[0].shape[:-2]))]


def by_product(call: Call) -> bool:
    """Return whether cdist goes the way of a product."""
    if not call.operator.has("p"):
        return True
    mode, rows = call.argument("compute_mode"), max(call.shape("x1")[-2], call.shape("x2")[-2])
    return float(call.argument("p")) == 2 and (mode == 1 or (mode in (None, 0) and rows > 25))


def _grouped(call: Call) -> Products:
    """Size groups of rows by a matrix each: rows of groups together [M, K] and matrices [groups, K, N]; or both apart;
    or, where both have two axes, groups of K.
    """
    a, b, y = call.inputs[0].shape, call.inputs[1].shape, call.outputs[0].shape
    if len(a) == 2 and len(b) == 2:
        return [Product(a[0], a[1], b[1], 1)]
    if len(a) == 2:
        return [Product(a[0], a[1], b[-1], 1)]
    return [Product(a[1], a[2], y[-1], 1 if len(b) == 2 else a[0])]


_OPERANDS = (("mat1", "mat2"), ("batch1", "batch2"), ("mat", "vec"), ("vec1", "vec2"))
"""Names of A and B where another tensor is in front of them."""


def types_of(call: Call) -> tuple[torch.dtype, torch.dtype]:
    """Return the types of A and B of an operator's products, which are alike for all that it has."""
    names = next((pair for pair in _OPERANDS if all(map(call.operator.has, pair))), None)
    a, b = call.inputs[:2] if names is None else map(call.argument, names)
    return a.dtype, b.dtype


_ATTENTIONS = (
    "_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_flash_attention",
    "_scaled_dot_product_efficient_attention", "_scaled_dot_product_cudnn_attention",
    "_scaled_dot_product_fused_attention_overrideable", "_scaled_dot_product_attention_math",
    "_scaled_dot_product_attention_math_for_mps", "scaled_dot_product_attention",
)  # fmt: skip
PRODUCTS: dict[str, Callable[[Call], Products]] = {
    **dict.fromkeys(("aten.mm", "aten._int_mm"), _matrices("self", "mat2")),
    "aten.bmm": _matrices("self", "mat2"),
    **dict.fromkeys(("aten.addmm", "aten._addmm_activation"), _matrices("mat1", "mat2")),
    **dict.fromkeys(("aten.baddbmm", "aten.addbmm"), _matrices("batch1", "batch2")),
    "aten.mv": _matrices("self", "vec"),
    "aten.addmv": _matrices("mat", "vec"),
    "aten.addr": _outer,
    "aten.dot": _matrices("self", "tensor"),
    "aten.vdot": _matrices("self", "other"),
    "aten._scaled_mm": _matrices("self", "mat2"),
    **dict.fromkeys(("aten.linear", "aten.mkldnn_linear"), _linear),
    **dict.fromkeys(("aten.convolution", "aten._convolution", "aten.convolution_overrideable"), _convolution),
    **dict.fromkeys(("aten.mkldnn_convolution", "aten.cudnn_convolution", "aten.miopen_convolution"), _conv_of_groups),
    "torchvision.deform_conv2d": _conv_of_groups,
    **{f"aten.{name}": _attention for name in _ATTENTIONS},
    "aten._native_multi_head_attention": self_attention,
    "aten._transformer_encoder_layer_fwd": _encoder_layer,
    "aten._trilinear": _bilinear,
    "aten.mkldnn_rnn_layer": _rnn_layer,
    **dict.fromkeys(("aten._cudnn_rnn", "aten.miopen_rnn"), _cudnn_rnn),
    **dict.fromkeys(("aten._cdist_forward", "aten._euclidean_dist"), _distances),
    "aten._grouped_mm": _grouped,
    "aten._scaled_grouped_mm": _grouped,
}  # fmt: skip
"""The sizes of an operator's products; operators that aren't here have none."""
