"""Quantizing is a function of number, scale and zero point; taking it back is arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from tests.verification.pairs import status

X = "(float[2,4] x) => (uint8[2,4] y)"
CONSTANTS = {
    "s": np.array(0.3, np.float32), "t": np.array(0.25, np.float32), "z": np.array(3, np.uint8),
    "o": np.array(4, np.uint8), "rows": np.array([0.3, 0.3], np.float32), "zeros": np.array([3, 3], np.uint8),
}  # fmt: skip


@pytest.mark.parametrize(
    ("lowered", "wanted"),
    [
        ("y = QuantizeLinear <axis = 0> (x, rows, zeros)", "proven"),
        ("y = QuantizeLinear (x, t, z)", "different"),
        ("y = QuantizeLinear (x, s, o)", "different"),
        ("n = Neg (x)  m = Neg (n)  y = QuantizeLinear (m, s, z)", "proven"),
    ],
)
def test_scale_and_zero_point_tell_quantizers_apart(lowered: str, wanted: str) -> None:
    assert status(X, "y = QuantizeLinear (x, s, z)", lowered, **CONSTANTS) == wanted


@pytest.mark.parametrize(("zero", "wanted"), [("z", "proven"), ("o", "different")])
def test_dequantizing_is_a_difference_times_a_scale(zero: str, wanted: str) -> None:
    lowered = (
        f"a = Cast <to = 6> (x)  b = Cast <to = 6> ({zero})  d = Sub (a, b)  f = Cast <to = 1> (d)  y = Mul (f, s)"
    )
    signature = "(uint8[2,4] x) => (float[2,4] y)"
    assert status(signature, "y = DequantizeLinear (x, s, z)", lowered, **CONSTANTS) == wanted
