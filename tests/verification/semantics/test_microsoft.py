"""Operators of onnxruntime are what its kernels compute."""

from __future__ import annotations

import numpy as np
import pytest

from tests.verification.pairs import status


@pytest.mark.parametrize(("activation", "wanted"), [("Relu", "proven"), ("Tanh", "different")])
def test_fused_gemm_has_an_activation_behind_it(activation: str, wanted: str) -> None:
    original = f'y = com.microsoft.FusedGemm <activation = "{activation}"> (x, w)'
    lowered = "t = MatMul (x, w)  y = Relu (t)"
    assert status("(float[3,4] x, float[4,5] w) => (float[3,5] y)", original, lowered) == wanted


@pytest.mark.parametrize(("row", "wanted"), [(0, "proven"), (1, "different")])
def test_matmul_nbits_is_codes_less_zero_point_times_scale(row: int, wanted: str) -> None:
    codes = np.random.default_rng(row).integers(0, 16, (2, 1, 16)).astype(np.uint8)
    packed = codes[..., ::2] | codes[..., 1::2] << 4
    scales = np.array([0.5, 0.25], np.float32)
    weight = ((codes[:, 0].astype(np.float32) - 8) * scales[:, None]).T.copy()
    constants = {"p": packed, "s": scales, "w": np.roll(weight, row, 0)}
    original = "y = com.microsoft.MatMulNBits <K = 16, N = 2, bits = 4, block_size = 16> (x, p, s)"
    assert status("(float[3,16] x) => (float[3,2] y)", original, "y = MatMul (x, w)", **constants) == wanted


@pytest.mark.parametrize(("scale", "wanted"), [(0.25, "proven"), (0.5, "different")])
def test_integers_to_float_are_scaled(scale: float, wanted: str) -> None:
    original = "y = com.microsoft.MatMulIntegerToFloat (x, w, s, t)"
    lowered = "i = MatMulInteger (x, w)  f = Cast <to = 1> (i)  y = Mul (f, u)"
    scales = {"s": np.array(0.5, np.float32), "t": np.array(0.5, np.float32), "u": np.array(scale, np.float32)}
    assert status("(uint8[3,4] x, uint8[4,5] w) => (float[3,5] y)", original, lowered, **scales) == wanted
