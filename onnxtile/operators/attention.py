"""Attention: a product of queries and keys, and one of the weights that come of it and the values."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import attribute_int, attribute_string, node_name
from onnxtile.operators.arithmetic import quotient, total
from onnxtile.operators.entry import Entry
from onnxtile.operators.sizes import Dim, Size, count_of, given, same, shape

QUERIES_BY_KEYS = "queries by keys"
WEIGHTS_BY_VALUES = "weights by values"
KEYS_BY_STATE, KEYS_BY_VALUES, QUERIES_BY_STATE = "keys by state", "keys by values", "queries by state"


def two_products(query: Dim, keys: Dim, head: Dim, value_head: Dim, batch: Dim) -> dict[str, Size]:
    """The products of softmax(Q K') V for lengths of queries and keys and sizes of heads, `batch` times each."""
    return {
        QUERIES_BY_KEYS: Size(query, head, keys, batch),
        WEIGHTS_BY_VALUES: Size(query, keys, value_head, batch),
    }


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
    past = [_past(node, index, of) for index, of in ((4, head), (5, value_head)) if given(node, index)]
    if past:
        keys = total([past[0] if len(past) < 2 else same(node, "the past length", *past), keys])
    return two_products(query, keys, head, value_head, count_of([batch, heads]))


def flex_attention(node: ir.Node) -> dict[str, Size]:
    """FlexAttention (ai.onnx.preview): Attention of operands with 4 axes, without a past."""
    for index in range(3):
        shape(node, index, 4)
    return attention(node)


def _heads(node: ir.Node, index: int, attribute: str) -> list[Dim]:
    """Batch, heads, length and head size of an operand with 4 axes, or with 3 and the heads in an attribute."""
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


_LINEAR = (
    f"for every token: {KEYS_BY_STATE} (delta rules): 1 x key size x value size; {KEYS_BY_VALUES}: key size x 1 x "
    f"value size; {QUERIES_BY_STATE}: 1 x key size x value size; batch = batch x tokens x heads"
)
LOWERED_BY = "decompose-attention"
_REFUSED = "lengths of keys and values that aren't numbers; empty operands; a body that onnx can't write or check"
ONNX: dict[str, Entry] = {
    "Attention": Entry(
        "attention",
        attention,
        f"{QUERIES_BY_KEYS}: M = query length, K = head size, N = key length with the past; {WEIGHTS_BY_VALUES}: "
        "M = query length, K = key length with the past, N = value head size; batch = batch x query heads",
        LOWERED_BY,
        refused=_REFUSED,
    ),
    "LinearAttention": Entry("attention", linear_attention, _LINEAR, LOWERED_BY, refused=_REFUSED),
}
PREVIEW: dict[str, Entry] = {
    "FlexAttention": Entry("attention", flex_attention, "as Attention, without a past", LOWERED_BY, refused=_REFUSED),
}
MICROSOFT: dict[str, Entry] = {"LinearAttention": Entry("attention", linear_attention, _LINEAR)}
