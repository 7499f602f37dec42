"""Test that what zeros meet is kept: adding zero times a number is nothing, unless that number is infinite."""

from __future__ import annotations

import numpy as np
import pytest

from tests.verification.pairs import status

SIGNATURE = "(float[2,4] x, float[2,4] b) => (float[2,4] y)"


@pytest.mark.parametrize(
    ("nodes", "wanted"),
    [
        ("y = Mul (b, one)", "proven"),
        ("z = Mul (x, zero)  y = Add (b, z)", "different"),
        ("z = Mul (one, zero)  y = Add (b, z)", "proven"),
        ("z = Mul (x, zero)  n = Mul (x, zero)  d = Sub (z, n)  y = Add (b, d)", "different"),
    ],
)
def test_a_zero_that_meets_a_number(nodes: str, wanted: str) -> None:
    constants = {"zero": np.zeros((), np.float32), "one": np.ones((), np.float32)}
    assert status(SIGNATURE, "y = Identity (b)", nodes, **constants) == wanted
