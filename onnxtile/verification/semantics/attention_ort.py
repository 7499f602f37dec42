"""onnxruntime's kinds of attention, as their documentation and its CPU kernels have them.

Rows of keys and values are those of the past's buffer and, behind them, the new ones; a row that a query doesn't see
has the score minus infinity. How many tokens there are is a number that runs bring: what it decides is a function.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx_ir as ir

from onnxtile.verification.semantics.casts import cast
from onnxtile.verification.semantics.entry import Call, Results, operator
from onnxtile.verification.semantics.moves import reshaped
from onnxtile.verification.semantics.products import product, swapped
from onnxtile.verification.value import UnprovenError, Value

MICROSOFT = "com.microsoft"
BEHIND_ALL = 1 << 31
WHOLE = ir.DataType.INT64


def only_unset(call: Call, *names: str) -> None:
    """Raise UnprovenError for an attribute that says something: what isn't evaluated is 0, or b"NONE"."""
    for name in names:
        if call.attributes.get(name, 0) not in (0, b"NONE"):
            raise UnprovenError(f"{call.node.op_type} with {name}")


class Attending:
    """Operators on values, in the words of attention."""

    def __init__(self, call: Call) -> None:
        self.call = call

    def whole(self, number: int | np.ndarray) -> Value:
        return self.call.constant(number, WHOLE)

    def number(self, number: float, like: Value) -> Value:
        return self.call.constant(number, like.dtype)

    def of(self, op_type: str, *values: Value | int | np.ndarray, **attributes: Any) -> Value:
        """An operator's result; whole numbers are constants."""
        given = [value if isinstance(value, Value) else self.whole(value) for value in values]
        return self.call.of(op_type, *given, **attributes)

    def cut(self, value: Value, axis: int, start: int, end: int) -> Value:
        return value.moved(lambda array, lead: array[(slice(None),) * (lead + axis) + (slice(start, end),)])

    def turned(self, value: Value, *order: int) -> Value:
        return value.moved(lambda array, lead: array.transpose(*range(lead), *(lead + axis for axis in order)))

    def scaled(self, value: Value, factor: float) -> Value:
        return value if factor == 1 else self.of("Mul", value, self.number(factor, value))

    def by_groups(self, value: Value, groups: int) -> Value:
        """[batch, heads, rows, size] as [batch, groups, heads of a group * rows, size]: a group shares keys."""
        batch, heads, rows, size = value.shape
        return reshaped(value, [batch, groups, heads // groups * rows, size])

    def scores(self, q: Value, k: Value) -> Value:
        """Q K' [batch, heads, queries, rows] of [batch, heads, queries, size] and [batch, groups, rows, size]."""
        found = product(self.call, self.by_groups(q, k.shape[1]), swapped(k))
        return reshaped(found, [*q.shape[:3], k.shape[2]])

    def applied(self, weights: Value, v: Value) -> Value:
        """Weights by values, [batch, queries, heads * size]."""
        batch, heads, queries = weights.shape[:3]
        found = product(self.call, self.by_groups(weights, v.shape[1]), v)
        found = self.turned(reshaped(found, [batch, heads, queries, v.shape[3]]), 0, 2, 1, 3)
        return reshaped(found, [batch, queries, heads * v.shape[3]])

    def capped(self, scores: Value, cap: float) -> Value:
        """Cap * tanh(scores / cap)."""
        if not cap:
            return scores
        number = self.number(cap, scores)
        return self.of("Mul", self.of("Tanh", self.of("Div", scores, number)), number)

    def softmax(self, scores: Value, sink: Value | None = None) -> Value:
        """Weights of each line; with a sink [heads, or 1], of a line with one score more."""
        if sink is None:
            return self.of("Softmax", scores, axis=-1)
        shape = scores.shape
        column = self.of("Expand", reshaped(sink, [1, -1, 1, 1]), np.array([*shape[:3], 1]))
        return self.cut(self.of("Softmax", self.of("Concat", scores, column, axis=3), axis=-1), 3, 0, shape[3])

    def rotated(self, x: Value, cos: Value, sin: Value, interleaved: bool) -> Value:
        """Pairs of each head of x [batch, length, heads, size] turned; cos, sin [batch, length, 1, pairs]."""
        pairs, lead = cos.shape[3], list(x.shape[:3])
        whole = self.cut(x, 3, 0, 2 * pairs)
        if interleaved:
            apart = reshaped(whole, [*lead, pairs, 2])
            a, b = (reshaped(self.cut(apart, 4, at, at + 1), [*lead, pairs]) for at in (0, 1))
        else:
            a, b = self.cut(whole, 3, 0, pairs), self.cut(whole, 3, pairs, 2 * pairs)
        real = self.of("Sub", self.of("Mul", a, cos), self.of("Mul", b, sin))
        imaginary = self.of("Add", self.of("Mul", a, sin), self.of("Mul", b, cos))
        if interleaved:
            halves = [reshaped(half, [*lead, pairs, 1]) for half in (real, imaginary)]
            whole = reshaped(self.of("Concat", *halves, axis=4), [*lead, 2 * pairs])
        else:
            whole = self.of("Concat", real, imaginary, axis=3)
        return self.of("Concat", whole, self.cut(x, 3, 2 * pairs, x.shape[3]), axis=3)


@operator(
    "GroupQueryAttention",
    attributes="causal do_rotary kv_num_heads local_window_size num_heads rotary_interleaved scale smooth_softmax "
    "softcap qk_output sliding_window_cache kv_cache_bit_width k_quant_type v_quant_type qk_norm_epsilon "
    "q_norm_epsilon k_norm_epsilon",
    domain=MICROSOFT,
)
def _group_query_attention(call: Call) -> Results:
    return _Grouped(call).results()


class _Grouped(Attending):
    """One GroupQueryAttention: `length` new tokens, and rows for `buffer` of the past (0: it has none)."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        only_unset(call, "qk_output", "sliding_window_cache", "kv_cache_bit_width", "k_quant_type", "v_quant_type")
        if any(call.optional(index) is not None for index in (12, 13, 14, 15)):
            raise UnprovenError("GroupQueryAttention that is quantized, or normalizes what it gets")
        self.heads, self.groups = (int(call.attributes[name]) for name in ("num_heads", "kv_num_heads"))
        self.q, self.k, self.v = self._operands()
        self.batch, self.length, _, self.size = self.q.shape
        past = call.optional(3)
        self.buffer = 0 if past is None else past.shape[2]
        self.valid = call.optional(16)
        self.longest = reshaped(cast(call, call.value(6), WHOLE), [])
        self.total = self.of("Add", cast(call, reshaped(call.value(5), [self.batch]), WHOLE), 1)
        self.past = self._past()

    def _operands(self) -> tuple[Value, Value, Value]:
        """Query, key and value [batch, length, heads, size], which may come in one."""
        query, counts = self.call.value(0), (self.heads, self.groups, self.groups)
        if self.call.optional(1) is None:
            whole = reshaped(query, [*query.shape[:2], sum(counts), query.shape[2] // sum(counts)])
            starts = (0, counts[0], counts[0] + counts[1])
            pieces = [self.cut(whole, 2, at, at + count) for at, count in zip(starts, counts, strict=True)]
        else:
            values = [self.call.value(index) for index in range(3)]
            if values[0].shape[:2] != values[1].shape[:2]:
                raise UnprovenError("GroupQueryAttention with keys of another length than the query's")
            size = query.shape[2] // self.heads
            pieces = [
                reshaped(value, [*value.shape[:2], count, size]) for value, count in zip(values, counts, strict=True)
            ]
        return pieces[0], pieces[1], pieces[2]

    def _past(self) -> Value | None:
        """Count the tokens before the new ones [batch]; none where the longest of all is as long as they are."""
        if not self.buffer:
            return None
        if self.valid is not None:
            return self.of("Sub", self.total, cast(self.call, reshaped(self.valid, [self.batch]), WHOLE))
        past = self.of("Sub", self.total, self.length)
        return self.of("Where", self.of("Equal", self.longest, self.length), 0, past)

    def results(self) -> Results:
        attributes = self.call.attributes
        own = self._own_positions()
        if attributes.get("do_rotary"):
            cos, sin = self._rotation(own)
            interleaved = bool(attributes.get("rotary_interleaved"))
            self.q, self.k = (self.rotated(x, cos, sin, interleaved) for x in (self.q, self.k))
        k, v = (self.turned(x, 0, 2, 1, 3) for x in (self.k, self.v))
        rows = [k, v] if self.past is None else [
            self.of("Concat", self.call.value(index), x, axis=2) for index, x in ((3, k), (4, v))
        ]  # fmt: skip
        q = self.turned(self.scaled(self.q, self._scale()), 0, 2, 1, 3)
        scores = self.capped(self.scores(q, rows[0]), float(attributes.get("softcap", 0)))
        at = self._positions(own)
        if self.call.optional(10) is not None:
            scores = self.of("Add", scores, self._bias(at))
        scores = self.of("Where", self._seen(own, at), scores, self.number(-math.inf, scores))
        y = self.applied(self.softmax(scores, self._sink()), rows[1])
        return [y, *self._presents(k, v)][: len(self.call.node.output)]

    def _scale(self) -> float:
        return float(self.call.attributes.get("scale", 0)) or 1 / math.sqrt(self.size)

    def _own_positions(self) -> Value:
        """The positions of new tokens, [batch or 1, length]."""
        order = np.arange(self.length)[None]
        return self.whole(order) if self.past is None else self.of("Add", reshaped(self.past, [-1, 1]), order)

    def _positions(self, own: Value) -> Value:
        """The positions of all rows, [batch or 1, rows]; what holds no token is behind all."""
        if self.past is None:
            return own
        order = np.arange(self.buffer)[None]
        filled = self.of("Less", order, reshaped(self.past, [-1, 1]))
        return self.of("Concat", self.of("Where", filled, order, BEHIND_ALL), own, axis=1)

    def _rotation(self, own: Value) -> list[Value]:
        """The rows of cos and sin at the tokens' positions, or at those that are given: of a prompt the first one."""
        at, given = own, self.call.optional(9)
        if given is not None:
            prompt = self.of("Equal", self.longest, self.length)
            from_first = self.of("Add", self.cut(self.cut(given, 0, 0, 1), 1, 0, 1), np.arange(self.length)[None])
            if self.past is None:
                at = from_first
            else:
                at = given if self.valid is not None else self.of("Where", prompt, from_first, given)
        elif self.valid is not None:
            at = self.of("Min", own, self.of("Sub", reshaped(self.total, [-1, 1]), 1))
        tables = [self.of("Gather", self.call.value(index), at, axis=0) for index in (7, 8)]
        return [reshaped(table, [-1, self.length, 1, table.shape[-1]]) for table in tables]

    def _seen(self, own: Value, at: Value) -> Value:
        """Mark the rows that each query sees, [batch, 1, queries or 1, rows]."""
        end, window = reshaped(self.total, [-1, 1, 1]), int(self.call.attributes.get("local_window_size", -1))
        if self.call.attributes.get("causal", 1):
            end = self.of("Min", reshaped(self.of("Add", own, 1), [-1, self.length, 1]), end)
        at = reshaped(at, [-1, 1, at.shape[1]])
        seen = self.of("Less", at, end)
        if window == 0 or window < -1:
            raise UnprovenError(f"local_window_size is {window}")
        if window > 0:
            seen = self.of("And", seen, self.of("Not", self.of("Less", at, self.of("Sub", end, window))))
        return reshaped(seen, [seen.shape[0], 1, *seen.shape[1:]])

    def _bias(self, at: Value) -> Value:
        """The bias at the rows' positions; what holds no token has any."""
        bias = self.call.value(10)
        if self.past is None:
            return self.cut(bias, 3, 0, self.length)
        rows = at.shape[1]
        at = reshaped(at, [-1, 1, 1, rows])
        at = self.of("Where", self.of("Less", at, reshaped(self.total, [-1, 1, 1, 1])), at, 0)
        at = self.of("Expand", at, np.array([self.batch, bias.shape[1], self.length, rows]))
        bias = self.of("Expand", bias, np.array([self.batch, *bias.shape[1:]]))
        return self.of("GatherElements", bias, at, axis=3)

    def _sink(self) -> Value | None:
        sink = self.call.optional(11)
        if sink is None and self.call.attributes.get("smooth_softmax"):
            return self.call.constant(np.zeros(1), self.q.dtype)
        return sink

    def _presents(self, k: Value, v: Value) -> list[Value | None]:
        """Return what is kept: the past, the new rows behind it, then zeros up to the longest or the past's rows."""
        names = self.call.node.output[1:3]
        if not any(names):
            return [None] * len(names)
        if self.longest.known is None:
            raise UnprovenError("how long the past is kept comes from the model's inputs")
        length = self.of("Max", self.longest, self.buffer) if self.buffer else self.longest
        lengths = int(length.whole_numbers("the length of what is kept")[0])
        return [
            self._kept(x, index, lengths, length) if name else None
            for name, index, x in zip(names, (3, 4), (k, v), strict=False)
        ]

    def _kept(self, x: Value, index: int, count: int, length: Value) -> Value:
        lead = x.shape[:2]
        if self.past is None:
            more = np.array([0] * 6 + [count - self.length, 0])
            return self.of("Pad", x, more, self.number(0, x))
        rows, zeros = self.buffer + self.length + 1, self.call.constant(np.zeros((*lead, 1, self.size)), x.dtype)
        cache = self.of("Concat", self.call.value(index), x, zeros, axis=2)
        place, past = self.of("Range", 0, length, 1), reshaped(self.past, [-1, 1, 1])
        new = self.of("Sub", self.of("Add", place, self.buffer), past)
        new = self.of("Where", self.of("Less", place, self.of("Add", past, self.length)), new, rows - 1)
        row = self.of("Where", self.of("Less", place, past), place, new)
        first = np.arange(lead[0] * lead[1]).reshape(*lead, 1) * rows
        row = self.of("Add", row, first)
        return self.of("Gather", reshaped(cache, [-1, self.size]), row, axis=0)
