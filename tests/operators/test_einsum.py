"""Einsum: what they compute, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from onnxtile.operators.work import Operations
from tests.operators.nodes import counted


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "expected"),
    [
        # (elementwise, transcendental, comparison, movement)
        ("Einsum", [[2, 3], [3, 4]], [[2, 4]], {"equation": "ij,jk->ik"}, (0, 0, 0, 0)),
        ("Einsum", [[2, 3, 5], [3, 4]], [[2, 4]], {"equation": "ijx,jk->ik"}, (24, 0, 0, 0)),
        ("Einsum", [[4, 4]], [[]], {"equation": "ii->"}, (3, 0, 0, 0)),
        ("Einsum", [[2, 3]], [[3, 2]], {"equation": "ij->ji"}, (0, 0, 0, 6)),
    ],
)
def test_operations_by_hand(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], expected: tuple[int, ...]
) -> None:
    assert counted(op, inputs, outputs, **options) == Operations(*expected)
