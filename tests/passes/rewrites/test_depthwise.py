"""Depthwise convolutions are sums of elements by weights: no product is left, unless one is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onnxtile
from onnxtile import estimate
from onnxtile.errors import UsageError
from tests.passes.test_decompose_convolution import case, holds, specified
from tests.support import FORMS, assert_verified, operators, run_onnxruntime

LIMITS = (4, 4, 4)
WAYS: list[dict[str, Any]] = [
    {},
    {"strides": [2, 2], "pads": [1, 0, 1, 1], "dilations": [1, 2]},
    {"auto_pad": "SAME_LOWER", "strides": [2, 1]},
]


@pytest.mark.parametrize("attributes", WAYS)
@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("opset", [7, 10, 18])
@pytest.mark.parametrize("fed", [False, True])
def test_no_product_is_left(attributes: dict[str, Any], multiplier: int, opset: int, fed: bool) -> None:
    each = case([2, 3, 6, 7], [3 * multiplier, 1, 3, 2], group=3, bias=True, opset=opset, fed=fed, **attributes)
    lowered = onnxtile.lower(each.model, LIMITS)
    assert not {"Conv", "MatMul"} & set(operators(lowered))
    holds(each, lowered)


@pytest.mark.parametrize("form", FORMS)
def test_products_where_they_are_asked_for(form: str) -> None:
    each = case([2, 3, 6, 7], [6, 1, 3, 2], group=3, bias=True)
    lowered = onnxtile.lower(each.model, LIMITS, depthwise="gemm", form=form)
    assert "Mul" not in operators(lowered)
    assert "Conv" not in operators(lowered)
    holds(each, lowered)


def test_kept_ones_are_listed() -> None:
    each = case([2, 3, 6, 7], [3, 1, 3, 2], group=3)
    (row,) = estimate(each.model, LIMITS, depthwise="keep")[0].contractions
    assert (row.status, str(row.reason).partition(":")[0]) == ("refused", "depthwise")
    assert onnxtile.lower(each.model, LIMITS, depthwise="keep") == each.model


def test_the_report_says_how() -> None:
    each = case([2, 3, 6, 7], [3, 1, 3, 2], group=3)
    report, _ = estimate(each.model, LIMITS)
    assert [row.status for row in report.contractions] == ["vector"]
    assert "1 vector" in report.summary
    assert report.macs == 0
    with pytest.raises(UsageError, match="depthwise is 'vectors': take one of vector"):
        estimate(each.model, LIMITS, depthwise="vectors")  # type: ignore[arg-type]


def test_float16_is_summed_in_float32() -> None:
    each = case([1, 2, 9], [2, 1, 3], group=2, dtype="float16")
    lowered = onnxtile.lower(each.model, LIMITS)
    assert operators(lowered).count("Cast") == 2
    (got,) = run_onnxruntime(lowered, each.feeds)
    np.testing.assert_array_equal(got, specified(each))
    assert_verified(each.model, lowered)


def test_without_a_product_neither_its_rows_nor_the_engine_matter() -> None:
    each = case([1, 4, 6], [4, 1, 3], group=4, declared=["n", 4, "l"], dtype="float16")
    for how in ({"max": (2, 1, 1)}, {"engine": "tpu-like"}):
        lowered = onnxtile.lower(each.model, **how)  # type: ignore[call-overload]
        assert "Conv" not in operators(lowered)
        assert_verified(each.model, lowered)
