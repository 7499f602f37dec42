"""A function gives the same number of the same argument, and another of any other, or by another name."""

from __future__ import annotations

import pytest

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
