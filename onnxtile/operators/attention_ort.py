"""onnxruntime's kinds of attention (com.microsoft): some project their input first, some take packed operands."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import onnx_ir as ir

from onnxtile.ir.attributes import UnsizedError, attribute_int, attribute_ints, given
from onnxtile.ir.symbolic.amounts import Amount, Dim, product
from onnxtile.operators.attention import (
    CACHED,
    QUERIES,
    QUERIES_BY_KEYS,
    QUERY_NUMBERS,
    SCORES,
    SOFTCAP,
    WEIGHTS,
    WEIGHTS_BY_VALUES,
    masked,
    two_products,
)
from onnxtile.operators.formula import Formula, measure
from onnxtile.operators.measures import X, input_sizes, is_given, is_set, of_input, of_inputs, of_output, of_products
from onnxtile.operators.normalization import by_root_mean_square
from onnxtile.operators.registry import MICROSOFT, Products, Types, declare, types_of, unsized
from onnxtile.operators.sizes import Size, count_of, quotient, same, shape, sum_of
from onnxtile.operators.work import ELEMENTWISE, MOVEMENT, Work

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
            keys = None if shared else sum_of([shape(node, past, 5)[3], length])
        k = same(node, "the input size", data[-1], weights[0])
        projection = Size(count_of(data[:-1]), k, sum_of(hidden), 1)
        return {PROJECTION: projection, **two_products(length, keys, head, value_head, count_of([batch, heads]))}

    return sizes


def _types_of_quantized(node: ir.Node, part: str) -> Types:
    """Return bytes for the projection, and floats for the attention, which is of numbers."""
    return types_of(0, 1)(node, part) if part == PROJECTION else (ir.DataType.FLOAT, ir.DataType.FLOAT)


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
            keys = None if given(node, past_length) else sum_of([shape(node, past, 4)[2], length])
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
        of[-1] if len(query) == 4 else quotient(node, "hidden size", of[-1], heads) for of in (query, value)
    )
    return two_products(length, length, head, value_head, count_of([batch, heads]))


def grouped(node: ir.Node) -> Mapping[str, Size]:
    """GroupQueryAttention: query [batch, length, hidden size], key alike, or all packed into the query. All rows that
    hold the past (input 3) count, whether they're filled or not.
    """
    query, heads = shape(node, 0, 3), attribute_int(node, "num_heads", 0)
    packed = not given(node, 1)
    width = heads + 2 * attribute_int(node, "kv_num_heads", 0) if packed else heads
    head = quotient(node, "hidden size of the query", query[2], width)
    keys = query[1] if packed else shape(node, 1, 3)[1]
    if given(node, 3):
        keys = sum_of([shape(node, 3, 4)[2], keys])
    return two_products(query[1], keys, head, head, count_of([query[0], heads]))


# Work beside the products

_PROJECTED = of_products("projected", "elements of queries, keys and values", "m n batch", PROJECTION)
_SCALED = ELEMENTWISE * SCORES + WEIGHTS
_MIXED = ELEMENTWISE * of_inputs("inputs 0 to 2", "queries, keys and values that are given", (0, 1, 2))


def _rotary(numbers: Formula) -> Work:
    return 3 * ELEMENTWISE * numbers * is_set("do_rotary")


def _bias(index: int) -> Work:
    """Return an addition a score where that input is given."""
    return ELEMENTWISE * SCORES * is_given(index, "attention_bias")


def _past(index: int, name: str = "past_key") -> Work:
    """Return the copies of keys and values of the past, as one output or two, where that input is given."""
    return (MOVEMENT * of_output(1, "Y[1]") if name == "past" else CACHED) * is_given(index, name)


def _of_new_keys(node: ir.Node) -> tuple[Amount, Amount]:
    """Return how many keys of how many numbers are new in GroupQueryAttention, those of all heads and batches."""
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

_TWO = (
    f"{QUERIES_BY_KEYS}: M = query length, K = head size, N = key length; {WEIGHTS_BY_VALUES}: M = query length, "
    "K = key length, N = value head size; batch = batch x heads"
)
_PROJECTED_TWO = f"{PROJECTION}: M = batch x length, K = input size, N = hidden sizes of Q + K + V; {_TWO}"
_BIASED = ELEMENTWISE * _PROJECTED * is_given(2, "bias")
_BOTH_ROTATED = _rotary(2 * QUERY_NUMBERS)
_GROUPED_REFUSED = (
    "lengths that aren't numbers; a past that is quantized, or in a window that moves; scores as an output; "
    "normalization of queries and keys; keys of another length than the query's; opsets before 12"
)
_MASKED_REFUSED = (
    "lengths that aren't numbers; a past in a shared buffer, or of beams; scores as an output; masks with 4 axes; "
    "opsets before 9"
)
declare(
    "Attention",
    MICROSOFT,
    products=Products(
        "attention",
        projected(past=4),
        _PROJECTED_TWO,
        "decompose-projected-attention",
        refused=f"{_MASKED_REFUSED}; rotation",
    ),
    work=_BIASED + _BOTH_ROTATED + _SCALED + masked(3, causal="unidirectional") + _bias(5) + _past(4, "past"),
)
declare(
    "QAttention",
    MICROSOFT,
    products=Products(
        "attention",
        projected(past=8),
        _PROJECTED_TWO,
        "decompose-projected-attention",
        refused=f"{_MASKED_REFUSED}; rotation; types other than int8 and uint8",
        types=_types_of_quantized,
    ),
    work=ELEMENTWISE * (X * is_given(6, "input_zero_point") + of_input(1, "weight") * is_given(7, "weight_zero_point"))
    + ELEMENTWISE * _PROJECTED
    + _BIASED
    + _BOTH_ROTATED
    + _SCALED
    + masked(5, causal="unidirectional")
    + _past(8, "past"),
    quantization=(3, 4, 6, 7),
)
declare(
    "DecoderMaskedSelfAttention",
    MICROSOFT,
    products=Products("attention", projected(past=4), _PROJECTED_TWO),
    work=_BIASED + _BOTH_ROTATED + _SCALED + masked(3) + _bias(5) + _past(4, "past"),
)
declare(
    "PackedAttention",
    MICROSOFT,
    products=Products("attention", projected(token_offset=3), f"{_PROJECTED_TWO}; lengths as padded"),
    work=_BIASED + _SCALED + _bias(5),
)
declare(
    "MultiHeadAttention",
    MICROSOFT,
    products=Products("attention", multi_head(6, 8), _TWO, "decompose-multihead-attention", refused=_MASKED_REFUSED),
    work=_MIXED * is_given(3, "bias") + _SCALED + masked(4, causal="unidirectional") + _bias(5) + _past(6),
)
declare(
    "DecoderMaskedMultiHeadAttention",
    MICROSOFT,
    products=Products("attention", multi_head(5, 7), _TWO, "decompose-multihead-attention", refused=_MASKED_REFUSED),
    work=_MIXED * is_given(10, "bias") + _SCALED + masked(3) + _bias(4) + _past(5),
)
declare(
    "PackedMultiHeadAttention",
    MICROSOFT,
    products=Products("attention", packed_multi_head, f"{_TWO}; lengths as padded"),
    work=_MIXED * is_given(3, "bias") + _SCALED + _bias(6),
)
declare(
    "GroupQueryAttention",
    MICROSOFT,
    products=Products(
        "attention",
        grouped,
        f"{_TWO} of the query; key length with all rows that hold the past",
        "decompose-grouped-attention",
        refused=_GROUPED_REFUSED,
    ),
    work=by_root_mean_square(QUERY_NUMBERS, QUERIES, QUERY_NUMBERS) * is_given(14, "q_norm_weight")
    + by_root_mean_square(_NEW_KEY_NUMBERS, _NEW_KEYS, _NEW_KEY_NUMBERS) * is_given(15, "k_norm_weight")
    + _rotary(QUERY_NUMBERS + _NEW_KEY_NUMBERS)
    + SOFTCAP
    + _SCALED
    + masked(causal="causal", default=1)
    + _bias(10)
    + _past(3),
)

# Those that can't be sized

for _names, _reason in {
    "DecoderAttention": "can't be sized: whether it reads a cache is known only at run time",
    "LongformerAttention": "can't be sized: which tokens attend to all is run-time data",
    "GatedDeltaNet": "can't be sized: how sequences are packed is known only at run time",
    "GatedDeltaNetStateReplay": "can't be sized: how much is replayed is run-time data",
    "Mamba2Verify": "can't be sized: a convolution and a recurrence in one operator",
    "QOrderedAttention QOrderedLongformerAttention": "isn't sized: its operands are in layouts of one GPU library",
    "SparseAttention DynamicSparseAttention PagedAttention SparsePagedAttention SparseAttentionIndexer "
    "PackedSparseAttentionIndexer": "can't be sized: which keys it reads is known only at run time",
}.items():
    declare(_names, MICROSOFT, products=unsized("attention", _reason))
