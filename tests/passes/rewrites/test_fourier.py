"""Matrices of transforms: right by numpy, and each number the nearest of its type."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from onnxtile.passes.rewrites.fourier import Fourier
from onnxtile.verification.semantics.transforms import _matrix

TYPES = [ir.DataType.BFLOAT16, ir.DataType.FLOAT16, ir.DataType.FLOAT, ir.DataType.DOUBLE]


@pytest.mark.parametrize("length", [1, 2, 3, 8, 12, 17])
def test_the_matrix_transforms(length: int) -> None:
    x = np.random.default_rng(length).standard_normal(length)
    made = x @ Fourier(length, length, 1, False, False).matrix(ir.DataType.DOUBLE)
    np.testing.assert_allclose(made[::2] + 1j * made[1::2], np.fft.fft(x), atol=1e-13)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("length", [6, 12, 30, 64])
def test_numbers_are_rounded_once(length: int, dtype: ir.DataType) -> None:
    """The proof computes them in decimals, by another series: both agree to the last bit."""
    for inverse, onesided, parts in ((False, False, 2), (True, False, 2), (False, True, 1), (True, True, 2)):
        taken = length // 2 + 1 if inverse and onesided else length
        ours = Fourier(length, taken, parts, inverse, onesided).matrix(dtype)
        theirs, _, _ = _matrix(length, taken, parts, inverse, onesided, dtype)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_what_is_exact_stays_so() -> None:
    matrix = Fourier(12, 12, 1, False, False).matrix(ir.DataType.FLOAT)
    assert set(matrix[3]) == {-1, 0, 1}
    assert np.count_nonzero(np.abs(matrix[1]) == 0.5) == 8
