"""Faults in attention that was written out: each shows on an input, and is different to `verify`."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument

import onnxtile
from tests.faults.attention import GROUPED, MASKED, ONLY_WHERE_FILLED_UP, grouped_pair, masked_pair, with_fault
from tests.support import OLD_ONNXRUNTIME, Feeds, run_onnxruntime


def shows(model: onnx.ModelProto, wrong: onnx.ModelProto, feeds: Feeds) -> bool:
    """Return whether the faulty model computes something else, or fails."""
    try:
        results = run_onnxruntime(wrong, feeds)
    except (InvalidArgument, Fail):
        return True
    expected = run_onnxruntime(model, feeds)
    return any(not np.allclose(one, other, atol=1e-3) for one, other in zip(results, expected, strict=True))


@pytest.mark.parametrize("title", GROUPED)
def test_faults_in_grouped_attention_are_different(title: str) -> None:
    model, lowered, feeds = grouped_pair(5, 2)
    wrong = with_fault(lowered, GROUPED[title])
    assert not onnxtile.verify(model, wrong).equivalent
    if not OLD_ONNXRUNTIME:  # which takes these inputs in another way, or not at all
        assert shows(model, wrong, feeds) or title == ONLY_WHERE_FILLED_UP


@pytest.mark.parametrize("title", MASKED)
def test_faults_in_masks_are_different(title: str) -> None:
    model, lowered, feeds = masked_pair()
    wrong = with_fault(lowered, MASKED[title])
    assert not onnxtile.verify(model, wrong).equivalent
    assert shows(model, wrong, feeds)


def test_right_models_are_proven() -> None:
    for model, lowered, _ in (grouped_pair(5, 2), masked_pair()):
        assert [region.status for region in onnxtile.verify(model, lowered).regions] == ["proven"]
