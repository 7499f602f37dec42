"""onnxruntime's kinds of attention, as the proof has them: what changes the meaning is seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

import onnxtile
from tests.attention_cases import grouped, grouped_feeds

SIZES = {"past": (5, 7), "new": 1, "buffer": 8, "rotary": 8, "sink": True, "bias": (1, 1)}
HEADS = {"num_heads": 4, "kv_num_heads": 2, "do_rotary": 1, "softcap": 2.0, "local_window_size": 3}


def lowered(**attributes: Any) -> onnx.ModelProto:
    feeds = grouped_feeds(np.random.default_rng(1), **SIZES)
    return onnxtile.lower(grouped(feeds, **HEADS | attributes), (3, 5, 7), ops="all", form="batched")


@pytest.mark.parametrize(
    "other",
    [
        {"softcap": 0.0}, {"softcap": 3.0}, {"scale": 0.5}, {"local_window_size": 4}, {"local_window_size": -1},
        {"rotary_interleaved": 1}, {"do_rotary": 0}, {"causal": 0, "local_window_size": -1}, {"kv_num_heads": 2},
    ],
)  # fmt: skip
def test_each_attribute_counts(other: dict[str, Any]) -> None:
    original = grouped(grouped_feeds(np.random.default_rng(1), **SIZES), **HEADS)
    verdict = onnxtile.verify(original, lowered(**other))
    assert verdict.equivalent == (other == {"kv_num_heads": 2})


def test_attributes_that_say_nothing_are_allowed() -> None:
    feeds = grouped_feeds(np.random.default_rng(1))
    nothing = {"qk_output": 0, "k_quant_type": "NONE", "sliding_window_cache": 0, "kv_cache_bit_width": 0}
    model = grouped(feeds, num_heads=4, kv_num_heads=2, **nothing)
    verdict = onnxtile.verify(model, onnxtile.lower(model, (3, 5, 7), ops="all"))
    assert [region.status for region in verdict.regions] == ["proven"]


def test_what_isnt_evaluated_isnt_proven() -> None:
    feeds = grouped_feeds(np.random.default_rng(1))
    model = grouped(feeds, num_heads=4, kv_num_heads=2, qk_output=0)
    verdict = onnxtile.verify(model, model)
    assert verdict.equivalent
    assert verdict.regions == ()
