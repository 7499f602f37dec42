"""Attention whose masks are added to scores: held against onnxruntime and its documentation in numpy, and proven."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onnxtile
from tests.masked_attention_cases import (
    CASES,
    CROSS,
    OWN,
    PASTS,
    PROJECTED,
    WITHOUT_KERNEL,
    fed,
    integers,
    masked_in_numpy,
    masked_model,
)
from tests.support import FORMS, Feeds, run_onnxruntime, sizes_of_products

LIMITS = (2, 3, 5)


@pytest.mark.parametrize("name", CASES)
def test_it_computes_what_the_operator_does_and_is_proven(name: str) -> None:
    op_type, feeds, attributes = CASES[name]
    model = masked_model(op_type, feeds, **attributes)
    wanted = [masked_in_numpy(op_type, feeds, **attributes)]
    if name not in WITHOUT_KERNEL:
        wanted.append(run_onnxruntime(model, fed(feeds)))
    for form in FORMS[:2]:
        lowered = onnxtile.lower(model, LIMITS, ops="all", form=form)
        assert not [node for node in lowered.graph.node if node.domain]
        assert all(m <= 2 and k <= 3 and n <= 5 for m, k, n in sizes_of_products(lowered))
        results = run_onnxruntime(lowered, fed(feeds))
        for expected in wanted:
            for result, array in zip(results, expected, strict=True):
                assert result.shape == array.shape
                np.testing.assert_allclose(result, array, atol=2e-5, rtol=2e-5)
    verdict = onnxtile.verify(model, lowered)
    assert [region.status for region in verdict.regions] == ["proven"], verdict


@pytest.mark.parametrize("form", FORMS[1:])
@pytest.mark.parametrize("name", ["past", "projected, marks a query", "bytes by columns"])
def test_a_free_batch_is_lowered_and_proven(name: str, form: str) -> None:
    op_type, feeds, attributes = CASES[name]
    shapes = {key: ["batch", *array.shape[1:]] for key, array in feeds.items() if array.ndim > 2 and key != "past"}
    shapes |= {"mask": ["batch", *feeds["mask"].shape[1:]]} if "mask" in feeds else {}
    shapes |= {"past": [2, "batch", *feeds["past"].shape[2:]]} if "past" in feeds else {}
    model = masked_model(op_type, feeds, shapes=shapes, **attributes)
    lowered = onnxtile.lower(model, LIMITS, ops="all", form=form)
    assert not [node for node in lowered.graph.node if node.domain == "com.microsoft"]
    for result, wanted in zip(run_onnxruntime(lowered, fed(feeds)), run_onnxruntime(model, fed(feeds)), strict=True):
        np.testing.assert_allclose(result, wanted, atol=2e-5, rtol=2e-5)
    if form == "batched":
        assert [region.status for region in onnxtile.verify(model, lowered).regions] == ["proven"]


REFUSED: dict[str, tuple[str, Feeds, dict[str, Any]]] = {
    "cache: its past is in a shared buffer, or of several beams": (
        "MultiHeadAttention", OWN | PASTS | {"past_sequence_length": np.array([2], np.int32)}, {},
    ),
    "cache: its past is in a shared buffer, which isn't": ("Attention", PROJECTED, {"past_present_share_buffer": 1}),
    "rotary: it rotates": ("Attention", PROJECTED, {"do_rotary": 1}),
    "mask: its mask is of shape [8]": ("MultiHeadAttention", CROSS | {"mask": integers(*range(8))}, {}),
    "attribute: MultiHeadAttention has no attribute 'other'": ("MultiHeadAttention", CROSS, {"other": 1}),
    "opset: opset 8 has no Where": ("MultiHeadAttention", CROSS, {"opset": 8}),
}  # fmt: skip


@pytest.mark.parametrize("words", REFUSED)
def test_refused_in_words(words: str) -> None:
    op_type, feeds, attributes = REFUSED[words]
    report = onnxtile.lower(masked_model(op_type, feeds, **attributes), LIMITS, ops="all", report=True)[1]
    assert all(str(row.reason).startswith(words) for row in report.contractions), report.contractions
