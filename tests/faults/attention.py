"""Faults in GroupQueryAttention and MultiHeadAttention written out: masks, rotation, the past, groups of heads."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import onnx

import onnxtile
from tests.attention_cases import grouped, grouped_feeds
from tests.faults.written import Written
from tests.masked_attention_cases import CASES, masked_model
from tests.support import Feeds

Put = Callable[[Written], object]
Pair = tuple[onnx.ModelProto, onnx.ModelProto, Feeds]


def _number(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Put:
    """Change a constant."""
    return lambda written: written.constant(f"attn/{name}", change)


def _node(name: str, op_type: str, *inputs: str, **attributes: object) -> Put:
    """Put another operator in a node's place."""
    return lambda written: written.becomes(f"attn/{name}", op_type, *(f"attn/{each}" for each in inputs), **attributes)


def _reads(name: str, position: int, value: str) -> Put:
    return lambda written: written.reads(f"attn/{name}", position, value)


def _swapped(name: str, one: int = 0, other: int = 1) -> Put:
    return lambda written: written.swap_inputs(f"attn/{name}", one, other)


GROUPED: dict[str, Put] = {
    "mask missing": _node("masked", "Identity", "biased"),
    "mask the wrong way round": _swapped("masked", 1, 2),
    "masked by a finite number": _number("masked_2", lambda number: np.full_like(number, -1.0)),
    "queries see one key more": _number("own_ends_1", lambda number: number + 1),
    "queries see the whole sequence": _node("seen_ends", "Identity", "totals"),
    "the end of the sequence is forgotten": _node("seen_ends", "Identity", "ends"),
    "window off by one": _number("starts_1", lambda number: number + 1),
    "window forgotten": _node("in_window", "Identity", "before_end"),
    "half swapped in a rotation of queries": _swapped("query_joined"),
    "half swapped in a rotation of keys": _swapped("key_joined"),
    "rotated the other way": _node("key_one", "Add", "key_a_cos", "key_b_sin"),
    "sin for cos": _reads("query_a_cos", 1, "attn/sin"),
    "keys not rotated": _reads("keys_by_head", 0, "attn/key"),
    "rotation begins at 0": _reads("cos_rows", 1, "attn/positions_1"),
    "past left out": _node("filled", "Greater", "filled_0", "past_or_none"),
    "rows without a token are seen": _reads("past_positions", 2, "attn/past_positions_1"),
    "past and new keys exchanged": _swapped("all_keys"),
    "the past's values for its keys": _reads("all_keys", 0, "past_value"),
    "one token fewer": _number("totals_1", lambda number: number - 1),
    "a prompt isn't told": _swapped("past_or_none", 1, 2),
    "heads get the keys of others": lambda written: written.attribute("attn/queries_turned", perm=[0, 3, 2, 1, 4]),
    "soft cap lost": _node("capped", "Identity", "scores_by_head"),
    "soft cap of another size": _number("cap", lambda number: number * 2),
    "scale forgotten": _node("scaled", "Identity", "query_joined"),
    "scale wrong": _number("scaled_1", lambda number: number * 2),
    "bias by rows, not by positions": _node("bias_or_first", "Identity", "bias_at"),
    "sink left out": _reads("with_sink", 1, "attn/masked"),
    "kept rows begin too late": _number("behind_buffer_1", lambda number: number - 1),
    "kept past is the new rows": _swapped("kept", 1, 2),
    "kept values are the keys": _reads("kept_values_and_zeros", 0, "attn/all_keys"),
}
ONLY_WHERE_FILLED_UP = "the end of the sequence is forgotten"
"""It shows in rows that are filled up, which nothing specifies."""
MASKED: dict[str, Put] = {
    "marks the wrong way round": _swapped("mask_scores", 1, 2),
    "marks left out": _node("masked", "Identity", "scores"),
    "causal mask left out": _node("causal_scores", "Identity", "mask_scores"),
    "a key after the query is seen": _number("causal_scores_0", lambda sees: np.roll(sees, 1, -1)),
    "another filter": _number("mask_scores_2", lambda number: number / 2),
    "past behind the new keys": _swapped("all_keys"),
    "scale of values": _number("scaled_query_1", lambda number: number * number),
}


@cache
def grouped_pair(past: int, new: int) -> Pair:
    """GroupQueryAttention with all that it may have, lowered, and an input."""
    feeds = grouped_feeds(np.random.default_rng(1), past=(past,), new=new, buffer=8, rotary=8, bias=(1, 4), sink=True)
    model = grouped(feeds, num_heads=4, kv_num_heads=2, do_rotary=1, softcap=2.0, local_window_size=3, scale=0.3)
    return model, onnxtile.lower(model, (3, 5, 7), ops="all", form="batched"), feeds


@cache
def masked_pair() -> Pair:
    op_type, feeds, attributes = CASES["past"]
    model = masked_model(op_type, feeds, **attributes | {"mask_filter_value": -2.0})
    return model, onnxtile.lower(model, (2, 3, 5), ops="all", form="batched"), feeds


def with_fault(lowered: onnx.ModelProto, put: Put) -> onnx.ModelProto:
    model = onnx.ModelProto()
    model.CopyFrom(lowered)
    put(Written(model))
    return model
