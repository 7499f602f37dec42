"""Test what is done to scores in the end: which ways there are, and which are refused."""

from __future__ import annotations

import pytest
from onnx import helper
from onnx_ir import from_proto

from onnxtile.passes.rewrites.score_transforms import TRANSFORMS, transform_refusals


def codes(name: str, columns: int, opset: int = 21) -> list[str]:
    node = from_proto(helper.make_node("LinearRegressor", ["x"], ["y"], post_transform=name))
    return [refusal.code for refusal in transform_refusals(node, columns, opset)]


@pytest.mark.parametrize("name", TRANSFORMS)
def test_several_scores_are_transformed_in_every_way(name: str) -> None:
    assert codes(name, 3) == []


def test_one_score_stays_as_it_is() -> None:
    assert codes("NONE", 1) == []
    assert codes("SOFTMAX", 1) == ["post-transform"]


def test_old_opsets_lack_operators() -> None:
    assert codes("PROBIT", 3, 8) == ["opset"]
    assert codes("SOFTMAX", 3, 8) == []
