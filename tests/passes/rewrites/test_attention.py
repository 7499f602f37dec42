"""Attention in plain operators: what is written where nothing is asked for, and what costs no node."""

from __future__ import annotations

import numpy as np
import pytest

import onnxtile
from tests.attention_cases import grouped, grouped_feeds


def operators(**attributes: float) -> list[str]:
    sizes = {"rotary": 8} if attributes.get("do_rotary") else {}
    feeds = grouped_feeds(np.random.default_rng(1), heads=2, **sizes)
    lowered = onnxtile.lower(
        grouped(feeds, ("y",), num_heads=2, kv_num_heads=2, **attributes), (64, 8, 64), ops="all", form="batched"
    )
    return [node.op_type for node in lowered.graph.node]


@pytest.mark.parametrize(("attributes", "op_type"), [({"softcap": 2.0}, "Tanh"), ({"smooth_softmax": 1}, "Expand")])
def test_what_isnt_asked_for_isnt_written(attributes: dict[str, float], op_type: str) -> None:
    assert op_type not in operators()
    assert op_type in operators(**attributes)


def test_a_scale_of_one_costs_no_node() -> None:
    assert operators().count("Mul") == operators(scale=1.0).count("Mul") + 1


def test_a_rotation_is_four_products() -> None:
    assert operators(do_rotary=1).count("Mul") == operators().count("Mul") + 8
