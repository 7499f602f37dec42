"""Operators of random numbers: what they compute, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from onnxtile.operators.work import Operations
from tests.operators.nodes import S, counted, unknown_reason


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "expected"),
    [
        # (elementwise, transcendental, comparison, movement)
        ("Dropout", [S], [S], {}, (0, 0, 0, 0)),
        ("Dropout", [S], [S, S], {}, (0, 0, 0, 48)),
    ],
)
def test_operations_by_hand(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], expected: tuple[int, ...]
) -> None:
    assert counted(op, inputs, outputs, **options) == Operations(*expected)


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "kind", "words"),
    [
        ("RandomNormal", [], [S], {}, "transcendental", "depends on the engine's generator"),
        ("Dropout", [S, [], []], [S], {}, "elementwise", "training_mode (input 2) is known only at run time"),
    ],
)
def test_what_is_not_known_says_why(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], kind: str, words: str
) -> None:
    assert words in unknown_reason(op, inputs, outputs, options, kind)
