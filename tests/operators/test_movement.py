"""Operators that move numbers: what they compute, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from onnxtile.operators.work import Operations
from tests.operators.nodes import S, counted, unknown_reason


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "expected"),
    [
        # (elementwise, transcendental, comparison, movement)
        ("Transpose", [S], [[8, 3, 2]], {"perm": [2, 1, 0]}, (0, 0, 0, 48)),
        ("Concat", [S, [2, 1, 8]], [[2, 4, 8]], {"axis": 1}, (0, 0, 0, 64)),
        ("Split", [S], [[2, 1, 8], [2, 2, 8]], {"axis": 1}, (0, 0, 0, 48)),
        ("Slice", [S, [1], [1]], [[2, 3, 4]], {}, (0, 0, 0, 24)),
        ("Gather", [[100, 16], [4, 7]], [[4, 7, 16]], {}, (0, 0, 0, 448)),
        ("Pad", [S, [6]], [[2, 3, 10]], {}, (0, 0, 0, 60)),
        ("Expand", [[1, 3], [2]], [[4, 3]], {}, (0, 0, 0, 12)),
        ("Cast", [S], [S], {"to": 10}, (0, 0, 0, 48)),
        ("Reshape", [S, [1]], [[48]], {}, (0, 0, 0, 0)),
        ("ScatterElements", [S, [2, 3, 1], [2, 3, 1]], [S], {}, (0, 0, 0, 54)),
        ("ScatterElements", [S, [2, 3, 1], [2, 3, 1]], [S], {"reduction": "add"}, (6, 0, 0, 48)),
        ("ScatterND", [S, [1, 3], [1]], [S], {"reduction": "max"}, (0, 0, 1, 48)),
    ],
)
def test_operations_by_hand(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], expected: tuple[int, ...]
) -> None:
    assert counted(op, inputs, outputs, **options) == Operations(*expected)


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "kind", "words"),
    [
        ("NonZero", [S], [[3, None]], {}, "movement", "axis 1 of 'y0' isn't known before run time"),
    ],
)
def test_what_is_not_known_says_why(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], kind: str, words: str
) -> None:
    assert words in unknown_reason(op, inputs, outputs, options, kind)
