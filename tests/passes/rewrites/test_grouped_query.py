"""Test what of a GroupQueryAttention is refused, in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onnxtile
from tests.attention_cases import GROUPED, grouped, grouped_feeds, node_model

REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "cache: its past is kept quantized": ({}, {"k_quant_type": "PER_TENSOR", "kv_cache_bit_width": 8}),
    "cache: its past is kept in a window that moves": ({}, {"sliding_window_cache": 1, "local_window_size": 4}),
    "output: it gives its scores away": ({}, {"qk_output": 1}),
    "window: local_window_size is 0": ({}, {"local_window_size": 0}),
    "window: local_window_size is 2 and causal 0": ({}, {"local_window_size": 2, "causal": 0}),
    "norm: it normalizes": ({"q_norm_weight": np.ones(16, np.float32)}, {}),
    "inputs: it rotates queries and keys without": ({}, {"do_rotary": 1}),
    "inputs: query_seqlens without a past": ({"query_seqlens": np.array([4], np.int32)}, {}),
    "factor: its scale or softcap is negative": ({}, {"scale": -1.0}),
    "attribute: GroupQueryAttention has no attribute 'other'": ({}, {"other": 1}),
    "shape: input 1 isn't known to be 4 tokens": ({"key": np.ones((1, 2, 32), np.float32)}, {}),
    "opset: opset 11 has no Min of whole numbers": ({}, {"opset": 11}),
}


@pytest.mark.parametrize("words", REFUSED)
def test_refused_in_words(words: str) -> None:
    more, attributes = REFUSED[words]
    feeds = grouped_feeds(np.random.default_rng(1)) | more
    model = grouped(feeds, **{"num_heads": 4, "kv_num_heads": 2} | attributes)
    report = onnxtile.lower(model, (3, 5, 7), ops="all", report=True)[1]
    assert all(str(row.reason).startswith(words) for row in report.contractions), report.contractions


def test_lengths_have_to_be_numbers() -> None:
    feeds = grouped_feeds(np.random.default_rng(1), past=(3,), new=1, buffer=8)
    shapes = {name: [1, 2, "kept", 16] for name in ("past_key", "past_value")}
    model = node_model("GroupQueryAttention", GROUPED, feeds, ("y",), shapes=shapes, num_heads=4, kv_num_heads=2)
    report = onnxtile.lower(model, (3, 5, 7), ops="all", report=True)[1]
    assert "bind" in str(report.contractions[0].reason)
    lowered = onnxtile.lower(model, (3, 5, 7), ops="all", bind={"kept": 8})
    assert not [node for node in lowered.graph.node if node.domain]
