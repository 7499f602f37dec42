"""Operators that make one number of many, and sorts: what they compute, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from onnxtile.operators.work import Operations
from tests.operators.nodes import S, counted, ints, unknown_reason


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "expected"),
    [
        # (elementwise, transcendental, comparison, movement)
        ("ReduceSum", [S, ints(2)], [[2, 3, 1]], {}, (42, 0, 0, 0)),
        ("ReduceMean", [S], [[2, 3]], {}, (48, 0, 0, 0)),
        ("ReduceMax", [S], [[2, 3]], {}, (0, 0, 42, 0)),
        ("ReduceL2", [S], [[2, 3]], {}, (90, 6, 0, 0)),
        ("ReduceLogSumExp", [S], [[2, 3]], {}, (42, 54, 0, 0)),
        ("ArgMax", [S], [[2, 3]], {}, (0, 0, 42, 0)),
        ("CumSum", [S, ints(1).reshape(())], [S], {}, (32, 0, 0, 0)),
        ("Softmax", [S], [S], {}, (138, 48, 42, 0)),
        ("Softmax", [S], [S], {"axis": 1}, (128, 48, 32, 0)),
        ("Softmax", [S], [S], {"opset": 11}, (142, 48, 46, 0)),  # before version 13: 2 rows of 24
        ("LogSoftmax", [S], [S], {}, (138, 54, 42, 0)),
        ("Hardmax", [S], [S], {}, (0, 0, 42, 48)),
    ],
)
def test_operations_by_hand(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], expected: tuple[int, ...]
) -> None:
    assert counted(op, inputs, outputs, **options) == Operations(*expected)


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "kind", "words"),
    [
        ("TopK", [S, [1]], [S, S], {}, "comparison", "a sort takes depends on the data"),
        ("CumSum", [S, []], [S], {}, "elementwise", "its axis (input 1) is known only at run time"),
        ("Softmax", ["unknown"], ["unknown"], {}, "comparison", "the shape of 'x0' isn't known"),
        ("Softmax", [S], [S], {"opset": None}, "elementwise", "which version of the operators it's written in"),
        ("Softmax", [S], [S], {"axis": 7}, "elementwise", "it says axis 7 of 3"),
    ],
)
def test_what_is_not_known_says_why(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], kind: str, words: str
) -> None:
    assert words in unknown_reason(op, inputs, outputs, options, kind)
