"""Test which elements of a region's values bear on an element of its output."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.verification.evaluator import Evaluator
from onnxtile.verification.field import Field
from onnxtile.verification.slices import Trace, is_move, slices_of
from onnxtile.verification.value import Value

FIELD = Field(1)


def trace(*nodes: onnx.NodeProto, **shapes: tuple[int, ...]) -> Trace:
    run = Evaluator(FIELD, {}, {"": 20}, onnx.numpy_helper.to_array)
    names = {name: Value(FIELD, ir.DataType.FLOAT, shape) for name, shape in shapes.items()}
    run.run(nodes, names)
    return Trace([], {}, nodes, names, run, 20)


def only(shape: tuple[int, ...], *at: int) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[at] = True
    return mask


def test_an_element_of_a_product_needs_a_row_and_a_column() -> None:
    found = trace(onnx.helper.make_node("MatMul", ["a", "b"], ["y"]), a=(2, 3), b=(3, 4))
    masks = slices_of(found, {"y": only((2, 4), 1, 2)})
    assert np.argwhere(masks["a"]).tolist() == [[1, 0], [1, 1], [1, 2]]
    assert np.argwhere(masks["b"]).tolist() == [[0, 2], [1, 2], [2, 2]]


def test_a_moved_element_needs_the_one_that_was_moved() -> None:
    turn = onnx.helper.make_node("Transpose", ["a"], ["t"], perm=[1, 0])
    found = trace(turn, onnx.helper.make_node("Neg", ["t"], ["y"]), a=(2, 3))
    masks = slices_of(found, {"y": only((3, 2), 2, 0)})
    assert np.argwhere(masks["a"]).tolist() == [[0, 2]]
    assert is_move(turn) and not is_move(found.nodes[1])


def test_values_that_are_right_end_the_search() -> None:
    found = trace(
        onnx.helper.make_node("Neg", ["a"], ["t"]), onnx.helper.make_node("Neg", ["t"], ["y"]), a=(2,)
    )  # fmt: skip
    masks = slices_of(found, {"y": only((2,), 0)}, right={"t"})
    assert "t" in masks and "a" not in masks
