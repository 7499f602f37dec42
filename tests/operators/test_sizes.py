"""Sizes of products: read off operands, shared by them, and multiplied, some of them symbolic."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir
import pytest

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import UnsizedError
from onnxtile.ir.metadata import UNKNOWN_META
from onnxtile.operators import sizes
from tests.operators.nodes import node_of

NODE = node_of("MatMul", [["n", 4], [0, 3], None, "unknown"], [[]])


def test_the_shape_of_an_input() -> None:
    assert [str(size) for size in sizes.shape(NODE, 0)] == ["n", "4"]
    assert sizes.shape(NODE, 1, axes=2) == [0, 3]
    assert [sizes.given(NODE, index) for index in range(5)] == [True, True, False, True, False]


@pytest.mark.parametrize(
    ("index", "how", "kind", "words"),
    [
        (0, {"axes": 3}, ModelError, "input 0 has 2 axes, not 3"),
        (0, {"least": 3}, ModelError, "input 0 has 2 axes, not 3 or more"),
        (2, {}, UnsizedError, r"the shape of input 2 \('absent'\) isn't known"),
        (3, {}, UnsizedError, r"the shape of input 3 \('x3'\) isn't known"),
        (9, {}, UnsizedError, r"the shape of input 9 \('absent'\) isn't known"),
    ],
)
def test_a_shape_that_does_not_fit(index: int, how: dict[str, int], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        sizes.shape(NODE, index, **how)


def test_the_reason_that_inference_noted_is_told() -> None:
    value = ir.Value(name="v")
    assert sizes.unknown_because("isn't known", value) == "isn't known"
    value.meta[UNKNOWN_META] = "it's made of data"
    assert sizes.unknown_because("isn't known", value) == "isn't known: it's made of data"


@pytest.mark.parametrize(
    ("left", "right", "shared"), [(4, 4, 4), (4, "n", 4), ("n", 4, 4), ("n", None, "n"), (None, None, None)]
)
def test_an_axis_that_two_operands_share(left: Any, right: Any, shared: Any) -> None:
    assert sizes.same(NODE, "K", left, right) == shared


def test_operands_that_contradict() -> None:
    with pytest.raises(ModelError, match="MatMul .*: its operands contradict, K is 4 and 5"):
        sizes.same(NODE, "K", 4, 5)


@pytest.mark.parametrize(
    ("factors", "product"),
    [([], "1"), ([2, 3], "6"), ([2, "n", 3], "6*n"), ([0, "n"], "0"), (["n"], "n"), ([2, None], "None")],
)
def test_products_of_sizes(factors: list[Any], product: str) -> None:
    assert str(sizes.count_of(factors)) == product


@pytest.mark.parametrize(
    ("left", "right", "count"),
    [([], [], "1"), ([2, 1], [3], "6"), ([5], [2, 5], "10"), ([1], ["b"], "b"), ([0], [1], "0"), (["b"], ["b"], "b")],
)
def test_batches_are_broadcast(left: list[Any], right: list[Any], count: str) -> None:
    assert str(sizes.broadcast(NODE, left, right)) == count
