"""onnxruntime's kinds of attention whose masks are added to scores."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from onnxtile.verification.semantics.attention_ort import MICROSOFT, Attending, only_unset
from onnxtile.verification.semantics.entry import Call, Results, operator
from onnxtile.verification.semantics.microsoft import number_of, requantized, rows_of
from onnxtile.verification.semantics.moves import reshaped
from onnxtile.verification.semantics.products import integer_product, product
from onnxtile.verification.value import UnprovenError, Value

FILTER = -10_000.0
"""What is added to the score of a key that's masked."""
FLOAT = ir.DataType.FLOAT


class Masked(Attending):
    """One node: queries [batch, length, heads, size], keys and values [batch, heads, length, size] are found first."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.heads = int(call.attributes["num_heads"])

    def by_head(self, value: Value) -> Value:
        """[batch, length, heads * size] as [batch, heads, length, size]."""
        batch, length, width = value.shape
        return self.turned(reshaped(value, [batch, length, self.heads, width // self.heads]), 0, 2, 1, 3)

    def attended(self, q: Value, k: Value, v: Value, mask: Value | None, bias: Value | None) -> Value:
        """Softmax(scale * Q K' + masks) V of operands [batch, heads, length, size]."""
        attributes, (batch, _, queries, size), keys = self.call.attributes, q.shape, k.shape[2]
        scale = float(attributes.get("scale", 0)) or 1 / math.sqrt(size)
        scores = self.scores(self.scaled(q, scale), k)
        zero, filtered = self.number(0, q), self.number(float(attributes.get("mask_filter_value", FILTER)), q)
        added = None
        if mask is not None:
            added = self.of("Where", self._shown(mask, batch, queries, keys), zero, filtered)
        if attributes.get("unidirectional") and queries > 1:
            behind = np.arange(keys)[None] > np.arange(queries)[:, None] + (keys - queries)
            seen = self.call.constant(~behind[None, None], ir.DataType.BOOL)
            added = self.of("Where", seen, zero if added is None else added, self.number(float(q.dtype.min), q))
        scores = scores if added is None else self.of("Add", scores, added)
        scores = scores if bias is None else self.of("Add", scores, bias)
        return self.applied(self.softmax(scores), v)

    def _shown(self, mask: Value, batch: int, queries: int, keys: int) -> Value:
        """Return whether a key is shown: by a mark for each, or by where a sequence ends, and where it begins."""
        if len(mask.shape) in (2, 3):
            rows = queries if len(mask.shape) == 3 else 1
            return self.of("Greater", reshaped(mask, [batch, 1, rows, keys]), self.number(0, mask))
        places = self.call.constant(np.arange(keys)[None, None, None], mask.dtype)
        if mask.shape not in ((batch,), (2 * batch,)):
            raise UnprovenError(f"{self.call.node.op_type} with a mask of shape {list(mask.shape)}")
        ends = reshaped(self.cut(mask, 0, 0, batch), [batch, 1, 1, 1])
        shown = self.of("Less", places, ends)
        if mask.shape == (batch,):
            return shown
        starts = reshaped(self.cut(mask, 0, batch, 2 * batch), [batch, 1, 1, 1])
        return self.of("And", shown, self.of("Not", self.of("Less", places, starts)))


def _read(call: Call, index: int | None) -> Value | None:
    return None if index is None else call.optional(index)


@operator("MultiHeadAttention", attributes="num_heads scale mask_filter_value unidirectional", domain=MICROSOFT)
def _multi_head(call: Call) -> Results:
    return _heads(call, mask=4, bias=5, past=6, added=3, refused=(8, 9))


@operator("DecoderMaskedMultiHeadAttention", attributes="num_heads scale mask_filter_value past_present_share_buffer "
          "output_qk", domain=MICROSOFT)  # fmt: skip
def _decoder_masked(call: Call) -> Results:
    """As MultiHeadAttention, for one token; beams and shared buffers aren't evaluated."""
    if call.attributes.get("past_present_share_buffer"):
        raise UnprovenError("DecoderMaskedMultiHeadAttention with a shared buffer")
    return _heads(call, mask=3, bias=4, past=5, added=10, refused=(7, 9))


def _heads(call: Call, mask: int, bias: int, past: int, added: int, refused: Sequence[int]) -> Results:
    """`added`: the input that is added to queries, keys and values."""
    if any(call.optional(index) is not None for index in refused) or any(call.node.output[3:]):
        raise UnprovenError(f"{call.node.op_type} with a buffer, with beams, or with its scores as an output")
    spec = Masked(call)
    found, at = [], 0
    for value in _three(spec, call):
        if len(value.shape) == 3:
            width = value.shape[2]
            if call.optional(added) is not None:
                value = spec.of("Add", value, spec.cut(call.value(added), 0, at, at + width))
            at += width
            value = spec.by_head(value)
        found.append(value)
    q, k, v = found
    if call.optional(past) is not None:
        k, v = (spec.of("Concat", call.value(past + which), x, axis=2) for which, x in enumerate((k, v)))
    y = spec.attended(q, k, v, call.optional(mask), call.optional(bias))
    return [y, k, v][: len(call.node.output)]


def _three(spec: Masked, call: Call) -> list[Value]:
    """Query, key and value, [batch, length, width] or by heads; several may come in one."""
    values = [value for value in (call.optional(index) for index in range(3)) if value is not None]
    found: list[Value] = []
    for value in values:
        if len(value.shape) == 5:
            batch, length, heads, count, size = value.shape
            parts = (spec.cut(value, 3, at, at + 1) for at in range(count))
            found += [reshaped(part, [batch, length, heads * size]) for part in parts]
        elif len(values) == 1:
            third = value.shape[2] // 3
            found += [spec.cut(value, 2, at * third, (at + 1) * third) for at in range(3)]
        else:
            found.append(value)
    if len(found) != 3:
        raise UnprovenError(f"{call.node.op_type} of {len(found)} operands")
    return found


@operator("Attention", attributes="num_heads scale mask_filter_value unidirectional qkv_hidden_sizes do_rotary "
          "rotary_embedding_dim past_present_share_buffer",
          domain=MICROSOFT)  # fmt: skip
def _attention(call: Call) -> Results:
    if call.optional(6) is not None:
        raise UnprovenError("Attention with a shared buffer")
    projected = product(call, call.value(0), call.value(1))
    return _projected(call, projected, mask=3, past=4, bias=5)


@operator("QAttention", attributes="num_heads scale mask_filter_value unidirectional do_rotary "
          "past_present_share_buffer", domain=MICROSOFT)  # fmt: skip
def _quantized_attention(call: Call) -> Results:
    total = integer_product(call, call.value(0), call.value(1), call.optional(6), call.optional(7))
    scale = call.of("Mul", number_of(rows_of(call.value(3))), number_of(call.value(4)))
    return _projected(call, requantized(call, total, scale, None, None), mask=5, past=8, bias=None)


def _projected(call: Call, projected: Value, mask: int, past: int, bias: int | None) -> Results:
    """Attention of what the input was multiplied to."""
    only_unset(call, "do_rotary", "past_present_share_buffer")
    spec = Masked(call)
    if call.optional(2) is not None:
        projected = spec.of("Add", projected, call.value(2))
    width = projected.shape[2]
    sizes = [int(size) for size in call.attributes.get("qkv_hidden_sizes", [width // 3] * 3)]
    ends = [sum(sizes[: at + 1]) for at in range(3)]
    q, k, v = (spec.by_head(spec.cut(projected, 2, end - size, end)) for end, size in zip(ends, sizes, strict=True))
    before = call.optional(past)
    if before is not None:
        olds = [reshaped(spec.cut(before, 0, which, which + 1), list(before.shape[1:])) for which in (0, 1)]
        k, v = (spec.of("Concat", old, x, axis=2) for old, x in zip(olds, (k, v), strict=True))
    hides = call.optional(mask)
    if hides is not None and len(hides.shape) == 2 and hides.shape[1] == 1:
        hides = None  # of one column: onnxruntime takes it for none
    y = spec.attended(q, k, v, hides, _read(call, bias))
    if len(call.node.output) < 2 or not call.node.output[1]:
        return [y]
    return [y, spec.of("Concat", *(reshaped(x, [1, *x.shape]) for x in (k, v)), axis=0)]
