"""Test that what overlaps is added, in the way that engines have at hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onnxtile
from tests.support import operators, run_onnxruntime
from tests.transposed import expected, model

LIMITS, OPS = (3, 4, 5), "matmul,conv"


@pytest.mark.parametrize(
    ("attributes", "kernel", "opset", "is_added_by"),
    [
        ({"strides": [2, 2]}, [3, 3], 18, "Col2Im"),
        ({"strides": [2], "dilations": [3]}, [3], 18, "Col2Im"),
        ({"strides": [2, 1, 2]}, [3, 1, 2], 18, "Col2Im"),
        ({"strides": [2, 2]}, [3, 3], 17, "Add"),
        ({"strides": [2, 2], "dilations": [2, 2]}, [3, 3], 17, "Add"),
        ({"strides": [4, 3], "dilations": [2, 5]}, [3, 2], 17, "Concat"),
        ({"strides": [1, 2, 3], "dilations": [1, 2, 2]}, [2, 2, 2], 18, "Add"),
        ({"strides": [2, 2]}, [2, 2], 18, "nothing"),
        ({"strides": [3]}, [3], 9, "nothing"),
        ({"strides": [1, 1]}, [1, 1], 18, "nothing"),
    ],
    ids=str,
)
def test_ways(attributes: dict[str, Any], kernel: list[int], opset: int, is_added_by: str) -> None:
    case = model([1, 4, *[3] * len(kernel)], [4, 2, *kernel], opset=opset, bias=False, **attributes)
    lowered = onnxtile.lower(case.model, (None, 4, None), ops=OPS, form="unrolled")
    found = set(operators(onnxtile.lower(case.model, (1, 4, None), ops=OPS)))
    added = {"Col2Im", "Add"} & found
    assert added == ({is_added_by} if is_added_by in ("Col2Im", "Add") else added - {"Col2Im"})
    assert is_added_by != "nothing" or "Add" not in found
    assert lowered == case.model or is_added_by
    tiled = onnxtile.lower(case.model, LIMITS, ops=OPS)
    np.testing.assert_array_equal(run_onnxruntime(tiled, case.feeds)[0], expected(case))


def test_an_infinite_number_reaches_no_further_than_its_kernel() -> None:
    """Zeros that fill phases without a tap aren't multiplied by it."""
    case = model([1, 4, 3, 3], [4, 2, 2, 3], opset=17, strides=[3, 4], dilations=[2, 3])
    feeds = {"x": case.feeds["x"].copy()}
    feeds["x"][0, 1, 1, 1] = np.inf
    lowered = onnxtile.lower(case.model, (20, 4, 50), ops=OPS)
    wanted, got = run_onnxruntime(case.model, feeds)[0], run_onnxruntime(lowered, feeds)[0]
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(wanted))
