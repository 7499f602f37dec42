"""Convolutions as smaller ones: each within the limits by its im2col, together exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import onnxtile
from onnxtile import estimate
from onnxtile.errors import UsageError
from tests.passes.test_decompose_convolution import case, cases, holds, specified
from tests.support import FEWER, Fed, assert_verified, operators, run_onnxruntime


def split(each: Fed, limits: Any, **how: Any) -> Any:
    return onnxtile.lower(each.model, limits, conv="split", depthwise="gemm", **how)


@FEWER
@given(cases(), st.sampled_from([(1, 1, 1), (2, 3, 2), (4, 4, 4), (None, 5, 2), (7, None, None), (9, 9, 9)]))
def test_pieces_are_legal_and_bit_exact(each: Fed, limits: Any) -> None:
    lowered = split(each, limits)
    rows = estimate(each.model, limits, conv="split", depthwise="gemm")[0].contractions
    if any(row.status == "refused" for row in rows):
        assert lowered == each.model
        return
    assert onnxtile.check(lowered, limits).ok
    assert "MatMul" not in operators(lowered)
    if each.model.graph.input[0].type.tensor_type.elem_type == 1:
        (got,) = run_onnxruntime(lowered, each.feeds)
        np.testing.assert_array_equal(got, specified(each))
    assert_verified(each.model, lowered)


@pytest.mark.parametrize(
    ("limits", "convolutions"),
    [
        ((None, None, 2), 3),  # 6 filters
        ((None, 18, None), 2),  # 4 channels by a 3 x 3 kernel
        ((None, 9, 3), 8),
        ((10, None, None), 3),  # rows of 5
        ((None, 3, None), 12),  # each row of the kernel
    ],
)
def test_what_is_cut(limits: Any, convolutions: int) -> None:
    each = case([1, 4, 7, 7], [6, 4, 3, 3], bias=True)
    lowered = split(each, limits)
    assert operators(lowered).count("Conv") == convolutions
    (row,) = estimate(each.model, limits, conv="split")[0].contractions
    assert all(limit is None or piece <= limit for limit, piece in zip(limits, row.tiles or (), strict=True))
    holds(each, lowered)


def test_groups_stay_together_where_only_positions_are_cut() -> None:
    each = case([1, 4, 7, 7], [6, 2, 3, 3], group=2, bias=True, pads=[1, 1, 1, 1])
    assert operators(split(each, (7, None, None))).count("Conv") == 7
    apart = split(each, (None, 9, None))
    assert operators(apart).count("Conv") == 4
    for lowered in (split(each, (7, None, None)), apart):
        holds(each, lowered)


def test_a_large_batch_is_cut_too() -> None:
    each = case([5, 2, 4], [3, 2, 3], bias=True)
    lowered = split(each, (2, None, None))
    assert onnxtile.check(lowered, (2, None, None)).ok
    holds(each, lowered)


@pytest.mark.parametrize("limits", [(None, 3, 2), (4, 3, 2)])
def test_sizes_that_run_time_knows(limits: Any) -> None:
    each = case([2, 4, 6], [6, 4, 3], bias=True, declared=["n", 4, "l"], pads=[1, 0], strides=[2])
    lowered = split(each, limits)
    (row,) = estimate(each.model, limits, conv="split")[0].contractions
    if limits[0] is not None:
        assert (row.status, lowered) == ("refused", each.model)
        return
    assert operators(lowered).count("Conv") > 1
    holds(each, lowered)


def test_weights_that_are_fed_are_cut_at_run_time() -> None:
    each = case([1, 4, 7], [6, 4, 3], fed=True, bias=True)
    holds(each, split(each, (None, 3, 2)))


def test_float16_is_added_in_float32() -> None:
    each = case([1, 4, 6], [2, 4, 3], bias=True, dtype="float16")
    lowered = split(each, (None, 6, None))
    assert operators(lowered).count("Cast") == 2
    assert_verified(each.model, lowered)


def test_other_forms_are_refused() -> None:
    with pytest.raises(UsageError, match="conv split writes a convolution for each piece, which form batched doesn't"):
        split(case([1, 4, 7], [6, 4, 3]), (4, 4, 4), form="batched")
    with pytest.raises(UsageError, match="conv is 'splits': take one of gemm, split"):
        onnxtile.lower(case([1, 4, 7], [6, 4, 3]).model, (4, 4, 4), conv="splits")  # type: ignore[call-overload]
