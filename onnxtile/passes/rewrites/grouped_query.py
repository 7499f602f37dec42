"""Read what a GroupQueryAttention says of itself, and refuse what isn't written out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import onnx_ir as ir

from onnxtile.ir.attributes import attribute_float, attribute_int, attribute_string, given, input_of
from onnxtile.operators.contractions import Contraction
from onnxtile.passes.rewrites.attention import Heads
from onnxtile.tiling.legality import Refusal

TYPES = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.FLOAT)
FIRST_OPSET, BFLOAT16_FROM = 12, 16
"""Versions of the default operator set with Min of whole numbers, and with Where of bfloat16."""
ATTRIBUTES = frozenset(
    [
        "causal",
        "do_rotary",
        "kv_num_heads",
        "local_window_size",
        "num_heads",
        "rotary_interleaved",
        "scale",
        "smooth_softmax",
        "softcap",
        "qk_output",
        "sliding_window_cache",
        "kv_cache_bit_width",
        "k_quant_type",
        "v_quant_type",
        "qk_norm_epsilon",
        "q_norm_epsilon",
        "k_norm_epsilon",
    ]
)


@dataclass(frozen=True)
class GroupedQuery:
    """A node whose sizes are known, but for the batch.

    `rows`: its heads, and new tokens alone. `buffer`: rows that hold the past (None: there is none). `rotary`: half of
    what is rotated of a head (0: nothing). `window`: how many keys a query sees (-1: all).
    """

    node: ir.Node
    rows: Heads
    buffer: int | None
    rotary: int
    interleaved: bool
    causal: bool
    window: int
    scale: float
    softcap: float
    smooth: bool

    @classmethod
    def of(cls, node: ir.Node) -> GroupedQuery:
        query, past, cos = (input_of(node, index) for index in (0, 3, 7))
        heads, kv_heads = (attribute_int(node, name, 0) for name in ("num_heads", "kv_num_heads"))
        assert query is not None and query.shape is not None
        batch, length, width = query.shape
        assert isinstance(length, int) and isinstance(width, int)
        size = width // (heads if given(node, 1) else heads + 2 * kv_heads)
        buffer = None if past is None or past.shape is None else past.shape[2]
        rotary = 0
        if attribute_int(node, "do_rotary", 0):
            assert cos is not None and cos.shape is not None and isinstance(cos.shape[1], int)
            rotary = cos.shape[1]
        assert buffer is None or isinstance(buffer, int)
        return cls(
            node,
            Heads(batch, heads, kv_heads, length, length, size, size),
            buffer or None,
            rotary,
            bool(attribute_int(node, "rotary_interleaved", 0)),
            bool(attribute_int(node, "causal", 1)),
            attribute_int(node, "local_window_size", -1),
            attribute_float(node, "scale", 0.0) or 1 / math.sqrt(size),
            attribute_float(node, "softcap", 0.0),
            bool(attribute_int(node, "smooth_softmax", 0)),
        )

    def optional(self, index: int) -> ir.Value | None:
        return input_of(self.node, index)

    def input(self, index: int) -> ir.Value:
        value = self.optional(index)
        assert value is not None
        return value

    def seen(self, keys: int) -> Heads:
        """Return the heads with so many keys."""
        return replace(self.rows, keys=keys)


def grouped_refusals(product: Contraction) -> Iterator[Refusal]:
    """Yield why a GroupQueryAttention of known sizes isn't written out."""
    node, opset = product.node, product.opset or 0
    for name in sorted(node.attributes.keys() - ATTRIBUTES):
        yield Refusal("attribute", f"GroupQueryAttention has no attribute {name!r}; remove it")
    if product.dtype not in TYPES:
        words = "its type isn't known" if product.dtype is None else f"{product.dtype.name} isn't tiled"
        yield Refusal("dtype", words)
    if opset < FIRST_OPSET:
        yield Refusal("opset", f"opset {opset} has no Min of whole numbers; convert to {FIRST_OPSET} or newer")
    if product.dtype == ir.DataType.BFLOAT16 and opset < BFLOAT16_FROM:
        yield Refusal("opset", f"opset {opset} has no Where of BFLOAT16; convert to {BFLOAT16_FROM} or newer")
    yield from _refused_features(node)
    yield from _refused_shapes(node)


def _refused_features(node: ir.Node) -> Iterator[Refusal]:
    quantized = [attribute_string(node, name, "NONE") for name in ("k_quant_type", "v_quant_type")]
    if quantized != ["NONE", "NONE"] or attribute_int(node, "kv_cache_bit_width", 0):
        yield Refusal("cache", "its past is kept quantized, which isn't lowered; export it with a cache of its type")
    if attribute_int(node, "sliding_window_cache", 0):
        yield Refusal("cache", "its past is kept in a window that moves, which isn't lowered; keep the whole past")
    if attribute_int(node, "qk_output", 0) or (len(node.outputs) > 3 and node.outputs[3].name):
        yield Refusal("output", "it gives its scores away (qk_output), which isn't lowered; take them from elsewhere")
    if given(node, 14) or given(node, 15):
        yield Refusal(
            "norm", "it normalizes queries and keys, which no engine here can confirm; do that in front of it"
        )
    window, causal = attribute_int(node, "local_window_size", -1), attribute_int(node, "causal", 1)
    if causal not in (0, 1) or window < -1 or window == 0 or (window > 0 and not causal):
        yield Refusal("window", f"local_window_size is {window} and causal {causal}, which contradict; mend the model")
    if given(node, 3) != given(node, 4) or given(node, 1) != given(node, 2):
        yield Refusal("inputs", "it has a key without a value, or a value without a key; give both or neither")
    if given(node, 16) and (not given(node, 3) or not causal):
        yield Refusal("inputs", "query_seqlens without a past, or without causal, isn't allowed; leave it out")
    if not given(node, 5) or not given(node, 6):
        yield Refusal("inputs", "it lacks seqlens_k or total_sequence_length; give both")
    if attribute_int(node, "do_rotary", 0) and not (given(node, 7) and given(node, 8)):
        yield Refusal("inputs", "it rotates queries and keys without cos_cache and sin_cache; give both")
    if attribute_float(node, "scale", 0.0) < 0 or attribute_float(node, "softcap", 0.0) < 0:
        yield Refusal("factor", "its scale or softcap is negative; mend the model")


def _refused_shapes(node: ir.Node) -> Iterator[Refusal]:
    heads, kv_heads = (attribute_int(node, name, 0) for name in ("num_heads", "kv_num_heads"))
    if heads < 1 or kv_heads < 1 or heads % kv_heads:
        yield Refusal("heads", f"{heads} heads aren't a multiple of {kv_heads} of keys; mend the model")
        return
    query = _dims(node, 0)
    if query is None or len(query) != 3 or not isinstance(query[1], int) or not isinstance(query[2], int):
        yield Refusal("unknown-shape", "the length or the width of its query isn't known; bind free dimensions")
        return
    size = query[2] // (heads if given(node, 1) else heads + 2 * kv_heads)
    if 0 in query:
        yield Refusal("empty", "its query is empty; remove the node")
    for index in (1, 2) if given(node, 1) else ():
        if _dims(node, index) is None or list(_dims(node, index) or [])[1:] != [query[1], kv_heads * size]:
            words = f"input {index} isn't known to be {query[1]} tokens of {kv_heads} heads of {size}"
            yield Refusal("shape", f"{words}; keys of another length than the query's aren't lowered")
    for index in (3, 4) if given(node, 3) else ():
        dims = _dims(node, index)
        if dims is None or len(dims) != 4 or dims[1] != kv_heads or dims[3] != size or not isinstance(dims[2], int):
            words = f"input {index}, of the past, isn't known to be {kv_heads} heads of a number of tokens of {size}"
            yield Refusal("shape", f"{words}; bind its length with --bind")
        elif node.inputs[index] is None or node.inputs[index].dtype != node.inputs[0].dtype:  # type: ignore[union-attr]
            yield Refusal("cache", "its past is of another type than the query, which isn't lowered")
    yield from _refused_caches(node, size)


def _refused_caches(node: ir.Node, size: int) -> Iterator[Refusal]:
    if attribute_int(node, "do_rotary", 0):
        for index in (7, 8):
            dims = _dims(node, index)
            half = dims[1] if dims is not None and len(dims) == 2 else None
            if not isinstance(half, int) or not 1 <= half <= size // 2 or dims != (_dims(node, 7) or dims):
                words = f"input {index} isn't known to have 1 to {size // 2} columns, as many as cos_cache"
                yield Refusal("shape", f"{words}, which is half of a head; declare its shape")
    bias = _dims(node, 10)
    if given(node, 10) and (bias is None or len(bias) != 4 or not isinstance(bias[1], int)):
        yield Refusal("shape", "attention_bias isn't known to have 4 axes and a number of heads; declare its shape")


def _dims(node: ir.Node, index: int) -> list[int | ir.SymbolicDim] | None:
    value = input_of(node, index)
    return None if value is None or value.shape is None else list(value.shape)
