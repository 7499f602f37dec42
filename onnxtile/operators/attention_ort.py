"""onnxruntime's kinds of attention (com.microsoft): some project their input first, some take packed operands."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import onnx_ir as ir

from onnxtile.ir.attributes import attribute_int, attribute_ints
from onnxtile.operators.arithmetic import quotient, total
from onnxtile.operators.attention import QUERIES_BY_KEYS, WEIGHTS_BY_VALUES, two_products
from onnxtile.operators.entry import Entry
from onnxtile.operators.sizes import Dim, Size, count_of, given, same, shape

PROJECTION = "projection"
Sizes = Callable[[ir.Node], Mapping[str, Size]]


def projected(past: int | None = None, token_offset: int | None = None) -> Sizes:
    """Attention: input [batch, length, input size] by weights [input size, hidden sizes of Q + K + V], then attention.

    `past`: index of the input [2, batch, heads, past length, head size]. `token_offset`: index of the input [batch,
    length] that says how a packed input [tokens, input size] unfolds; sequences are at most that long.
    """

    def sizes(node: ir.Node) -> Mapping[str, Size]:
        data, weights = shape(node, 0, 3 if token_offset is None else 2), shape(node, 1, 2)
        batch, length = data[:2] if token_offset is None else shape(node, token_offset, 2)
        hidden: list[Dim] = [*attribute_ints(node, "qkv_hidden_sizes", ())]
        if len(hidden) != 3:
            hidden = [quotient(node, "hidden size of the weights", weights[1], 3)] * 3
        heads = attribute_int(node, "num_heads", 0)
        head, value_head = (quotient(node, "hidden size", hidden[index], heads) for index in (1, 2))
        keys: Dim = length
        if past is not None and given(node, past):
            shared = attribute_int(node, "past_present_share_buffer", 0)
            keys = None if shared else total([shape(node, past, 5)[3], length])
        k = same(node, "the input size", data[-1], weights[0])
        projection = Size(count_of(data[:-1]), k, total(hidden), 1)
        return {PROJECTION: projection, **two_products(length, keys, head, value_head, count_of([batch, heads]))}

    return sizes


def multi_head(past: int, past_length: int) -> Sizes:
    """MultiHeadAttention: query [batch, length, hidden size], key and value alike or [batch, heads, length, head size];
    or packed: query [batch, length, heads, 3, head size], or key [batch, length, heads, 2, head size].

    `past`: index of the past keys [batch, heads, past length, head size]. `past_length`: index of the input that says
    how much of a shared buffer is filled, so that the length of keys is known only at run time.
    """

    def sizes(node: ir.Node) -> Mapping[str, Size]:
        query, heads = shape(node, 0, least=3), attribute_int(node, "num_heads", 0)
        if len(query) == 5:
            return _multi_head(node, query, query[1], query[4], query[4])
        if not given(node, 1):  # DecoderMaskedMultiHeadAttention: [batch, 1, hidden sizes of Q + K + V]
            of_one = quotient(node, "hidden size of the packed query", query[-1], 3)
            head = quotient(node, "hidden size", of_one, heads)
            return _multi_head(node, query, query[1], head, head)
        head, key = quotient(node, "hidden size of the query", query[-1], heads), shape(node, 1, least=3)
        if len(key) == 5:
            return _multi_head(node, query, key[1], head, key[4])
        value = shape(node, 2, least=3)
        if len(key) == 4:
            return _multi_head(node, query, key[2], head, value[-1])
        return _multi_head(node, query, key[1], head, quotient(node, "hidden size of the value", value[-1], heads))

    def _multi_head(node: ir.Node, query: list[Dim], length: Dim, head: Dim, value_head: Dim) -> Mapping[str, Size]:
        keys = length
        if given(node, past):
            keys = None if given(node, past_length) else total([shape(node, past, 4)[2], length])
        batch = count_of([query[0], attribute_int(node, "num_heads", 0)])
        return two_products(query[1], keys, head, value_head, batch)

    return sizes


def packed_multi_head(node: ir.Node) -> Mapping[str, Size]:
    """PackedMultiHeadAttention: query [tokens, hidden size], value alike, or packed [tokens, heads, 3, head size];
    token_offset [batch, length] says how long sequences may be.
    """
    query, heads = shape(node, 0, least=2), attribute_int(node, "num_heads", 0)
    batch, length = shape(node, 4, 2)
    value = query if len(query) == 4 else shape(node, 2, 2)
    head, value_head = (
        each[-1] if len(query) == 4 else quotient(node, "hidden size", each[-1], heads) for each in (query, value)
    )
    return two_products(length, length, head, value_head, count_of([batch, heads]))


def grouped(node: ir.Node) -> Mapping[str, Size]:
    """GroupQueryAttention: query [batch, length, hidden size], key alike, or all packed into the query. With a past,
    how many keys there are is known only at run time.
    """
    query, heads = shape(node, 0, 3), attribute_int(node, "num_heads", 0)
    packed = not given(node, 1)
    width = heads + 2 * attribute_int(node, "kv_num_heads", 0) if packed else heads
    head = quotient(node, "hidden size of the query", query[2], width)
    keys = None if given(node, 3) else query[1] if packed else shape(node, 1, 3)[1]
    return two_products(query[1], keys, head, head, count_of([query[0], heads]))


_TWO = (
    f"{QUERIES_BY_KEYS}: M = query length, K = head size, N = key length; {WEIGHTS_BY_VALUES}: M = query length, "
    "K = key length, N = value head size; batch = batch x heads"
)
_PROJECTED = f"{PROJECTION}: M = batch x length, K = input size, N = hidden sizes of Q + K + V; {_TWO}"
_SPARSE = "can't be sized: which keys it reads is known only at run time"
_ORDERED = "isn't sized: its operands are in layouts of one GPU library"
ONNX: dict[str, Entry] = {}
MICROSOFT: dict[str, Entry] = {
    "Attention": Entry("attention", projected(past=4), _PROJECTED),
    "QAttention": Entry("attention", projected(past=8), _PROJECTED),
    "DecoderMaskedSelfAttention": Entry("attention", projected(past=4), _PROJECTED),
    "PackedAttention": Entry("attention", projected(token_offset=3), f"{_PROJECTED}; lengths as padded"),
    "MultiHeadAttention": Entry("attention", multi_head(6, 8), _TWO),
    "DecoderMaskedMultiHeadAttention": Entry("attention", multi_head(5, 7), _TWO),
    "PackedMultiHeadAttention": Entry("attention", packed_multi_head, f"{_TWO}; lengths as padded"),
    "GroupQueryAttention": Entry("attention", grouped, f"{_TWO} of the query; with a past, key length isn't known"),
    "DecoderAttention": Entry("attention", reason="can't be sized: whether it reads a cache is known only at run time"),
    "LongformerAttention": Entry("attention", reason="can't be sized: which tokens attend to all is run-time data"),
    "GatedDeltaNet": Entry("attention", reason="can't be sized: how sequences are packed is known only at run time"),
    "GatedDeltaNetStateReplay": Entry("attention", reason="can't be sized: how much is replayed is run-time data"),
    "Mamba2Verify": Entry("attention", reason="can't be sized: a convolution and a recurrence in one operator"),
    "QOrderedAttention": Entry("attention", reason=_ORDERED),
    "QOrderedLongformerAttention": Entry("attention", reason=_ORDERED),
    **dict.fromkeys(
        (
            "SparseAttention",
            "DynamicSparseAttention",
            "PagedAttention",
            "SparsePagedAttention",
            "SparseAttentionIndexer",
            "PackedSparseAttentionIndexer",
        ),
        Entry("attention", reason=_SPARSE),
    ),
}
