"""Attention: a product of queries and keys, and one of the weights that come of it and the values."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.contraction.arithmetic import quotient, total
from onnxtile.contraction.entry import Entry
from onnxtile.contraction.sizes import Dim, Size, attribute_int, count_of, node_name, same, shape
from onnxtile.errors import ModelError

QUERIES_BY_KEYS = "queries by keys"
WEIGHTS_BY_VALUES = "weights by values"
STATE_BY_KEY, KEY_BY_VALUE, QUERY_BY_STATE = "state by key", "key by value", "query by state"


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
    past = [_past(node, index, of) for index, of in ((4, head), (5, value_head)) if _given(node, index)]
    if past:
        keys = total([past[0] if len(past) < 2 else same(node, "the past length", *past), keys])
    return two_products(query, keys, head, value_head, count_of([batch, heads]))


def flex_attention(node: ir.Node) -> dict[str, Size]:
    """FlexAttention (ai.onnx.preview): Attention of operands with 4 axes, without a past."""
    if any(len(shape(node, index)) != 4 for index in range(3)):
        raise ModelError(f"FlexAttention {node_name(node)!r}: its operands must have 4 axes")
    return attention(node)


def linear_attention(node: ir.Node) -> dict[str, Size]:
    """LinearAttention: at each step a key and a value change a state, key size x value size, and a query reads it.

    The delta rules read it for the key first.
    """
    batch, heads, length, head_q = _heads(node, 0, "q_num_heads")
    _, states, length_k, head_k = _heads(node, 1, "kv_num_heads")
    _, _, length_v, value = _heads(node, 2, "kv_num_heads")
    steps = same(node, "the length", same(node, "the length", length, length_k), length_v)
    head, rule = same(node, "the head size", head_q, head_k), node.attributes.get("update_rule")
    changed, read = count_of([batch, states, steps]), count_of([batch, heads, steps])
    delta = rule is None or "delta" in rule.as_string()
    first = {STATE_BY_KEY: Size(value, head, 1, changed)} if delta else {}
    return first | {KEY_BY_VALUE: Size(head, 1, value, changed), QUERY_BY_STATE: Size(1, head, value, read)}


def _given(node: ir.Node, index: int) -> bool:
    return index < len(node.inputs) and node.inputs[index] is not None


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
    dims = shape(node, index)
    if len(dims) != 4:
        raise ModelError(f"{node.op_type} {node_name(node)!r}: its past has {len(dims)} axes, not 4")
    same(node, "the head size", dims[3], head)
    return dims[2]


ONNX: dict[str, Entry] = {
    "Attention": Entry(
        "attention",
        attention,
        f"{QUERIES_BY_KEYS}: query length x head size x key length with the past; {WEIGHTS_BY_VALUES}: query length x "
        "key length with the past x value head size; batch x query heads each",
        "decompose-attention",
    ),
    "LinearAttention": Entry(
        "attention",
        linear_attention,
        f"{STATE_BY_KEY} (delta rules): value head size x key head size x 1; {KEY_BY_VALUE}: key head size x 1 x value "
        f"head size; {QUERY_BY_STATE}: 1 x key head size x value head size; at each step, batch x heads",
        "decompose-attention",
    ),
}
PREVIEW: dict[str, Entry] = {
    "FlexAttention": Entry("attention", flex_attention, "as Attention, without a past", "decompose-attention"),
}
MICROSOFT: dict[str, Entry] = dict.fromkeys(
    (
        "Attention",
        "MultiHeadAttention",
        "GroupQueryAttention",
        "PackedAttention",
        "PackedMultiHeadAttention",
        "QAttention",
        "DecoderAttention",
        "DecoderMaskedMultiHeadAttention",
        "DecoderMaskedSelfAttention",
        "LongformerAttention",
        "SparseAttention",
        "PagedAttention",
    ),
    Entry("attention"),
)
