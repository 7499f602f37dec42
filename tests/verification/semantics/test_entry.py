"""Test what is on the list of operators, and what it says of their inputs."""

from __future__ import annotations

import onnx
import onnx_ir as ir
import pytest

from onnxtile.verification.evaluator import Evaluator
from onnxtile.verification.field import Field
from onnxtile.verification.semantics.entry import OPERATORS, WHOLE, Call
from onnxtile.verification.value import UnprovenError, Value


def call_of(op_type: str, *inputs: Value | None, **attributes: int) -> Call:
    node = onnx.helper.make_node(op_type, ["x"] * len(inputs), ["y"], **attributes)
    run = Evaluator(Field(1), {}, {"": 20}, lambda tensor: onnx.numpy_helper.to_array(tensor))
    return Call(node, list(inputs), attributes, 20, run, {})


def test_attributes_that_are_not_listed_are_refused() -> None:
    call = call_of("Transpose", Value(Field(1), ir.DataType.FLOAT, (2, 3)))
    call.node.attribute.append(onnx.helper.make_attribute("nonesuch", 1))
    names = {"x": call.value(0)}
    with pytest.raises(UnprovenError, match="Transpose has attribute 'nonesuch', which isn't on the list"):
        call.run.run([call.node], names)


def test_what_decides_a_shape_is_never_a_number_of_the_field() -> None:
    for op_type, index in (("Reshape", 1), ("Expand", 1), ("Slice", 1), ("Gather", 1), ("Pad", 1), ("Tile", 1)):
        if ("", op_type) in OPERATORS:
            assert OPERATORS["", op_type].of_input(index) in (*WHOLE, "number")
    assert OPERATORS["", "Reshape"].of_input(1) == "shape"
    assert OPERATORS["", "Slice"].takes_whole_numbers


def test_inputs_that_lack_are_told() -> None:
    with pytest.raises(UnprovenError, match="Add lacks input 1"):
        call_of("Add", None).value(1)
    assert call_of("Add", None).optional(3) is None


@pytest.mark.parametrize(("axis", "wanted"), [(0, 0), (1, 1), (-1, 1), (-2, 0)])
def test_axes_count_from_the_front(axis: int, wanted: int) -> None:
    assert call_of("Softmax", axis=axis).axis("axis", 2) == wanted


@pytest.mark.parametrize("axis", [2, -3])
def test_an_axis_that_is_not_there_is_refused(axis: int) -> None:
    with pytest.raises(UnprovenError, match=f"Softmax has axis {axis} of a value of 2"):
        call_of("Softmax", axis=axis).axis("axis", 2)
