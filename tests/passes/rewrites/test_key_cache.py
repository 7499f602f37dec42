"""Keys and values that are kept for the next time."""

from __future__ import annotations

import numpy as np

import onnxtile
from tests.attention_cases import grouped, grouped_feeds
from tests.support import run_onnxruntime


def test_rows_that_hold_no_token_change_nothing() -> None:
    """Show that what lies in the buffer behind the tokens of the past isn't seen, not even as infinity times zero."""
    feeds = grouped_feeds(np.random.default_rng(1), past=(3, 1), new=1, buffer=8)
    lowered = onnxtile.lower(grouped(feeds, num_heads=4, kv_num_heads=2), (3, 5, 7), ops="all")
    wanted = run_onnxruntime(lowered, feeds)
    for sequence, past in enumerate((3, 1)):
        for name in ("past_key", "past_value"):
            feeds[name] = feeds[name].copy()
            feeds[name][sequence, :, past:] = 1e6
    for result, expected in zip(run_onnxruntime(lowered, feeds), wanted, strict=True):
        np.testing.assert_array_equal(result, expected)


def test_what_is_kept_is_zero_behind_the_tokens() -> None:
    feeds = grouped_feeds(np.random.default_rng(1), past=(3, 1), new=1, buffer=8)
    kept = run_onnxruntime(onnxtile.lower(grouped(feeds, num_heads=4, kv_num_heads=2), (3, 5, 7), ops="all"), feeds)[1]
    assert not kept[0, :, 4:].any()
    assert not kept[1, :, 2:].any()
    np.testing.assert_array_equal(kept[0, :, :3], feeds["past_key"][0, :, :3])


def test_a_prompt_as_long_as_the_longest_keeps_its_keys_as_they_are() -> None:
    feeds = grouped_feeds(np.random.default_rng(1), new=5)
    model = grouped(feeds, constants=("total_sequence_length",), num_heads=4, kv_num_heads=2)
    lowered = onnxtile.lower(model, (64, 8, 64), ops="all", form="batched")
    assert "Range" not in [node.op_type for node in lowered.graph.node]
