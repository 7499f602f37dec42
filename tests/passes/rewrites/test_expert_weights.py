"""Weights of experts: which inputs they are, and what of them is refused."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from onnxtile.passes.rewrites.expert_weights import ExpertWeights, format_refusals
from tests.passes.test_decompose_experts import HIDDEN, INNER, moe, qmoe


def test_which_inputs_they_are() -> None:
    node = ir.from_proto(qmoe(8, zeros=True)).graph[0]
    weights = ExpertWeights.of(node, 1)
    names = [value.name for value in (weights.weight, weights.scales, weights.bias, weights.zeros) if value]
    assert names == ["fc2", "fc2_scales", "fc2_bias", "fc2_zeros"]
    assert weights.bits == 8
    assert ExpertWeights.of(ir.from_proto(moe([7, HIDDEN])).graph[0], 0).bits == 0


@pytest.mark.parametrize(("k", "block", "words"), [(HIDDEN, 0, []), (HIDDEN + 1, 0, ["fc1 weights"])])
def test_sizes_that_do_not_fit_are_said(k: int, block: int, words: list[str]) -> None:
    model = ir.from_proto(moe([7, HIDDEN]))
    found = [each.words for each in ExpertWeights.of(model.graph[0], 0).refusals(4, INNER, k, block, model)]
    assert len(found) == len(words)
    assert all(word in text for word, text in zip(words, found, strict=True))


def test_formats_of_gpus_are_refused() -> None:
    assert [each.code for each in format_refusals(ir.from_proto(qmoe(quant_type="nvfp4")).graph[0])] == ["attribute"]
    assert [each.code for each in format_refusals(ir.from_proto(qmoe(block=16)).graph[0])] == []
