"""Operators that make values of sizes and settings."""

from __future__ import annotations

from typing import Any

import pytest

from onnxtile.operators.work import Operations
from tests.operators.nodes import counted, unknown_reason


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "expected"),
    [
        ("Range", [[], [], []], [[5]], {}, (10, 0, 0, 0)),
        ("Range", [[], [], []], [[0]], {}, (0, 0, 0, 0)),
        ("HannWindow", [[]], [[8]], {}, (64, 16, 0, 0)),
        ("BlackmanWindow", [[]], [[0]], {}, (0, 0, 0, 0)),
    ],
)
def test_operations_by_hand(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], expected: tuple[int, ...]
) -> None:
    assert counted(op, inputs, outputs, **options) == Operations(*expected)


def test_a_free_size_gives_a_formula() -> None:
    assert str(counted("Range", [[], [], []], [["n"]]).elementwise) == "2*n"


def test_what_depends_on_frequencies_is_unknown_but_what_is_written() -> None:
    assert "depends on the frequencies" in unknown_reason("MelWeightMatrix", [[]] * 5, [[5, 8]], {}, "elementwise")
    assert counted("MelWeightMatrix", [[]] * 5, [[5, 8]]).movement == 40
