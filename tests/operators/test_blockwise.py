"""Products by weights packed in blocks: what they compute, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from onnxtile.operators.work import Operations
from tests.operators.nodes import Sizes, counted, sizes_of_ort
from tests.support import Shapes


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "expected"),
    [
        # (elementwise, transcendental, comparison, movement)
        (
            "MatMulNBits",
            [[1, 64], [32, 2, 16], [64]],
            [[1, 32]],
            {"domain": "com.microsoft", "K": 64, "N": 32},
            (4096, 0, 0, 0),
        ),
    ],
)
def test_operations_by_hand(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], expected: tuple[int, ...]
) -> None:
    assert counted(op, inputs, outputs, **options) == Operations(*expected)


@pytest.mark.parametrize(
    ("op", "shapes", "attributes", "expected"),
    [
        ("MatMulBlockQuantizedFp4Weight", [[2, 3, 4], [5, 2]], {}, [(6, 4, 5, 1)]),
    ],
)
def test_sizes_of_onnxruntime_s_own(op: str, shapes: Shapes, attributes: dict[str, Any], expected: Sizes) -> None:
    assert sizes_of_ort(op, shapes, attributes) == expected
