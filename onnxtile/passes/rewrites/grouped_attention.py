"""GroupQueryAttention in plain operators, with what it keeps of keys and values for the next time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from onnxtile.passes.rewrites.attention import attended, capped, masked, rotated, scaled, weights_of
from onnxtile.passes.rewrites.grouped_query import GroupedQuery
from onnxtile.passes.rewrites.key_cache import (
    Tokens,
    filled_up,
    kept,
    kept_rows,
    positions_of_new,
    positions_of_rows,
    visible,
)
from onnxtile.passes.rewrites.steps import Steps

INT64 = ir.DataType.INT64


@dataclass
class GroupedAttention:
    """Writes one GroupQueryAttention out. `longest`: its input total_sequence_length, where it's a constant."""

    steps: Steps
    of: GroupedQuery
    longest: int | None
    prompt: ir.Value | None = field(init=False, default=None)
    """Whether no token came before, where only run time knows."""
    tokens: Tokens = field(init=False)
    _length: ir.Value | None = field(init=False, default=None)

    def write(self) -> None:
        steps, of, heads = self.steps, self.of, self.of.rows
        q, k, v = self._operands()
        self.tokens = self._tokens()
        new = positions_of_new(steps, self.tokens)
        if of.rotary:
            cos, sin = self._rotation(new)
            q = rotated(steps, "query", q, cos, sin, heads.size, of.interleaved)
            k = rotated(steps, "key", k, cos, sin, heads.size, of.interleaved)
        k, v = (steps("Transpose", f"{leaf}_by_head", x, shape=[heads.batch, heads.kv_heads, heads.queries, heads.size],
                      perm=[0, 2, 1, 3]) for leaf, x in (("keys", k), ("values", v)))  # fmt: skip
        all_k, all_v = k, v
        if self.tokens.past is not None:
            shape = [heads.batch, heads.kv_heads, self.tokens.rows, heads.size]
            all_k, all_v = (
                steps("Concat", f"all_{leaf}", past, x, shape=shape, axis=2)
                for leaf, past, x in (("keys", of.input(3), k), ("values", of.input(4), v))
            )
        rows = positions_of_rows(steps, self.tokens, new)
        sees = visible(steps, self.tokens, new, rows, of.causal, of.window)
        seen = of.seen(self.tokens.rows)

        def between(scores: ir.Value) -> ir.Value:
            scores = capped(steps, scores, of.softcap)
            if of.optional(10) is not None:
                scores = steps("Add", "biased", scores, self._bias(rows))
            return weights_of(steps, masked(steps, scores, sees), seen, self._sink())

        y = attended(steps, scaled(steps, "scaled", q, of.scale), all_k, all_v, seen, between)
        presents = self._presents((all_k, k), (all_v, v))
        steps.new.swap_in(*(y, *presents, None)[: len(of.node.outputs)])

    def _operands(self) -> list[ir.Value]:
        """Add query, key and value [batch, length, heads, size]."""
        steps, of, heads = self.steps, self.of, self.of.rows
        counts = (heads.heads, heads.kv_heads, heads.kv_heads)
        if of.optional(1) is None:
            packed = steps.reshape("packed", of.input(0), [0, 0, sum(counts), heads.size])
            ends = np.cumsum(counts).tolist()
            return [
                steps("Slice", leaf, packed, [end - count], [end], [2],
                      shape=[heads.batch, heads.queries, count, heads.size])
                for leaf, end, count in zip(("query", "key", "value"), ends, counts, strict=True)
            ]  # fmt: skip
        return [
            steps.reshape(leaf, of.input(index), [0, 0, count, heads.size],
                          [heads.batch, heads.queries, count, heads.size])
            for index, (leaf, count) in enumerate(zip(("query", "key", "value"), counts, strict=True))
        ]  # fmt: skip

    def _tokens(self) -> Tokens:
        steps, of = self.steps, self.of
        total = steps("Add", "totals", steps.integers("last", of.input(5), [-1, 1, 1]), 1)
        count = of.optional(16)
        if of.buffer is None:
            return Tokens(total, None, 0, of.rows.queries)
        length: ir.Value | int = of.rows.queries if count is None else steps.integers("valid", count, [-1, 1])
        past = steps("Sub", "past", steps.reshape("totals_flat", total, [-1, 1]), length)
        if count is None:
            self.prompt = steps("Equal", "is_prompt", self._longest(), of.rows.queries, dtype=ir.DataType.BOOL)
            past = steps("Where", "past_or_none", self.prompt, 0, past, dtype=INT64)
        return Tokens(total, past, of.buffer, of.rows.queries)

    def _longest(self) -> ir.Value:
        """Add the input total_sequence_length, a number, once."""
        if self._length is None:
            self._length = self.steps.integers("longest", self.of.input(6), [])
        return self._length

    def _rotation(self, new: ir.Value) -> tuple[ir.Value, ir.Value]:
        """Add cos and sin [batch or 1, length, 1, half of what is rotated]."""
        steps, of, heads = self.steps, self.of, self.of.rows
        at, given, past = new, of.optional(9), self.tokens.past
        if given is not None and (past is None or self.prompt is not None):
            first = steps("Slice", "first_position", given, [0, 0], [1, 1], [0, 1])
            at = steps("Add", "prompt_positions", first, np.arange(heads.queries, dtype=np.int64)[None])
        if given is not None and past is not None:
            at = given if self.prompt is None else steps("Where", "token_at", self.prompt, at, given, dtype=INT64)
        elif of.optional(16) is not None:  # what is only filled up may lie behind the last row
            last = steps.reshape("last_flat", steps("Sub", "last_at", self.tokens.total, 1), [-1, 1])
            at = steps("Min", "valid_at", at, last)
        cos, sin = (
            steps.reshape(leaf, steps("Gather", f"{leaf}_rows", of.input(index), at, axis=0),
                          [-1, heads.queries, 1, of.rotary], [1, heads.queries, 1, of.rotary])
            for leaf, index in (("cos", 7), ("sin", 8))
        )  # fmt: skip
        return cos, sin

    def _bias(self, rows: ir.Value) -> ir.Value:
        """Add the bias [batch or 1, heads or 1, queries, rows], which counts tokens by their positions."""
        steps, bias, total = self.steps, self.of.input(10), self.tokens.total
        if self.tokens.past is None:
            return steps("Slice", "bias", bias, [0], [self.tokens.new], [3])
        at = steps.reshape("bias_at", rows, [-1, 1, 1, self.tokens.rows])
        is_token = steps(
            "Less", "is_biased", at, steps.reshape("bias_end", total, [-1, 1, 1, 1]), dtype=ir.DataType.BOOL
        )
        at = steps("Where", "bias_or_first", is_token, at, 0, dtype=INT64)
        assert bias.shape is not None and isinstance(bias.shape[1], int)
        at = steps("Expand", "bias_rows", at, [1, bias.shape[1], self.tokens.new, 1])
        batch = steps("Slice", "bias_batch", steps("Shape", "bias_sizes", at), [0], [1], [0])
        bias = steps("Expand", "bias_of_batch", bias, steps("Concat", "bias_shape", batch, [1, 1, 1], axis=0))
        return steps("GatherElements", "bias", bias, at, axis=3)

    def _sink(self) -> ir.Value | None:
        of = self.of
        sink = of.optional(11)
        if sink is not None or not of.smooth:
            return sink
        assert of.node.inputs[0] is not None and of.node.inputs[0].dtype is not None
        return self.steps.constant("no_sink", np.zeros(1, of.node.inputs[0].dtype.numpy()))

    def _presents(self, *caches: tuple[ir.Value, ir.Value]) -> list[ir.Value | None]:
        """Add what is kept of keys and of values for the next time, where it's read. `caches`: all rows, new rows."""
        steps, of, past = self.steps, self.of, self.tokens.past
        read = [bool(output.name) for output in of.node.outputs[1:3]]
        if not any(read):
            return [None] * len(read)
        if self.longest is not None:
            length: ir.Value | int = max(self.longest, of.buffer or 0)
        else:
            length = self._longest()
            length = steps("Max", "kept_length", length, of.buffer) if of.buffer else length
        rows = None
        if past is not None:
            rows = kept_rows(steps, self.tokens, past, steps.constant("kept_length", length), of.rows)
        return [
            None if not wanted
            else filled_up(steps, f"kept_{leaf}", new, self.tokens, length) if rows is None
            else kept(steps, f"kept_{leaf}", cache, rows, of.rows)
            for leaf, wanted, (cache, new) in zip(("keys", "values"), read, caches, strict=False)
        ]  # fmt: skip
