"""Operators that are one matrix product: what they compute, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from onnxtile.operators.work import Operations
from tests.operators.nodes import Sizes, counted, sizes_of_ort, unknown_reason
from tests.support import Shapes


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "expected"),
    [
        # (elementwise, transcendental, comparison, movement)
        ("MatMul", [[8, 16], [16, 32]], [[8, 32]], {}, (0, 0, 0, 0)),
        ("Gemm", [[8, 16], [16, 32], [32]], [[8, 32]], {}, (256, 0, 0, 0)),
        ("Gemm", [[8, 16], [16, 32], [32]], [[8, 32]], {"alpha": 0.5}, (512, 0, 0, 0)),
        ("Gemm", [[8, 16], [16, 32], [32]], [[8, 32]], {"beta": 0.5}, (288, 0, 0, 0)),
        ("Gemm", [[8, 16], [16, 32]], [[8, 32]], {"beta": 0.5}, (0, 0, 0, 0)),
    ],
)
def test_operations_by_hand(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], expected: tuple[int, ...]
) -> None:
    assert counted(op, inputs, outputs, **options) == Operations(*expected)


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "kind", "words"),
    [
        ("Gemm", [[8, 16], [16, 32], [32]], [[8, None]], {}, "elementwise", "axis 1 of 'y0' isn't known"),
        ("Gemm", [[8, 16], [16, 32], [32]], [[8, 32]], {"alpha": "2"}, "elementwise", "alpha is STRING, not FLOAT"),
    ],
)
def test_what_is_not_known_says_why(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], kind: str, words: str
) -> None:
    assert words in unknown_reason(op, inputs, outputs, options, kind)


@pytest.mark.parametrize(
    ("op", "shapes", "attributes", "expected"),
    [
        ("GemmFloat8", [[3, 4], [5, 4]], {"transB": 1}, [(3, 4, 5, 1)]),
        ("CDist", [[3, 4], [5, 4]], {}, [(3, 4, 5, 1)]),
        ("HyperConnectionPostMix", [[2, 5, 4, 8], [2, 5, 8]], {}, [(4, 4, 8, 10)]),
        ("GatedRelativePositionBias", [[2, 5, 8], [8], [1, 4, 5, 5], [2, 6]], {"num_heads": 4}, [(40, 2, 6, 1)]),
    ],
)
def test_sizes_of_onnxruntime_s_own(op: str, shapes: Shapes, attributes: dict[str, Any], expected: Sizes) -> None:
    assert sizes_of_ort(op, shapes, attributes) == expected
