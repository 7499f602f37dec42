"""Operators that move elements: the same elements in the same places are the same, however they got there."""

from __future__ import annotations

import numpy as np
import pytest

from tests.verification.pairs import status

X = "(float[4,6] x) => (float[4,6] y)"
CONSTANTS = {
    name: np.array(numbers, np.int64)
    for name, numbers in {
        "zero": [0], "two": [2], "four": [4], "six": [6], "axis": [1], "end": [2**31 - 1], "turned": [3, 2, 1, 0],
        "back": [-1], "start": [-1], "before": [-(2**31)], "shape": [6, 4], "same": [4, 6], "pads": [0, 0, 2, 0],
        "parts": [2, 4],
    }.items()
}  # fmt: skip


@pytest.mark.parametrize(
    ("original", "lowered", "wanted"),
    [
        ("y = Identity (x)", "a, b = Split <axis = 1> (x, parts)  y = Concat <axis = 1> (a, b)", "proven"),
        ("y = Identity (x)", "a, b = Split <axis = 1> (x, parts)  y = Concat <axis = 1> (b, a)", "different"),
        ("y = Identity (x)", "p = Pad (x, pads)  y = Slice (p, zero, four)", "proven"),
        ("y = Identity (x)", "p = Pad (x, pads)  y = Slice (p, two, six)", "different"),
        ("y = Gather <axis = 0> (x, turned)", "y = Slice (x, start, before, zero, back)", "proven"),
        ("y = Gather <axis = 0> (x, turned)", "y = Identity (x)", "different"),
        ("y = Reshape (x, same)", "t = Reshape (x, shape)  y = Reshape (t, same)", "proven"),
        ("t = Transpose (x)  y = Reshape (t, same)", "t = Reshape (x, shape)  y = Reshape (t, same)", "different"),
    ],
)  # fmt: skip
def test_elements_stay_in_their_places(original: str, lowered: str, wanted: str) -> None:
    assert status(X, original, lowered, **CONSTANTS) == wanted


def test_a_slice_that_runs_backwards_to_the_largest_number_is_read_in_two_ways() -> None:
    """onnxruntime takes it for the first element, the specification's clamping for the last."""
    nodes = "t = Slice (x, a, b, c, d)  y = Neg (t)"
    numbers = {"a": np.array([3]), "b": np.array([2**63 - 1]), "c": np.array([0]), "d": np.array([-1])}
    assert status("(float[4] x) => (float[n] y)", nodes, nodes.replace("t", "u"), **numbers) != "proven"
