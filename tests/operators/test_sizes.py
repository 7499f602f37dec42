"""Sizes of products: read off operands, shared by them, and their arithmetic, some of them symbolic."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir
import pytest

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import UnsizedError, given
from onnxtile.ir.metadata import UNKNOWN_META
from onnxtile.ir.symbolic.amounts import size_of
from onnxtile.operators import sizes
from tests.operators.nodes import node_of

NODE = node_of("MatMul", [["n", 4], [0, 3], None, "unknown"], [[]])


def test_the_shape_of_an_input() -> None:
    assert [str(size) for size in sizes.shape(NODE, 0)] == ["n", "4"]
    assert sizes.shape(NODE, 1, axes=2) == [0, 3]
    assert [given(NODE, index) for index in range(5)] == [True, True, False, True, False]


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


def test_a_dimension_that_is_no_formula_is_a_name() -> None:
    dims = [sizes.read_size(ir.SymbolicDim(text)) for text in ("a b", "n + 1", None)]
    assert [str(dim) for dim in dims] == ["a b", "n + 1", "None"]


def test_the_reason_that_inference_noted_is_told() -> None:
    value = ir.Value(name="v")
    assert sizes.unknown_because("isn't known", value) == "isn't known"
    value.meta[UNKNOWN_META] = "it's made of data"
    assert sizes.unknown_because("isn't known", value) == "isn't known: it's made of data"


@pytest.mark.parametrize(
    ("left", "right", "shared"), [(4, 4, 4), (4, "n", 4), ("n", 4, 4), ("n", None, "n"), (None, None, None)]
)
def test_an_axis_that_two_operands_share(left: Any, right: Any, shared: Any) -> None:
    assert sizes.same(NODE, "K", size_of(left), size_of(right)) == size_of(shared)


def test_operands_that_contradict() -> None:
    with pytest.raises(ModelError, match="MatMul .*: its operands contradict, K is 4 and 5"):
        sizes.same(NODE, "K", 4, 5)


@pytest.mark.parametrize(
    ("factors", "product"),
    [([], "1"), ([2, 3], "6"), ([2, "n", 3], "6*n"), ([0, "n"], "0"), (["n"], "n"), ([2, None], "None")],
)
def test_products_of_sizes(factors: list[Any], product: str) -> None:
    assert str(sizes.count_of([size_of(factor) for factor in factors])) == product


@pytest.mark.parametrize(
    ("left", "right", "count"),
    [([], [], "1"), ([2, 1], [3], "6"), ([5], [2, 5], "10"), ([1], ["b"], "b"), ([0], [1], "0"), (["b"], ["b"], "b")],
)
def test_batches_are_broadcast(left: list[Any], right: list[Any], count: str) -> None:
    assert str(sizes.broadcast(NODE, [*map(size_of, left)], [*map(size_of, right)])) == count


@pytest.mark.parametrize(
    ("summands", "result"), [([], "0"), ([1, 2], "3"), (["p", "t"], "p + t"), ([2, "n"], "n + 2"), ([1, None], "None")]
)
def test_sums(summands: list[Any], result: str) -> None:
    assert str(sizes.sum_of([size_of(summand) for summand in summands])) == result


@pytest.mark.parametrize(
    ("size", "by", "result"),
    [(6, 3, "2"), (0, 3, "0"), ("n", 1, "n"), ("n", 2, "n/2"), (None, 2, "None"), (6, None, "None")],
)
def test_quotients(size: Any, by: Any, result: str) -> None:
    assert str(sizes.quotient(NODE, "width", size_of(size), by)) == result


def test_quotients_are_whole() -> None:
    with pytest.raises(ModelError, match="its width, 7, isn't a multiple of 2"):
        sizes.quotient(NODE, "width", 7, 2)
    with pytest.raises(ModelError, match="its width is divided by 0, which isn't 1 or more"):
        sizes.quotient(NODE, "width", 7, 0)
