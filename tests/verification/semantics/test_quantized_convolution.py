"""Convolutions of bytes are those of integers less their zero points, rounded once."""

from __future__ import annotations

import numpy as np
import pytest

from tests.verification.pairs import status

SIGNATURE = "(uint8[1,2,4,4] x) => (int32[1,3,4,4] y)"
CONSTANTS = {
    "w": np.random.default_rng(1).integers(-128, 128, (3, 2, 3, 3)).astype(np.int8), "xz": np.uint8(7),
    "wz": np.array([1, 2, 3], np.int8), "one": np.int8(1), "none": np.uint8(0), "b": np.array([1, 2, 3], np.int32),
    "sx": np.float32(0.02), "sw": np.array([0.01, 0.02, 0.03], np.float32), "sy": np.float32(0.3), "yz": np.uint8(9),
    "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
}  # fmt: skip


@pytest.mark.parametrize(
    ("lowered", "wanted"),
    [
        ("p = Pad (x, pads, xz)  y = ConvInteger (p, w, xz, wz)", "proven"),
        ("p = Pad (x, pads, none)  y = ConvInteger (p, w, xz, wz)", "different"),
        ("p = Pad (x, pads)  y = ConvInteger (p, w, xz, wz)", "different"),
        ("y = ConvInteger <pads = [1, 1, 1, 1]> (x, w, xz, one)", "different"),
        ("y = ConvInteger <pads = [1, 1, 1, 1]> (x, w, xz)", "different"),
        ("y = ConvInteger <pads = [1, 1, 1, 1]> (x, w, , wz)", "different"),
        ('y = ConvInteger <auto_pad = "SAME_UPPER"> (x, w, xz, wz)', "proven"),
    ],
)
def test_conv_integer(lowered: str, wanted: str) -> None:
    original = "y = ConvInteger <pads = [1, 1, 1, 1]> (x, w, xz, wz)"
    assert status(SIGNATURE, original, lowered, **CONSTANTS) == wanted


@pytest.mark.parametrize(
    ("lowered", "wanted"),
    [
        ("p = Pad (x, pads, xz)  y = QLinearConv (p, sx, xz, w, sw, wz, sy, yz, b)", "proven"),
        ("p = Pad (x, pads)  y = QLinearConv (p, sx, xz, w, sw, wz, sy, yz, b)", "different"),
        ("y = QLinearConv <pads = [1, 1, 1, 1]> (x, sx, xz, w, sw, wz, sy, yz)", "different"),
        ("y = QLinearConv <pads = [1, 1, 1, 1]> (x, sx, xz, w, sx, wz, sy, yz, b)", "different"),
        ("y = QLinearConv <pads = [1, 1, 1, 1]> (x, sx, xz, w, sw, wz, sy, xz, b)", "different"),
        ("y = com.microsoft.QLinearConv <pads = [1, 1, 1, 1]> (x, sx, xz, w, sw, wz, sy, yz, b)", "proven"),
        ("t = Transpose <perm = [0, 2, 3, 1]> (x)  u = com.microsoft.QLinearConv <pads = [1, 1, 1, 1], channels_last "
         "= 1> (t, sx, xz, w, sw, wz, sy, yz, b)  y = Transpose <perm = [0, 3, 1, 2]> (u)", "proven"),
    ],
)  # fmt: skip
def test_qlinear_conv(lowered: str, wanted: str) -> None:
    signature = SIGNATURE.replace("int32[", "uint8[")
    original = "y = QLinearConv <pads = [1, 1, 1, 1]> (x, sx, xz, w, sw, wz, sy, yz, b)"
    assert status(signature, original, lowered, **CONSTANTS) == wanted
