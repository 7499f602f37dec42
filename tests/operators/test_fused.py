"""Fused products of onnxruntime: what they compute, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from onnxtile.operators.work import Operations
from tests.operators.nodes import counted


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "expected"),
    [
        # (elementwise, transcendental, comparison, movement)
        ("FusedMatMul", [[8, 16], [16, 32]], [[8, 32]], {"domain": "com.microsoft", "alpha": 0.125}, (256, 0, 0, 0)),
        ("FusedMatMul", [[8, 16], [16, 32]], [[8, 32]], {"domain": "com.microsoft"}, (0, 0, 0, 0)),
        (
            "FusedGemm",
            [[8, 16], [16, 32], [32]],
            [[8, 32]],
            {"domain": "com.microsoft", "activation": "Relu"},
            (256, 0, 256, 0),
        ),
    ],
)
def test_operations_by_hand(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], expected: tuple[int, ...]
) -> None:
    assert counted(op, inputs, outputs, **options) == Operations(*expected)
