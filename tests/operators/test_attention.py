"""Attention of ONNX: what they compute, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

import onnxtile
from onnxtile.operators.table import PRODUCTS
from onnxtile.operators.work import Operations
from tests.operators.nodes import SIZE, Sizes, counted, macs, rows_of, sizes, sizes_of_ort
from tests.support import Shapes, node_model, run_reference


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "expected"),
    [
        # (elementwise, transcendental, comparison, movement)
        # 2 heads, 3 queries, 5 keys, heads of 4: 30 scores in 6 rows, 24 numbers of queries and 40 of keys
        ("Attention", [[1, 2, 3, 4], [1, 2, 5, 4], [1, 2, 5, 4]], [[1, 2, 3, 4]], {}, (148, 30, 24, 0)),
        (
            "Attention",
            [[1, 2, 3, 4], [1, 2, 5, 4], [1, 2, 5, 4], [3, 5]],
            [[1, 2, 3, 4]],
            {"softcap": 3.0},
            (238, 60, 24, 0),
        ),
        (
            "Attention",
            [[1, 2, 3, 4], [1, 2, 1, 4], [1, 2, 1, 4], None, [1, 2, 4, 4], [1, 2, 4, 4]],
            [[1, 2, 3, 4], [1, 2, 5, 4], [1, 2, 5, 4]],
            {},
            (148, 30, 24, 80),
        ),
        ("RotaryEmbedding", [[1, 2, 3, 8], [3, 4], [3, 4]], [[1, 2, 3, 8]], {}, (144, 0, 0, 0)),
        (
            "RotaryEmbedding",
            [[1, 3, 16], [3, 2], [3, 2]],
            [[1, 3, 16]],
            {"num_heads": 2, "rotary_embedding_dim": 4},
            (72, 0, 0, 0),
        ),
    ],
)
def test_operations_by_hand(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], expected: tuple[int, ...]
) -> None:
    assert counted(op, inputs, outputs, **options) == Operations(*expected)


@pytest.mark.parametrize(
    ("op", "shapes", "attributes", "expected"),
    [
        (
            "LinearAttention",
            [[2, 5, 8], [2, 5, 4], [2, 5, 6]],
            {"q_num_heads": 4, "kv_num_heads": 2, "update_rule": "delta"},
            [(1, 2, 3, 20), (2, 1, 3, 20), (1, 2, 3, 40)],
        ),
        (
            "LinearAttention",
            [[2, 5, 4]] * 3,
            {"q_num_heads": 2, "kv_num_heads": 2, "update_rule": "gated"},
            [(2, 1, 2, 20), (1, 2, 2, 20)],
        ),
    ],
)
def test_sizes_of_onnxruntime_s_own(op: str, shapes: Shapes, attributes: dict[str, Any], expected: Sizes) -> None:
    assert sizes_of_ort(op, shapes, attributes) == expected


@given(
    st.integers(1, 2), st.integers(1, 2), st.integers(1, 3), SIZE, SIZE, SIZE, SIZE, st.integers(0, 3), st.booleans()
)
def test_attention_is_what_the_reference_computes(
    batch: int, kv: int, ratio: int, length: int, keys: int, head: int, value_head: int, past: int, packed: bool
) -> None:
    heads = kv * ratio

    def operand(count: int, size: int, width: int) -> list[int]:
        return [batch, size, count * width] if packed else [batch, count, size, width]

    widths = (heads, length, head), (kv, keys, head), (kv, keys, value_head)
    shapes: list[list[int] | None] = [operand(*each) for each in widths]
    if past:
        shapes += [None, [batch, kv, past, head], [batch, kv, past, value_head]]
    attributes = {"q_num_heads": heads, "kv_num_heads": kv} if packed else {}
    model = node_model("Attention", shapes, [3 if packed else 4, 4, 4, 4], opset=23, **attributes)
    feeds = {f"X{index}": np.ones(shape, np.float32) for index, shape in enumerate(shapes) if shape is not None}
    y, _, _, scores = run_reference(model, feeds)
    first, second = rows_of(model)
    assert (first.part, second.part) == ("queries by keys", "weights by values")
    assert [first.batch, first.m, first.n] == [scores.shape[0] * scores.shape[1], *scores.shape[2:]]
    assert macs(first) == scores.size * head
    assert macs(second) == y.size * scores.shape[-1]
    if not packed and not past:
        preview = node_model("FlexAttention", shapes, [4], domain="ai.onnx.preview")
        assert [sizes(row) for row in rows_of(preview)] == [sizes(first), sizes(second)]


def test_attention_with_names_for_lengths() -> None:
    shapes = [["b", "s", 32], ["b", "t", 16], ["b", "t", 12], None, ["b", 2, "p", 8], ["b", 2, "p", 6]]
    first, second = rows_of(node_model("Attention", shapes, [3, 4, 4], opset=23, q_num_heads=4, kv_num_heads=2))
    assert sizes(first) == ("s", 8, "p + t", "4*b")
    assert sizes(second) == ("s", "p + t", 6, "4*b")


@pytest.mark.parametrize(
    ("shapes", "attributes", "words"),
    [
        ([[1, 2, 3, 4], [1, 2, 5, 6], [1, 2, 5, 4]], {}, "the head size is 4 and 6"),
        ([[1, 3, 4], [1, 5, 4], [1, 5, 4]], {}, "give 4 axes, or 3 and q_num_heads"),
        ([[1, 3, 4], [1, 5, 4], [1, 5, 4]], {"q_num_heads": 3, "kv_num_heads": 1}, "4, isn't a multiple of 3"),
        ([[1, 3, 2, 4], [1, 2, 2, 4], [1, 2, 2, 4]], {}, "number of query heads, 3, isn't a multiple of 2"),
    ],
)
def test_attention_that_contradicts_itself_is_an_error(shapes: Shapes, attributes: dict[str, int], words: str) -> None:
    node = ir.from_proto(node_model("Attention", shapes, [4], opset=23, **attributes)).graph.node(0)
    sizes_of = PRODUCTS["", "Attention"].sizes
    assert sizes_of is not None
    with pytest.raises(onnxtile.ModelError, match=words):
        sizes_of(node)
