"""Products of bytes for onnx.reference are exact, and scaled in float32."""

from __future__ import annotations

import numpy as np
import pytest

from onnxtile.verification.integers import product, quantized

A = np.array([[255, 0], [1, 2]], np.uint8)
B = np.array([[-128, 127], [3, 4]], np.int8)


@pytest.mark.parametrize(
    ("a_zero", "b_zero"),
    [(None, None), (np.uint8(7), np.int8(-3)), (np.array([1, 200], np.uint8), np.array([-5, 6], np.int8))],
)
def test_products_are_those_of_whole_numbers(a_zero: np.ndarray | None, b_zero: np.ndarray | None) -> None:
    rows = 0 if a_zero is None else np.asarray(a_zero, np.int64).reshape(-1, 1)
    columns = 0 if b_zero is None else np.asarray(b_zero, np.int64)
    wanted = (A.astype(np.int64) - rows) @ (B.astype(np.int64) - columns)
    zeros = [None if zero is None else np.asarray(zero) for zero in (a_zero, b_zero)]
    got = product(A, B, *zeros)
    assert got.dtype == np.int32 and (got == wanted).all()


def test_long_sums_wrap_as_int32_does() -> None:
    a, b = np.full((1, 1 << 17), 255, np.uint8), np.full((1 << 17, 1), 255, np.uint8)
    wanted = ((255 * 255 << 17) + (1 << 31)) % (1 << 32) - (1 << 31)
    assert product(a, b)[0, 0] == wanted


def test_ties_go_to_even_before_the_zero_point_is_added() -> None:
    total = np.array([1, 3, -1, 1000, -1000], np.int32)
    got = quantized(total, np.float32(0.5), np.array(1, np.int8), np.dtype(np.int8))
    assert got.tolist() == [1, 3, 1, 127, -128]
