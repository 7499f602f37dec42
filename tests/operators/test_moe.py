"""Mixtures of experts: what they compute, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.operators.nodes import Sizes, sizes_of_ort
from tests.support import Shapes


@pytest.mark.parametrize(
    ("op", "shapes", "attributes", "expected"),
    [
        ("MoE", [[2, 5, 8], [10, 3], [3, 24, 8], None, [3, 8, 12]], {"k": 2}, [(10, 8, 24, 2), (10, 12, 8, 2)]),
        (
            "MoE",
            [[10, 8], [10, 3], [3, 8, 12], None, [3, 12, 8], None, [3, 8, 12]],
            {},
            [(10, 8, 12, 1), (10, 8, 12, 1), (10, 12, 8, 1)],
        ),
        ("QMoE", [[10, 8], [10, 3], [3, 12, 4], None, None, [3, 8, 6]], {"k": 2}, [(10, 8, 12, 2), (10, 12, 8, 2)]),
    ],
)
def test_sizes_of_onnxruntime_s_own(op: str, shapes: Shapes, attributes: dict[str, Any], expected: Sizes) -> None:
    assert sizes_of_ort(op, shapes, attributes) == expected
