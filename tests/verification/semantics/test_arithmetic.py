"""Sums and products are exact in any order; everything else of elements is a function."""

from __future__ import annotations

import numpy as np
import pytest

from tests.verification.pairs import status

X = "(float[2,4] x, float[2,4] z) => (float[2,4] y)"
TWO = np.array(2, np.float32)


@pytest.mark.parametrize(
    ("original", "lowered", "wanted"),
    [
        ("t = Add (x, z)  y = Mul (t, x)", "a = Mul (x, x)  b = Mul (z, x)  y = Add (b, a)", "proven"),
        ("y = Sub (x, z)", "n = Neg (z)  y = Add (x, n)", "proven"),
        ("y = Sub (x, z)", "y = Sub (z, x)", "different"),
        ("y = Div (x, two)", "h = Div (two, two)  q = Div (x, two)  y = Mul (q, h)", "proven"),
        ("y = Abs (x)", "n = Neg (x)  y = Abs (n)", "different"),
        ("y = Max (x, z)", "y = Max (z, x)", "different"),
        ("y = Sum (x, z, x)", "t = Sum (z, x)  y = Add (t, x)", "proven"),
        ("y = Add (x, z)", "t = Add (x, two)  u = Add (t, z)  y = Sub (u, two)", "different"),
    ],
)  # fmt: skip
def test_sums_products_and_functions(original: str, lowered: str, wanted: str) -> None:
    assert status(X, original, lowered, two=TWO) == wanted


@pytest.mark.parametrize(("axes", "wanted"), [([1], "proven"), ([0], "different")])
def test_a_sum_over_an_axis_is_a_product_by_ones(axes: list[int], wanted: str) -> None:
    signature = "(float[4,4] x) => (float[4] y)"
    lowered = "t = MatMul (x, ones)  y = Squeeze (t, last)"
    constants = {"axes": np.array(axes), "ones": np.ones((4, 1), np.float32), "last": np.array([1])}
    assert status(signature, "y = ReduceSum <keepdims = 0> (x, axes)", lowered, **constants) == wanted
