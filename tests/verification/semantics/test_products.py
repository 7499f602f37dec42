"""Products by every operator that has them are sums of products of elements."""

from __future__ import annotations

import numpy as np
import pytest

import onnxtile
from tests.support import parse
from tests.verification.pairs import status

X = "(float[3,4] x, float[4,5] w, float[5] c) => (float[3,5] y)"
CONSTANTS = {"half": np.array(0.5, np.float32)}
TRANSPOSED = "v = Transpose (w)  t = Gemm <transB = 1> (x, v)  y = Add (t, c)"


@pytest.mark.parametrize(
    ("original", "lowered", "wanted"),
    [
        ("y = Gemm (x, w, c)", "t = MatMul (x, w)  y = Add (t, c)", "proven"),
        ("y = Gemm (x, w, c)", TRANSPOSED, "proven"),
        ("y = Gemm <alpha = 0.5> (x, w)", "t = MatMul (x, w)  y = Mul (t, half)", "proven"),
        ("y = Gemm <alpha = 0.5> (x, w)", "y = MatMul (x, w)", "different"),
        ("y = Gemm (x, w, c)", "t = MatMul (x, w)  s = Add (t, c)  y = Add (s, c)", "different"),
        ('y = Einsum <equation = "ij,jk->ik"> (x, w)', "y = MatMul (x, w)", "proven"),
        ("y = com.microsoft.FusedMatMul <alpha = 0.5> (x, w)", "t = MatMul (x, w)  y = Mul (t, half)", "proven"),
    ],
)
def test_operators_with_a_product(original: str, lowered: str, wanted: str) -> None:
    assert status(X, original, lowered, **CONSTANTS) == wanted


@pytest.mark.parametrize(("zero", "wanted"), [("za", "proven"), ("zb", "different")])
def test_zero_points_are_taken_off(zero: str, wanted: str) -> None:
    signature = "(uint8[3,4] x, uint8[4,5] w) => (int32[3,5] y)"
    lowered = f"""a = Cast <to = 6> (x)  z = Cast <to = 6> ({zero})  d = Sub (a, z)  b = Cast <to = 6> (w)
        y = MatMul (d, b)"""
    constants = {"za": np.array(3, np.uint8), "zb": np.array(4, np.uint8)}
    assert status(signature, "y = MatMulInteger (x, w, za)", lowered, **constants) == wanted


def test_a_fraction_of_a_product_of_whole_numbers_is_not_told() -> None:
    nodes = "y = Gemm <alpha = 0.5> (x, w)"
    constants = {"w": np.ones((4, 4), np.int32), "z": np.zeros((2, 4), np.int32)}
    assert status("(int32[2,4] x) => (int32[2,4] y)", nodes, "y = Mul (z, z)", **constants) != "proven"


def test_large_products_of_bytes_in_tiles_of_k_are_the_original() -> None:
    scale, zero, signed = np.array(0.5, np.float32), np.array(3, np.uint8), np.array(0, np.int8)
    model = parse(
        """<ir_version: 8, opset_import: ["" : 17]> g (uint8[256,64] x, int8[64,128] w) => (uint8[256,128] y)
        { y = QLinearMatMul (x, scale, zero, w, scale, signed, scale, zero) }""",
        scale=scale, zero=zero, signed=signed,
    )  # fmt: skip
    lowered = onnxtile.lower(model, max=(256, 1, 128), form="batched")
    assert [region.status for region in onnxtile.verify(model, lowered).regions] == ["proven"]
