"""Numbers among inputs that say how long results are: which of them are tried."""

from __future__ import annotations

import numpy as np
import pytest

import onnxtile
from tests.attention_cases import grouped, grouped_feeds


@pytest.mark.parametrize(
    ("past", "new", "buffer", "tried"),
    [((0,), 4, None, {4, 7}), ((3,), 1, 8, {1, 8, 9}), ((3,), 2, 1, {2, 3})],
)
def test_a_prompt_and_pasts_that_fit_and_dont(
    past: tuple[int, ...], new: int, buffer: int | None, tried: set[int]
) -> None:
    feeds = grouped_feeds(np.random.default_rng(1), past=past, new=new, buffer=buffer)
    model = grouped(feeds, num_heads=4, kv_num_heads=2)
    (region,) = onnxtile.verify(model, onnxtile.lower(model, (3, 5, 7), ops="all")).regions
    assert region.status == "proven"
    assert {size["total_sequence_length"] for size in region.sizes} == tried


def test_a_constant_length_isnt_tried() -> None:
    feeds = grouped_feeds(np.random.default_rng(1))
    model = grouped(feeds, constants=("total_sequence_length",), num_heads=4, kv_num_heads=2)
    (region,) = onnxtile.verify(model, onnxtile.lower(model, (3, 5, 7), ops="all")).regions
    assert region.status == "proven"
    assert region.sizes == ()
