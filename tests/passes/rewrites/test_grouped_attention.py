"""GroupQueryAttention in plain operators: the order in which its parts work."""

from __future__ import annotations

import numpy as np

import onnxtile
from tests.attention_cases import grouped, grouped_feeds
from tests.support import sizes_of_products


def test_heads_that_share_keys_are_rows_of_one_product() -> None:
    feeds = grouped_feeds(np.random.default_rng(1), new=3, heads=6, kv_heads=2)
    model = grouped(feeds, num_heads=6, kv_num_heads=2)
    report = onnxtile.check(model, (64, 64, 2), ops="all")
    assert {row.size.axes for row in report.contractions} == {(3, 16, 3), (3, 3, 16)}
    lowered = onnxtile.lower(model, (64, 64, 2), ops="all")
    assert {m for m, _, _ in sizes_of_products(lowered)} == {9}


def test_names_begin_with_the_nodes_own() -> None:
    feeds = grouped_feeds(np.random.default_rng(1))
    lowered = onnxtile.lower(grouped(feeds, num_heads=4, kv_num_heads=2), (3, 5, 7), ops="all")
    assert {node.name.split("/")[0] for node in lowered.graph.node} == {"attn"}
