"""Attention whose masks are added to scores, as the proof has it: what changes the meaning is seen."""

from __future__ import annotations

from typing import Any

import pytest

import onnxtile
from tests.masked_attention_cases import CASES, masked_model


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("past", {"unidirectional": 0}),
        ("past", {"scale": 0.4}),
        ("marks", {"mask_filter_value": -3.0}),
        ("projected, past", {"unidirectional": 0}),
        ("projected, ends", {"mask_filter_value": -10_000.0}),
        ("bytes", {"scale": 0.4}),
    ],
)
def test_each_attribute_counts(name: str, other: dict[str, Any]) -> None:
    op_type, feeds, attributes = CASES[name]
    wrong = onnxtile.lower(masked_model(op_type, feeds, **attributes | other), (2, 3, 5), ops="all", form="batched")
    assert not onnxtile.verify(masked_model(op_type, feeds, **attributes), wrong).equivalent


def test_the_mask_counts() -> None:
    op_type, feeds, attributes = CASES["marks"]
    wrong = masked_model(op_type, feeds, **attributes)
    wrong.graph.node[0].input[4] = ""
    del wrong.graph.node[0].input[4:]
    lowered = onnxtile.lower(wrong, (2, 3, 5), ops="all", form="batched")
    assert not onnxtile.verify(masked_model(op_type, feeds, **attributes), lowered).equivalent
