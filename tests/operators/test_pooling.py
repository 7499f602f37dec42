"""Pools: windows count whole, at a border too: what they compute, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from onnxtile.operators.work import Operations
from tests.operators.nodes import counted


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "expected"),
    [
        # (elementwise, transcendental, comparison, movement)
        ("AveragePool", [[1, 2, 8, 8]], [[1, 2, 4, 4]], {"kernel_shape": [2, 2]}, (128, 0, 0, 0)),
        ("MaxPool", [[1, 2, 8, 8]], [[1, 2, 4, 4]], {"kernel_shape": [3, 3]}, (0, 0, 256, 0)),
        ("LpPool", [[1, 1, 8, 8]], [[1, 1, 4, 4]], {"kernel_shape": [2, 2]}, (112, 16, 0, 0)),
        ("LpPool", [[1, 1, 8, 8]], [[1, 1, 4, 4]], {"kernel_shape": [2, 2], "p": 3}, (112, 80, 0, 0)),
        ("GlobalAveragePool", [[1, 2, 8, 8]], [[1, 2, 1, 1]], {}, (128, 0, 0, 0)),
        ("GlobalMaxPool", [[1, 2, 8, 8]], [[1, 2, 1, 1]], {}, (0, 0, 126, 0)),
    ],
)
def test_operations_by_hand(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], expected: tuple[int, ...]
) -> None:
    assert counted(op, inputs, outputs, **options) == Operations(*expected)
