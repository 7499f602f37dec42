"""Keys and values that are kept: those of the past, in a buffer that may be longer, and those of new tokens.

A query sees the buffer's rows and the new ones behind each other, and which of them it may see follows from how many
tokens came before. What is kept for the next time has the new rows right behind those of the past.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnxtile.passes.rewrites.attention import Heads
from onnxtile.passes.rewrites.steps import Steps

NOWHERE = 1 << 31
"""The position of a row of the buffer that holds no token: behind all others."""


@dataclass(frozen=True)
class Tokens:
    """Hold the tokens of each sequence: `total` [batch, 1, 1] with the new ones, `past` [batch, 1] before them.

    `past` None: none. `buffer`: rows of the past that there is room for; `new`: new ones.
    """

    total: ir.Value
    past: ir.Value | None
    buffer: int
    new: int

    @property
    def rows(self) -> int:
        """Count the rows that queries see."""
        return self.new if self.past is None else self.buffer + self.new


def positions_of_new(steps: Steps, tokens: Tokens) -> ir.Value:
    """Add the positions of new tokens [batch or 1, new]."""
    order = np.arange(tokens.new, dtype=np.int64)[None]
    if tokens.past is None:
        return steps.constant("positions", order)
    return steps("Add", "positions", tokens.past, order)


def positions_of_rows(steps: Steps, tokens: Tokens, new: ir.Value) -> ir.Value:
    """Add the positions of all rows [batch or 1, rows]. `new`: those of new ones."""
    if tokens.past is None:
        return new
    order = np.arange(tokens.buffer, dtype=np.int64)[None]
    filled = steps("Less", "filled", order, tokens.past, dtype=ir.DataType.BOOL)
    past = steps("Where", "past_positions", filled, order, NOWHERE, dtype=ir.DataType.INT64)
    return steps("Concat", "row_positions", past, new, axis=1)


def visible(steps: Steps, tokens: Tokens, new: ir.Value, rows: ir.Value, causal: bool, window: int) -> ir.Value:
    """Add which rows a query sees [batch, 1, queries, rows]: those before its end, and not before its window.

    It ends behind itself where it's causal, and never behind the sequence. `window`: how many it sees; below 1: all.
    """
    end = tokens.total
    if causal:
        own = steps.reshape("ends", steps("Add", "own_ends", new, 1), [-1, tokens.new, 1])
        end = steps("Min", "seen_ends", own, tokens.total)
    at = steps.reshape("rows_at", rows, [-1, 1, tokens.rows])
    sees = steps("Less", "before_end", at, end, dtype=ir.DataType.BOOL)
    if window > 0:
        early = steps("Less", "before_window", at, steps("Sub", "starts", end, window), dtype=ir.DataType.BOOL)
        sees = steps("And", "in_window", sees, steps("Not", "in_reach", early))
    return steps.reshape("visible", sees, [-1, 1, tokens.new if causal else 1, tokens.rows])


def kept_rows(steps: Steps, tokens: Tokens, past: ir.Value, length: ir.Value, heads: Heads) -> ir.Value:
    """Add which rows are kept of the buffer, the new ones and one of zeros behind them, which fills up.

    `past`: that of `tokens`. `length`: how many rows of a sequence are kept, a number. Returns [batch, kv_heads,
    length], where rows count through all sequences and heads.
    """
    is_bool, whole = ir.DataType.BOOL, ir.DataType.INT64
    place = steps("Range", "places", 0, length, 1, dtype=whole)
    past = steps.reshape("past_of_all", past, [-1, 1, 1])
    row = steps("Sub", "new_rows", steps("Add", "behind_buffer", place, tokens.buffer), past)
    is_token = steps("Less", "is_token", place, steps("Add", "new_end", past, tokens.new), dtype=is_bool)
    row = steps("Where", "rows_or_zeros", is_token, row, tokens.buffer + tokens.new, dtype=whole)
    row = steps("Where", "kept", steps("Less", "is_past", place, past, dtype=is_bool), place, row, dtype=whole)
    count = tokens.buffer + tokens.new + 1
    of_heads = np.arange(heads.kv_heads, dtype=np.int64)[None, :, None] * count
    if isinstance(heads.batch, int):
        order: ir.Value | np.ndarray = np.arange(heads.batch, dtype=np.int64)[:, None, None]
    else:
        batch = steps("Gather", "batch_size", steps("Shape", "sequences", tokens.total), 0, axis=0)
        order = steps.reshape("batches", steps("Range", "batch_places", 0, batch, 1), [-1, 1, 1])
    first = steps(
        "Add", "first_rows", steps("Mul", "first_heads", order, heads.kv_heads * count, dtype=whole), of_heads
    )
    return steps("Add", "kept_of_heads", row, first)


def kept(steps: Steps, leaf: str, cache: ir.Value, rows: ir.Value, heads: Heads) -> ir.Value:
    """Add those rows of `cache` [batch, kv_heads, buffer and new, size] and of one of zeros behind each head."""
    assert cache.dtype is not None
    amounts = [0, 0, 0, 0, 0, 0, 1, 0]
    padded = steps("Pad", f"{leaf}_and_zeros", cache, amounts, np.array(0, cache.dtype.numpy()), mode="constant")
    return steps("Gather", leaf, steps.reshape(f"{leaf}_rows", padded, [-1, heads.size]), rows, axis=0)


def filled_up(steps: Steps, leaf: str, new: ir.Value, tokens: Tokens, length: ir.Value | int) -> ir.Value:
    """Add new rows [batch, kv_heads, new, size], filled up with zeros to `length`, which is a number."""
    assert new.dtype is not None
    if length == tokens.new:
        return steps("Identity", leaf, new)
    if isinstance(length, int):
        amounts: ir.Value | list[int] = [0, 0, 0, 0, 0, 0, length - tokens.new, 0]
    else:
        more = steps.reshape(f"{leaf}_more", steps("Sub", f"{leaf}_lacks", length, tokens.new), [1])
        amounts = steps("Concat", f"{leaf}_amounts", [0] * 6, more, [0], axis=0)
    return steps("Pad", leaf, new, amounts, np.array(0, new.dtype.numpy()), mode="constant")
