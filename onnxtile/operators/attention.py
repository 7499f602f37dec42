"""Attention: a product of queries and keys, one of the weights that come of it and the values, and what's between.

Queries and keys are scaled, keys once for each query head (onnxruntime's kinds scale the scores instead); scores are
bounded, masked and made weights by a Softmax over keys. Masks, inputs or causal, are an addition a score; making them
isn't counted. Keys and values of the past are copied in front of the new ones. Of sequences that differ in
length, the longest counts for all. A rotation takes 4 multiplications and 2 additions for two elements.
"""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import UnsizedError, attribute_int, attribute_string, given, node_name
from onnxtile.ir.symbolic.amounts import Amount, Dim, product
from onnxtile.operators.formula import Formula, condition, measure
from onnxtile.operators.measures import X, Y, input_sizes, is_given, isnt, of_input, of_output, of_products
from onnxtile.operators.reduction import softmax
from onnxtile.operators.registry import MICROSOFT, PREVIEW, Products, declare
from onnxtile.operators.sizes import Size, count_of, quotient, same, shape, sum_of
from onnxtile.operators.work import ELEMENTWISE, MOVEMENT, TRANSCENDENTAL, Work

QUERIES_BY_KEYS = "queries by keys"
WEIGHTS_BY_VALUES = "weights by values"
KEYS_BY_STATE, KEYS_BY_VALUES, QUERIES_BY_STATE = "keys by state", "keys by values", "queries by state"


def two_products(query: Dim, keys: Dim, head: Dim, value_head: Dim, batch: Dim) -> dict[str, Size]:
    """Return the products of softmax(Q K') V for lengths of queries and keys and sizes of heads, `batch` times each."""
    return {QUERIES_BY_KEYS: Size(query, head, keys, batch), WEIGHTS_BY_VALUES: Size(query, keys, value_head, batch)}


def attention(node: ir.Node) -> dict[str, Size]:
    """Attention, as ONNX specifies it from opset 23 on: Q [batch, query heads, length, head size], or [batch, length,
    query heads * head size] with attributes for the heads; K, V likewise; past_key, past_value (inputs 4 and 5, always
    with 4 axes) come before K and V.
    """
    batch_q, heads, query, head_q = _heads(node, 0, "q_num_heads")
    batch_k, heads_k, length_k, head_k = _heads(node, 1, "kv_num_heads")
    batch_v, heads_v, length_v, value_head = _heads(node, 2, "kv_num_heads")
    batch = same(node, "the batch", same(node, "the batch", batch_q, batch_k), batch_v)
    keys, head = same(node, "the length of keys", length_k, length_v), same(node, "the head size", head_q, head_k)
    quotient(node, "number of query heads", heads, same(node, "the number of key heads", heads_k, heads_v))
    past = [_past(node, index, size) for index, size in ((4, head), (5, value_head)) if given(node, index)]
    if past:
        keys = sum_of([past[0] if len(past) < 2 else same(node, "the past length", *past), keys])
    return two_products(query, keys, head, value_head, count_of([batch, heads]))


def flex_attention(node: ir.Node) -> dict[str, Size]:
    """FlexAttention (ai.onnx.preview): Attention of operands with 4 axes, without a past."""
    for index in range(3):
        shape(node, index, 4)
    return attention(node)


def _heads(node: ir.Node, index: int, attribute: str) -> list[Dim]:
    """Return batch, heads, length and head size of an operand with 4 axes, or with 3 and the heads in an attribute."""
    dims = shape(node, index)
    if len(dims) == 4:
        return dims
    heads = attribute_int(node, attribute, 0)
    if len(dims) != 3 or heads < 1:
        words = f"input {index} has {len(dims)} axes, and {attribute} is {heads or 'absent'}"
        raise ModelError(f"{node.op_type} {node_name(node)!r}: {words}; give 4 axes, or 3 and {attribute}")
    return [dims[0], heads, dims[1], quotient(node, f"hidden size of input {index}", dims[2], heads)]


def _past(node: ir.Node, index: int, head: Dim) -> Dim:
    dims = shape(node, index, 4)
    same(node, "the head size", dims[3], head)
    return dims[2]


def linear_attention(node: ir.Node) -> dict[str, Size]:
    """LinearAttention, token by token as it's defined: query [batch, tokens, query heads * key size], key and value
    [batch, tokens, heads * size]. A state of key size x value size takes in keys by values, with the delta rules less
    what keys find in the state, and is read by queries.
    """
    (batch, tokens, of_queries), (_, _, of_keys), (_, _, of_values) = (shape(node, index, 3) for index in range(3))
    q_heads, kv_heads = (attribute_int(node, name, 0) for name in ("q_num_heads", "kv_num_heads"))
    key = same(
        node,
        "the key size",
        quotient(node, "hidden size of the query", of_queries, q_heads),
        quotient(node, "hidden size of the key", of_keys, kv_heads),
    )
    value = quotient(node, "hidden size of the value", of_values, kv_heads)
    steps, reads = count_of([batch, tokens, kv_heads]), count_of([batch, tokens, max(q_heads, kv_heads)])
    products = {KEYS_BY_VALUES: Size(key, 1, value, steps), QUERIES_BY_STATE: Size(1, key, value, reads)}
    delta = "delta" in attribute_string(node, "update_rule", "gated_delta")
    return {KEYS_BY_STATE: Size(1, key, value, steps), **products} if delta else products


# Work beside the products

SCORES = of_products("scores", "queries x keys x batch x heads", "m n batch", QUERIES_BY_KEYS)
QUERIES = of_products("queries", "queries x batch x heads", "m batch", QUERIES_BY_KEYS)
QUERY_NUMBERS = of_products("query numbers", "queries x head size x batch x heads", "m k batch", QUERIES_BY_KEYS)
_KEY_NUMBERS = of_products("key numbers", "keys x head size x batch x heads", "n k batch", QUERIES_BY_KEYS)
WEIGHTS = softmax(SCORES, QUERIES)
SOFTCAP = (2 * ELEMENTWISE + TRANSCENDENTAL) * SCORES * isnt("softcap", 0)
CACHED = MOVEMENT * (of_output(1, "Y[1]") + of_output(2, "Y[2]"))


def masked(*indices: int, causal: str = "", default: int = 0) -> Work:
    """Return an addition a score where one of these inputs is a mask, or the attribute says that it's causal."""

    def holds(node: ir.Node, opset: int | None) -> bool:
        says_so = bool(causal) and bool(attribute_int(node, causal, default))
        windows = any(attribute_int(node, f"{side}_window_size", -1) >= 0 for side in ("left", "right"))
        return says_so or windows or any(given(node, index) for index in indices)

    return ELEMENTWISE * SCORES * condition("masked")(holds)


@measure("rotated", "elements that are rotated: `rotary_embedding_dim` of each head, or all")
def _rotated(node: ir.Node, opset: int | None) -> Amount:
    dims = input_sizes(node, 0, 3)
    rotated, heads = attribute_int(node, "rotary_embedding_dim", 0), attribute_int(node, "num_heads", 0)
    if not rotated:
        return product(dims)
    if len(dims) == 3 and heads < 1:
        raise UnsizedError("it rotates a part of each head, and num_heads isn't given")
    return product([*dims[:-1], rotated, heads if len(dims) == 3 else 1])


def _rule(name: str) -> Formula:
    return condition(f"{name} update_rule")(
        lambda node, opset: name in attribute_string(node, "update_rule", "gated_delta")
    )


_GATED = _rule("gated")
_STATES = of_products("states", "key size x value size x tokens x batch x heads", "m n batch", KEYS_BY_VALUES)
_LINEAR_WORK = (
    ELEMENTWISE * (_STATES * _GATED + 2 * of_input(2, "value") * _rule("delta") + Y)
    + TRANSCENDENTAL * of_input(4, "decay") * _GATED
)
"""States decay by exponentials; delta rules take from a value what its key finds, times beta; results are scaled."""
_LINEAR_FORMULA = (
    f"for every token: {KEYS_BY_STATE} (delta rules): 1 x key size x value size; {KEYS_BY_VALUES}: key size x 1 x "
    f"value size; {QUERIES_BY_STATE}: 1 x key size x value size; batch = batch x tokens x heads"
)
_LOWERED_BY = "decompose-attention"
_REFUSED = "lengths of keys and values that aren't numbers; empty operands; a body that onnx can't write or check"
declare(
    "Attention",
    products=Products(
        "attention",
        attention,
        f"{QUERIES_BY_KEYS}: M = query length, K = head size, N = key length with the past; {WEIGHTS_BY_VALUES}: "
        "M = query length, K = key length with the past, N = value head size; batch = batch x query heads",
        _LOWERED_BY,
        refused=_REFUSED,
    ),
    work=ELEMENTWISE * (X + _KEY_NUMBERS)
    + SOFTCAP
    + masked(3, 6, causal="is_causal")
    + WEIGHTS
    + CACHED * is_given(4, "past_key"),
)
declare(
    "FlexAttention",
    PREVIEW,
    products=Products("attention", flex_attention, "as Attention, without a past", _LOWERED_BY, refused=_REFUSED),
    work=ELEMENTWISE * (X + _KEY_NUMBERS) + WEIGHTS,
)
declare(
    "LinearAttention",
    products=Products("attention", linear_attention, _LINEAR_FORMULA, _LOWERED_BY, refused=_REFUSED),
    work=_LINEAR_WORK,
)
declare(
    "LinearAttention", MICROSOFT, products=Products("attention", linear_attention, _LINEAR_FORMULA), work=_LINEAR_WORK
)
declare("RotaryEmbedding", "", MICROSOFT, work=3 * ELEMENTWISE * _rotated)
declare("MRotaryEmbedding", MICROSOFT, work=3 * ELEMENTWISE * _rotated)
declare("GemmaRotaryEmbedding", MICROSOFT, work=3 * ELEMENTWISE * (Y + of_output(1, "Y[1]")) + 2 * TRANSCENDENTAL * X)
