"""Operators whose work depends on data: what they compute, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.operators.nodes import unknown_reason


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "kind", "words"),
    [
        ("NonMaxSuppression", [[1, 5, 4], [1, 1, 5]], [[5, 3]], {}, "comparison", "boxes are compared depends on"),
        ("BeamSearch", [[1, 4]], [[1, 4]], {"domain": "com.microsoft"}, "elementwise", "depends on the data"),
    ],
)
def test_what_is_not_known_says_why(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], kind: str, words: str
) -> None:
    assert words in unknown_reason(op, inputs, outputs, options, kind)
