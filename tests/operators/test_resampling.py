"""Resampling: interpolation and regions: what they compute, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from onnxtile.operators.work import Operations
from tests.operators.nodes import counted, unknown_reason


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "expected"),
    [
        # (elementwise, transcendental, comparison, movement)
        ("Resize", [[1, 2, 4, 4], None, [4]], [[1, 2, 8, 8]], {"mode": "nearest"}, (0, 0, 0, 128)),
        ("Resize", [[1, 2, 4, 4], None, [4]], [[1, 2, 8, 8]], {"mode": "linear"}, (1152, 0, 0, 0)),
        ("Resize", [[1, 2, 4, 4], None, [4]], [[1, 2, 8, 4]], {"mode": "cubic"}, (448, 0, 0, 0)),
        ("Resize", [[4]], [[2]], {"mode": "linear", "antialias": 1}, (14, 0, 0, 0)),
        ("GridSample", [[1, 3, 4, 4], [1, 2, 2, 2]], [[1, 3, 2, 2]], {"mode": "linear"}, (164, 0, 0, 0)),
        ("RoiAlign", [[1, 3, 8, 8], [5, 4], [5]], [[5, 3, 2, 2]], {"sampling_ratio": 2}, (2720, 0, 0, 0)),
        (
            "RoiAlign",
            [[1, 3, 8, 8], [5, 4], [5]],
            [[5, 3, 2, 2]],
            {"sampling_ratio": 2, "mode": "max"},
            (1760, 0, 900, 0),
        ),
    ],
)
def test_operations_by_hand(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], expected: tuple[int, ...]
) -> None:
    assert counted(op, inputs, outputs, **options) == Operations(*expected)


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "kind", "words"),
    [
        ("RoiAlign", [[1, 3, 8, 8], [5, 4], [5]], [[5, 3, 2, 2]], {}, "elementwise", "depends on the regions"),
        ("Resize", [[4]], [["n"]], {"mode": "linear", "antialias": 1}, "elementwise", "depends on how much it shrinks"),
    ],
)
def test_what_is_not_known_says_why(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], kind: str, words: str
) -> None:
    assert words in unknown_reason(op, inputs, outputs, options, kind)
