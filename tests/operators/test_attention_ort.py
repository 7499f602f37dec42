"""Attention of onnxruntime: what they compute, by hand."""

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
        # 8 x 3 projected to 12 with biases; 2 heads, 4 queries of size 2: 32 scores in 8 rows
        (
            "Attention",
            [[1, 4, 3], [3, 12], [12]],
            [[1, 4, 4]],
            {"domain": "com.microsoft", "num_heads": 2},
            (48 + 4 * 32 - 8, 32, 24, 0),
        ),
        (
            "MultiHeadAttention",
            [[1, 4, 4], [1, 4, 4], [1, 4, 4], [12]],
            [[1, 4, 4]],
            {"domain": "com.microsoft", "num_heads": 2, "unidirectional": 1},
            (48 + 5 * 32 - 8, 32, 24, 0),
        ),
        (
            "GroupQueryAttention",
            [[1, 4, 4], [1, 4, 2], [1, 4, 2]],
            [[1, 4, 4]],
            {"domain": "com.microsoft", "num_heads": 2, "kv_num_heads": 1, "do_rotary": 1},
            (3 * 16 + 3 * 8 + 5 * 32 - 8, 32, 24, 0),
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
        ("SparseAttention", [[1, 4]], [[1, 4]], {"domain": "com.microsoft"}, "elementwise", "it can't be sized"),
    ],
)
def test_what_is_not_known_says_why(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], kind: str, words: str
) -> None:
    assert words in unknown_reason(op, inputs, outputs, options, kind)


@pytest.mark.parametrize(
    ("op", "shapes", "attributes", "expected"),
    [
        ("Attention", [[2, 5, 7], [7, 24], [24]], {"num_heads": 4}, [(10, 7, 24, 1), (5, 2, 5, 8), (5, 5, 2, 8)]),
        (
            "Attention",
            [[2, 5, 7], [7, 20], [20], None, [2, 2, 4, 3, 2]],
            {"num_heads": 4, "qkv_hidden_sizes": [8, 8, 4]},
            [(10, 7, 20, 1), (5, 2, 8, 8), (5, 8, 1, 8)],
        ),
        ("MultiHeadAttention", [[2, 5, 8], [2, 6, 8], [2, 6, 12]], {"num_heads": 4}, [(5, 2, 6, 8), (5, 6, 3, 8)]),
        ("MultiHeadAttention", [[2, 5, 4, 3, 6]], {"num_heads": 4}, [(5, 6, 5, 8), (5, 5, 6, 8)]),
        ("MultiHeadAttention", [[2, 5, 8], [2, 6, 4, 2, 2]], {"num_heads": 4}, [(5, 2, 6, 8), (5, 6, 2, 8)]),
        ("MultiHeadAttention", [[2, 5, 8], [2, 4, 6, 2], [2, 4, 6, 3]], {"num_heads": 4}, [(5, 2, 6, 8), (5, 6, 3, 8)]),
        (
            "MultiHeadAttention",
            [[2, 5, 8], [2, 6, 8], [2, 6, 8], None, None, None, [2, 4, 3, 2], [2, 4, 3, 2]],
            {"num_heads": 4},
            [(5, 2, 9, 8), (5, 9, 2, 8)],
        ),
        ("DecoderMaskedMultiHeadAttention", [[2, 1, 24]], {"num_heads": 4}, [(1, 2, 1, 8), (1, 1, 2, 8)]),
        (
            "GroupQueryAttention",
            [[2, 5, 8], [2, 5, 4], [2, 5, 4]],
            {"num_heads": 4, "kv_num_heads": 2},
            [(5, 2, 5, 8), (5, 5, 2, 8)],
        ),
        ("GroupQueryAttention", [[2, 5, 16]], {"num_heads": 4, "kv_num_heads": 2}, [(5, 2, 5, 8), (5, 5, 2, 8)]),
        (
            "GroupQueryAttention",
            [[2, 1, 16], None, None, [2, 2, 9, 2], [2, 2, 9, 2]],
            {"num_heads": 4, "kv_num_heads": 2},
            [(1, 2, 10, 8), (1, 10, 2, 8)],
        ),
        (
            "PackedAttention",
            [[9, 7], [7, 24], [24], [2, 5]],
            {"num_heads": 4},
            [(9, 7, 24, 1), (5, 2, 5, 8), (5, 5, 2, 8)],
        ),
        (
            "PackedMultiHeadAttention",
            [[9, 8], [9, 8], [9, 12], None, [2, 5]],
            {"num_heads": 4},
            [(5, 2, 5, 8), (5, 5, 3, 8)],
        ),
    ],
)
def test_sizes_of_onnxruntime_s_own(op: str, shapes: Shapes, attributes: dict[str, Any], expected: Sizes) -> None:
    assert sizes_of_ort(op, shapes, attributes) == expected
