"""Quantized products and quantization: what they compute, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from onnxtile.operators.work import Operations
from tests.operators.nodes import S, Sizes, counted, sizes_of_ort
from tests.support import Shapes


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "expected"),
    [
        # (elementwise, transcendental, comparison, movement)
        ("QuantizeLinear", [S, [], []], [S], {}, (144, 0, 96, 0)),
        ("DequantizeLinear", [S, []], [S], {}, (48, 0, 0, 0)),
        ("DequantizeLinear", [S, [], []], [S], {}, (96, 0, 0, 0)),
        ("DynamicQuantizeLinear", [S], [S, [], []], {}, (144, 0, 192, 0)),
        ("MatMulInteger", [[2, 3], [3, 4], []], [[2, 4]], {}, (6, 0, 0, 0)),
        ("QLinearMatMul", [[2, 3], [], [], [3, 4], [], [], [], []], [[2, 4]], {}, (42, 0, 16, 0)),
        ("QLinearAdd", [S, [], [], S, [], [], [], []], [S], {"domain": "com.microsoft"}, (384, 0, 96, 0)),
    ],
)
def test_operations_by_hand(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], expected: tuple[int, ...]
) -> None:
    assert counted(op, inputs, outputs, **options) == Operations(*expected)


@pytest.mark.parametrize(
    ("op", "shapes", "attributes", "expected"),
    [
        ("QOrderedMatMul", [[2, 3, 4], [], [5, 4]], {}, [(3, 4, 5, 2)]),
    ],
)
def test_sizes_of_onnxruntime_s_own(op: str, shapes: Shapes, attributes: dict[str, Any], expected: Sizes) -> None:
    assert sizes_of_ort(op, shapes, attributes) == expected
