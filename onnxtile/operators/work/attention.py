"""Attention: what's computed between its two products, and rotations of positions.

Queries and keys are scaled, keys once for each query head (onnxruntime's kinds scale the scores instead); scores are
bounded, masked and made weights by a Softmax over keys. Masks, inputs or causal, are an addition a score; making them
isn't counted. Keys and values of the past are copied in front of the new ones. Of sequences that differ in
length, the longest counts for all. A rotation takes 4 multiplications and 2 additions for two elements.
"""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.ir.attributes import UnsizedError, attribute_int, attribute_string
from onnxtile.ir.symbolic.amounts import Amount, product
from onnxtile.operators.attention import KEYS_BY_VALUES, QUERIES_BY_KEYS
from onnxtile.operators.attention_ort import PROJECTION
from onnxtile.operators.formula import Formula, condition, measure
from onnxtile.operators.measures import X, Y, input_sizes, is_given, isnt, of_input, of_output, of_products, sum_of
from onnxtile.operators.sizes import given
from onnxtile.operators.work.normalization import by_root_mean_square
from onnxtile.operators.work.reduction import softmax
from onnxtile.operators.work.work import ELEMENTWISE, MOVEMENT, TRANSCENDENTAL, Work

SCORES = of_products(
    "scores", "queries x keys x batch x heads", lambda size: (size.m, size.n, size.batch), QUERIES_BY_KEYS
)
_QUERIES = of_products("queries", "queries x batch x heads", lambda size: (size.m, size.batch), QUERIES_BY_KEYS)
_QUERY_NUMBERS = of_products(
    "query numbers", "queries x head size x batch x heads", lambda s: (s.m, s.k, s.batch), QUERIES_BY_KEYS
)
_KEY_NUMBERS = of_products(
    "key numbers", "keys x head size x batch x heads", lambda s: (s.n, s.k, s.batch), QUERIES_BY_KEYS
)
_PROJECTED = of_products("projected", "elements of queries, keys and values", lambda s: (s.m, s.n, s.batch), PROJECTION)
_WEIGHTS = softmax(SCORES, _QUERIES)
_SOFTCAP = (2 * ELEMENTWISE + TRANSCENDENTAL) * SCORES * isnt("softcap", 0)
_CACHED = MOVEMENT * (of_output(1, "Y[1]") + of_output(2, "Y[2]"))


def _masked(*indices: int, causal: str = "", default: int = 0) -> Work:
    """An addition a score where one of these inputs is a mask, or the attribute says that it's causal."""

    def holds(node: ir.Node, opset: int | None) -> bool:
        says_so = bool(causal) and bool(attribute_int(node, causal, default))
        windows = any(attribute_int(node, f"{side}_window_size", -1) >= 0 for side in ("left", "right"))
        return says_so or windows or any(given(node, index) for index in indices)

    return ELEMENTWISE * SCORES * condition("masked")(holds)


def _extra(index: int, name: str = "attention_bias") -> Work:
    return ELEMENTWISE * SCORES * is_given(index, name)


def _rotary(numbers: Formula) -> Work:
    wanted = condition("do_rotary")(lambda node, opset: bool(attribute_int(node, "do_rotary", 0)))
    return 3 * ELEMENTWISE * numbers * wanted


@measure("rotated", "elements that are rotated: `rotary_embedding_dim` of each head, or all")
def _rotated(node: ir.Node, opset: int | None) -> Amount:
    dims = input_sizes(node, 0, 3)
    part, heads = attribute_int(node, "rotary_embedding_dim", 0), attribute_int(node, "num_heads", 0)
    if not part:
        return product(dims)
    if len(dims) == 3 and heads < 1:
        raise UnsizedError("it rotates a part of each head, and num_heads isn't given")
    return product([*dims[:-1], part, heads if len(dims) == 3 else 1])


def _of_new_keys(node: ir.Node) -> tuple[Amount, Amount]:
    """GroupQueryAttention: how many keys of how many numbers are new, those of all heads, batch after batch."""
    batch, length, width = input_sizes(node, 0, 3)[:3]
    heads, of_keys = (attribute_int(node, name, 0) for name in ("num_heads", "kv_num_heads"))
    own = heads if given(node, 1) else heads + 2 * of_keys
    if not isinstance(width, int) or own < 1 or width % own:
        raise UnsizedError("the size of its heads isn't known")
    length = input_sizes(node, 1, 3)[1] if given(node, 1) else length
    return product([batch, length, of_keys]), width // own


_NEW_KEYS = measure("new keys", "keys that aren't of the past, times batch x heads")(
    lambda node, opset: _of_new_keys(node)[0]
)
_NEW_KEY_NUMBERS = measure("new key numbers", "those times their head size")(
    lambda node, opset: product(_of_new_keys(node))
)
_GATED = condition("gated update_rule")(
    lambda node, opset: "gated" in attribute_string(node, "update_rule", "gated_delta")
)
_DELTA = condition("delta update_rule")(
    lambda node, opset: "delta" in attribute_string(node, "update_rule", "gated_delta")
)
_STATES = of_products(
    "states", "key size x value size x tokens x batch x heads", lambda s: (s.m, s.n, s.batch), KEYS_BY_VALUES
)
_LINEAR = (
    ELEMENTWISE * (_STATES * _GATED + 2 * of_input(2, "value") * _DELTA + Y)
    + TRANSCENDENTAL * of_input(4, "decay") * _GATED
)
"""States decay by exponentials; delta rules take from a value what its key finds, times beta; results are scaled."""
_SCALED = ELEMENTWISE * SCORES + _WEIGHTS
_MIXED = ELEMENTWISE * sum_of("inputs 0 to 2", "queries, keys and values that are given", (0, 1, 2))
_BOTH_ROTATED = _rotary(2 * _QUERY_NUMBERS)
ONNX: dict[str, Work] = {
    "Attention": (
        ELEMENTWISE * (X + _KEY_NUMBERS)
        + _SOFTCAP
        + _masked(3, 6, causal="is_causal")
        + _WEIGHTS
        + _CACHED * is_given(4, "past_key")
    ),
    "LinearAttention": _LINEAR,
    "RotaryEmbedding": 3 * ELEMENTWISE * _rotated,
}
PREVIEW: dict[str, Work] = {"FlexAttention": ELEMENTWISE * (X + _KEY_NUMBERS) + _WEIGHTS}
MICROSOFT: dict[str, Work] = {
    "Attention": (
        ELEMENTWISE * _PROJECTED * is_given(2, "bias")
        + _BOTH_ROTATED
        + _SCALED
        + _masked(3, causal="unidirectional")
        + _extra(5)
        + MOVEMENT * of_output(1, "Y[1]") * is_given(4, "past")
    ),
    "QAttention": (
        ELEMENTWISE * (X * is_given(6, "input_zero_point") + of_input(1, "weight") * is_given(7, "weight_zero_point"))
        + ELEMENTWISE * (_PROJECTED + _PROJECTED * is_given(2, "bias"))
        + _BOTH_ROTATED
        + _SCALED
        + _masked(5, causal="unidirectional")
        + MOVEMENT * of_output(1, "Y[1]") * is_given(8, "past")
    ),
    "DecoderMaskedSelfAttention": (
        ELEMENTWISE * _PROJECTED * is_given(2, "bias")
        + _BOTH_ROTATED
        + _SCALED
        + _masked(3)
        + _extra(5)
        + MOVEMENT * of_output(1, "Y[1]") * is_given(4, "past")
    ),
    "PackedAttention": ELEMENTWISE * _PROJECTED * is_given(2, "bias") + _SCALED + _extra(5),
    "MultiHeadAttention": (
        _MIXED * is_given(3, "bias")
        + _SCALED
        + _masked(4, causal="unidirectional")
        + _extra(5)
        + _CACHED * is_given(6, "past_key")
    ),
    "DecoderMaskedMultiHeadAttention": (
        _MIXED * is_given(10, "bias") + _SCALED + _masked(3) + _extra(4) + _CACHED * is_given(5, "past_key")
    ),
    "PackedMultiHeadAttention": _MIXED * is_given(3, "bias") + _SCALED + _extra(6),
    "GroupQueryAttention": (
        by_root_mean_square(_QUERY_NUMBERS, _QUERIES, _QUERY_NUMBERS) * is_given(14, "q_norm_weight")
        + by_root_mean_square(_NEW_KEY_NUMBERS, _NEW_KEYS, _NEW_KEY_NUMBERS) * is_given(15, "k_norm_weight")
        + _rotary(_QUERY_NUMBERS + _NEW_KEY_NUMBERS)
        + _SOFTCAP
        + _SCALED
        + _masked(causal="causal", default=1)
        + _extra(10)
        + _CACHED * is_given(3, "past_key")
    ),
    "LinearAttention": _LINEAR,
    "RotaryEmbedding": 3 * ELEMENTWISE * _rotated,
    "MRotaryEmbedding": 3 * ELEMENTWISE * _rotated,
    "GemmaRotaryEmbedding": 3 * ELEMENTWISE * (Y + of_output(1, "Y[1]")) + 2 * TRANSCENDENTAL * X,
}
