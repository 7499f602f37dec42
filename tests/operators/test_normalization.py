"""Normalizations: what they compute, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from onnxtile.operators.work import Operations
from tests.operators.nodes import S, counted


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "expected"),
    [
        # (elementwise, transcendental, comparison, movement)
        ("LayerNormalization", [S, [8], [8]], [S], {}, (342, 6, 0, 0)),
        ("LayerNormalization", [S, [3, 8]], [S], {"axis": 1}, (290, 2, 0, 0)),
        ("RMSNormalization", [S, [8]], [S], {}, (198, 6, 0, 0)),
        ("BatchNormalization", [[2, 3, 8], [3], [3], [3], [3]], [S], {}, (96, 0, 0, 0)),
        ("BatchNormalization", [S, [3], [3], [3], [3]], [S, [3], [3]], {"training_mode": 1}, (318, 3, 0, 0)),
        ("InstanceNormalization", [S, [3], [3]], [S], {}, (342, 6, 0, 0)),
        ("GroupNormalization", [[2, 6, 4], [6], [6]], [[2, 6, 4]], {"num_groups": 3}, (342, 6, 0, 0)),
        ("LRN", [[1, 4, 2, 2]], [[1, 4, 2, 2]], {"size": 3}, (96, 16, 0, 0)),
        ("LpNormalization", [S], [S], {}, (138, 6, 0, 0)),
        ("LpNormalization", [S], [S], {"p": 1}, (138, 0, 0, 0)),
        ("SkipLayerNormalization", [S, S, [8], [8]], [S], {"domain": "com.microsoft"}, (390, 6, 0, 0)),
        ("SkipSimplifiedLayerNormalization", [S, S, [8]], [S], {"domain": "com.microsoft"}, (246, 6, 0, 0)),
    ],
)
def test_operations_by_hand(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], expected: tuple[int, ...]
) -> None:
    assert counted(op, inputs, outputs, **options) == Operations(*expected)
