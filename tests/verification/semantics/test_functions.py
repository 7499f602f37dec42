"""A function gives the same number of the same argument, and another of any other, or by another name."""

from __future__ import annotations

import onnx_ir as ir
import pytest
from onnx import helper, numpy_helper

from onnxtile.verification.evaluator import Evaluator
from onnxtile.verification.field import Field
from onnxtile.verification.value import UnprovenError, Value
from tests.verification.pairs import status

X = "(float[2,4] x, float[2,4] z) => (float[2,4] y)"


@pytest.mark.parametrize(
    ("original", "lowered", "wanted"),
    [
        ("t = Add (x, z)  y = Relu (t)", "t = Add (z, x)  y = Relu (t)", "proven"),
        ("y = Relu (x)", "t = Relu (x)  y = Relu (t)", "different"),
        ("y = Elu <alpha = 0.5> (x)", "y = Elu <alpha = 0.25> (x)", "different"),
        ("y = Softmax <axis = 1> (x)", "y = Softmax <axis = 0> (x)", "different"),
        ("t = Add (x, z)  y = Softmax <axis = 1> (t)", "t = Add (z, x)  y = Softmax <axis = -1> (t)", "proven"),
        ("y = Exp (x)", "y = Sigmoid (x)", "different"),
    ],
)
def test_names_attributes_and_arguments_tell_functions_apart(original: str, lowered: str, wanted: str) -> None:
    assert status(X, original, lowered) == wanted


def test_a_line_is_taken_as_a_whole() -> None:
    lowered = (
        "a, b = Split <axis = 1, num_outputs = 2> (x)  s = Softmax (a)  t = Softmax (b)  y = Concat <axis = 1> (s, t)"
    )
    assert status(X, "y = Softmax (x)", lowered) == "different"


@pytest.mark.parametrize(("op_type", "first"), [("PRelu", 7), ("Selu", 6)])
def test_what_meant_something_else_once_is_not_believed(op_type: str, first: int) -> None:
    def evaluate(opset: int) -> None:
        field = Field(3)
        names = {name: Value(field, ir.DataType.FLOAT, (2, 4)) for name in "xs"}
        node = helper.make_node(op_type, ["x", "s"][: 2 if op_type == "PRelu" else 1], ["y"])
        Evaluator(field, {}, {"": opset}, numpy_helper.to_array).run([node], names)

    evaluate(first)
    with pytest.raises(UnprovenError, match="means something else"):
        evaluate(first - 1)
