"""Attention: a product of queries and keys, and one with values."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.contraction.entry import Entry
from onnxtile.contraction.sizes import Dim, Size, attribute_int, count_of, node_name, same, shape
from onnxtile.errors import ModelError

SCORES, WEIGHTED = "queries by keys", "weights by values"
"""The two products of attention."""
RETRIEVED, UPDATE, READ = "state by key", "key by value", "query by state"
"""The products of a step of linear attention."""


def attention(node: ir.Node) -> dict[str, Size]:
    """Attention: Q is [batch, heads, queries, head] or [batch, queries, heads * head], K and V alike; past keys add."""
    q, k, v = (_by_heads(node, index, name) for index, name in enumerate(("q_num_heads", *["kv_num_heads"] * 2)))
    keys = same(node, "the number of keys", k[2], v[2])
    if len(node.inputs) > 4 and node.inputs[4] is not None:
        keys = _sum(shape(node, 4)[2], keys)
    batch = count_of([same(node, "the batch", q[0], k[0]), q[1]])
    head = same(node, "the head size", q[3], k[3])
    return {SCORES: Size(q[2], head, keys, batch), WEIGHTED: Size(q[2], keys, v[3], batch)}


def linear_attention(node: ir.Node) -> dict[str, Size]:
    """LinearAttention: a state [key head, value head] is updated and read at every step of the sequence."""
    q, k, v = (_by_heads(node, index, name) for index, name in enumerate(("q_num_heads", *["kv_num_heads"] * 2)))
    key, value, steps = same(node, "the head size", q[3], k[3]), v[3], same(node, "the length", q[2], k[2])
    rule = node.attributes["update_rule"].as_string() if "update_rule" in node.attributes else "gated_delta"
    states, queries = count_of([k[0], k[1], steps]), count_of([q[0], q[1], steps])
    retrieved = {RETRIEVED: Size(value, key, 1, states)} if "delta" in rule else {}
    return retrieved | {UPDATE: Size(key, 1, value, states), READ: Size(1, key, value, queries)}


def _by_heads(node: ir.Node, index: int, attribute: str) -> list[Dim]:
    """An operand's axes as [batch, heads, length, head]; an operand of 3 axes has its heads side by side in the last."""
    dims, heads = shape(node, index), attribute_int(node, attribute, 0)
    what = f"{node.op_type} {node_name(node)!r}"
    if len(dims) == 4:
        return dims
    if len(dims) != 3 or heads <= 0:
        raise ModelError(f"{what}: input {index} has {len(dims)} axes and {attribute} is {heads}; give 4, or 3 and heads")
    batch, length, width = dims
    if isinstance(width, int) and width % heads:
        raise ModelError(f"{what}: input {index} has rows of {width}, which {attribute} {heads} doesn't divide")
    return [batch, heads, length, width // heads if isinstance(width, int) else None]


def _sum(left: Dim, right: Dim) -> Dim:
    if left is None or right is None:
        return None
    return left + right if isinstance(left, int) and isinstance(right, int) else f"{left} + {right}"


_BODY = "decompose-attention"
_ATTENTION = Entry("attention", attention, "for each query head: queries x head x keys, queries x keys x head", _BODY)
_LINEAR = Entry("attention", linear_attention, "at each step a state of key head x value head is written, read", _BODY)
ONNX: dict[str, Entry] = {"Attention": _ATTENTION, "LinearAttention": _LINEAR}
PREVIEW: dict[str, Entry] = {"FlexAttention": _ATTENTION}
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
