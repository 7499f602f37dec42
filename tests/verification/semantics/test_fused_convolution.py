"""onnxruntime's fused convolutions are Conv, a bias, a value that's added, and an activation, in that order."""

from __future__ import annotations

import numpy as np
import pytest

from tests.verification.pairs import status

SIGNATURE = "(float[1,2,4,4] x, float[1,3,4,4] z) => (float[1,3,4,4] y)"
CONSTANTS = {
    "w": np.random.default_rng(1).standard_normal((3, 2, 3, 3)).astype(np.float32), "b": np.ones(3, np.float32),
    "last": np.random.default_rng(1).standard_normal((3, 3, 3, 2)).astype(np.float32),
}  # fmt: skip


@pytest.mark.parametrize(
    ("lowered", "wanted"),
    [
        ("c = Conv <pads = [1, 1, 1, 1]> (x, w, b)  a = Add (c, z)  y = LeakyRelu <alpha = 0.5> (a)", "proven"),
        ("c = Conv <pads = [1, 1, 1, 1]> (x, w, b)  a = Add (c, z)  y = LeakyRelu <alpha = 0.25> (a)", "different"),
        ("c = Conv <pads = [1, 1, 1, 1]> (x, w, b)  a = LeakyRelu <alpha = 0.5> (c)  y = Add (a, z)", "different"),
        ("c = Conv <pads = [1, 1, 1, 1]> (x, w, b)  y = LeakyRelu <alpha = 0.5> (c)", "different"),
    ],
)
def test_fused_conv(lowered: str, wanted: str) -> None:
    original = """y = com.microsoft.FusedConv <pads = [1, 1, 1, 1], activation = "LeakyRelu", activation_params = [0.5]>
        (x, w, b, z)"""
    assert status(SIGNATURE, original, lowered, **CONSTANTS) == wanted


@pytest.mark.parametrize(("perm", "wanted"), [([0, 3, 1, 2], "proven"), ([0, 3, 2, 1], "different")])
def test_channels_last(perm: list[int], wanted: str) -> None:
    original = "y = com.microsoft.NhwcConv <pads = [1, 1, 1, 1]> (x, last, b)"
    lowered = f"""t = Transpose <perm = [0, 3, 1, 2]> (x)  v = Transpose <perm = {perm}> (last)
        c = Conv <pads = [1, 1, 1, 1]> (t, v, b)  y = Transpose <perm = [0, 2, 3, 1]> (c)"""
    signature = "(float[1,4,4,2] x) => (float[1,4,4,3] y)"
    assert status(signature, original, lowered, **CONSTANTS) == wanted
