"""Operators element by element: what they compute, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxtile.operators.work import Operations
from tests.operators.nodes import S, counted


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "expected"),
    [
        # (elementwise, transcendental, comparison, movement)
        ("Add", [[4, 1, 5], [3, 1]], [[4, 3, 5]], {}, (60, 0, 0, 0)),
        ("Div", [S, [8]], [S], {}, (48, 0, 0, 0)),
        ("Neg", [S], [S], {}, (48, 0, 0, 0)),
        ("Exp", [S], [S], {}, (0, 48, 0, 0)),
        ("Sqrt", [S], [S], {}, (0, 48, 0, 0)),
        ("Relu", [S], [S], {}, (0, 0, 48, 0)),
        ("Greater", [S, [1]], [S], {}, (0, 0, 48, 0)),
        ("Sigmoid", [S], [S], {}, (144, 48, 0, 0)),
        ("Gelu", [S], [S], {}, (192, 48, 0, 0)),
        ("Gelu", [S], [S], {"approximate": "tanh"}, (384, 48, 0, 0)),
        ("Sum", [S, S, S], [S], {}, (96, 0, 0, 0)),
        ("Mean", [S, S, S], [S], {}, (144, 0, 0, 0)),
        ("Max", [S, S, [8]], [S], {}, (0, 0, 96, 0)),
        ("Max", [S], [S], {}, (0, 0, 0, 0)),
        ("Clip", [S, [], None], [S], {}, (0, 0, 48, 0)),
        ("Clip", [S, [], []], [S], {}, (0, 0, 96, 0)),
        ("Clip", [S], [S], {"opset": 6, "min": 0.0, "max": 6.0}, (0, 0, 96, 0)),
        ("Pow", [S, np.array(2, np.float32)], [S], {}, (48, 0, 0, 0)),
        ("Pow", [S, np.float32([3])], [S], {}, (96, 0, 0, 0)),
        ("Pow", [S, np.array(0.5, np.float32)], [S], {}, (0, 48, 0, 0)),
        ("Pow", [S, []], [S], {}, (0, 48, 0, 0)),
        ("Swish", [S], [S], {"alpha": 2.0}, (240, 48, 0, 0)),
        ("Swish", [S], [S], {}, (192, 48, 0, 0)),
        ("Where", [[8], S, []], [S], {}, (0, 0, 0, 48)),
        ("BiasGelu", [S, [8]], [S], {"domain": "com.microsoft"}, (240, 48, 0, 0)),
        ("QuickGelu", [S], [S], {"domain": "com.microsoft"}, (240, 48, 0, 0)),
    ],
)
def test_operations_by_hand(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], expected: tuple[int, ...]
) -> None:
    assert counted(op, inputs, outputs, **options) == Operations(*expected)
