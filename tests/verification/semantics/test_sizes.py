"""Shapes are computed, and constants that are made of them are known."""

from __future__ import annotations

import numpy as np
import pytest

from tests.verification.pairs import status

X = "(float[2,3,4] x) => (float[6,4] y)"


@pytest.mark.parametrize(("start", "wanted"), [(2, "proven"), (1, "different")])
def test_a_shape_is_put_together(start: int, wanted: str) -> None:
    lowered = f"s = Shape <start = {start}> (x)  t = Concat <axis = 0> (minus, s)  y = Reshape (x, t)"
    constants = {"shape": np.array([6, 4]), "minus": np.array([-1] * start, np.int64)[:1]}
    assert status(X, "y = Reshape (x, shape)", lowered, **constants) == wanted


@pytest.mark.parametrize(("fill", "wanted"), [(1.0, "proven"), (2.0, "different")])
def test_what_fills_a_shape_counts(fill: float, wanted: str) -> None:
    signature = "(float[2,3] x) => (float[2,3] y)"
    lowered = f"s = Shape (x)  f = ConstantOfShape <value = float[1] {{{fill}}}> (s)  y = Mul (x, f)"
    assert status(signature, "y = Identity (x)", lowered) == wanted


def test_a_range_is_its_numbers() -> None:
    signature = "(float[4] x) => (float[4] y)"
    numbers = {name: np.array(number, np.int64) for name, number in (("zero", 0), ("four", 4), ("one", 1))}
    lowered = "i = Range (zero, four, one)  y = Gather (x, i)"
    assert status(signature, "y = Identity (x)", lowered, **numbers) == "proven"


def test_a_range_whose_steps_round_is_a_function() -> None:
    numbers = {"a": np.float32(0), "b": np.float32(1.05), "c": np.float32(0.1)}
    table = np.arange(0, 1.05, np.float32(0.1), np.float32)
    signature = "(float[11] x) => (float[11] y)"
    added = "r = Range (a, b, c)  y = Add (x, r)"
    assert status(signature, added, "y = Add (x, t)", **numbers, t=table) == "different"
    assert status(signature, added, "q = Range (a, b, c)  y = Add (q, x)", **numbers) == "proven"
    numbers["c"], numbers["b"] = np.float32(0.25), np.float32(2.75)
    table = np.arange(0, 2.75, 0.25, np.float32)
    assert status(signature, added, "y = Add (x, t)", **numbers, t=table) == "proven"
