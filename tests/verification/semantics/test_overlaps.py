"""Windows are added where they overlap, as onnx says; what puts one elsewhere is different."""

from __future__ import annotations

import numpy as np
import pytest

from tests.verification.pairs import status

IMAGES = "(float[1,8,4] x) => (float[1,2,3,3] y)"
UP = "(float[1,2,2,2] x) => (float[1,3,5,5] y)"
W = np.arange(2 * 3 * 9, dtype=np.float32).reshape(2, 3, 3, 3) - 20
CONSTANTS = {
    "i": np.array([3, 3]), "k": np.array([2, 2]), "w": W, "b": np.array([1, 2, 3], np.float32),
    "flipped": np.ascontiguousarray(W[..., ::-1]), "m": np.ascontiguousarray(W.reshape(2, 27)),
    "rows": np.array([1, 2, 4]), "windows": np.array([1, 27, 4]), "image": np.array([5, 5]), "three": np.array([3, 3]),
    "column": np.array([1, 2, 3], np.float32).reshape(3, 1, 1),
}  # fmt: skip
WRITTEN_OUT = """r = Reshape (x, rows)  t = Transpose <perm = [0, 2, 1]> (r)  p = MatMul (t, m)
    q = Transpose <perm = [0, 2, 1]> (p)  c = Col2Im <strides = [2, 2]> (q, image, three)  y = Add (c, column)"""


@pytest.mark.parametrize(
    ("lowered", "wanted"),
    [
        ("n = Neg (x)  c = Col2Im (n, i, k)  y = Neg (c)", "proven"),
        ("n = Neg (x)  c = Col2Im <strides = [1, 1], dilations = [1, 1]> (n, i, k)  y = Neg (c)", "proven"),
        ("t = Transpose <perm = [0, 1, 2]> (x)  n = Neg (t)  y = Col2Im (n, i, k)", "different"),
    ],
)
def test_col2im(lowered: str, wanted: str) -> None:
    assert status(IMAGES, "y = Col2Im (x, i, k)", lowered, **CONSTANTS) == wanted


@pytest.mark.parametrize(
    ("lowered", "wanted"),
    [
        (WRITTEN_OUT, "proven"),
        (WRITTEN_OUT.replace("strides = [2, 2]", "strides = [2, 1]").replace("image, ", "other, "), "different"),
        (WRITTEN_OUT.replace("[0, 2, 1]> (p)", "[0, 2, 1]> (p2)").replace("q =", "p2 = Neg (p)  q ="), "different"),
        ("t = ConvTranspose <strides = [2, 2], kernel_shape = [3, 3]> (x, w)  y = Add (t, column)", "proven"),
        ("y = ConvTranspose <strides = [2, 2]> (x, flipped, b)", "different"),
        ("y = ConvTranspose <strides = [2, 2]> (x, w)", "different"),
        ("y = ConvTranspose <strides = [2, 2], pads = [0, 0, 1, 1], output_padding = [1, 1]> (x, w, b)", "proven"),
        ("y = ConvTranspose <strides = [2, 2], output_shape = [5, 5]> (x, w, b)", "proven"),
        ('y = ConvTranspose <strides = [2, 2], auto_pad = "VALID"> (x, w, b)', "proven"),
    ],
)
def test_conv_transpose(lowered: str, wanted: str) -> None:
    constants = CONSTANTS | ({"other": np.array([5, 4])} if "other" in lowered else {})
    if "other" in lowered:
        lowered = lowered.replace("y = Add (c, column)", "d = Pad (c, more)  y = Add (d, column)")
        constants["more"] = np.array([0, 0, 0, 0, 0, 0, 0, 1])
    assert status(UP, "y = ConvTranspose <strides = [2, 2]> (x, w, b)", lowered, **constants) == wanted


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER"])
def test_the_larger_half_of_pads(auto_pad: str) -> None:
    front = auto_pad == "SAME_LOWER"
    pads = [1, 1, 0, 0] if front else [0, 0, 1, 1]
    signature = UP.replace("5,5", "4,4")
    original = f'y = ConvTranspose <strides = [2, 2], auto_pad = "{auto_pad}"> (x, w, b)'
    for given, wanted in ((pads, "proven"), (pads[::-1], "different")):
        lowered = f"y = ConvTranspose <strides = [2, 2], pads = {given}> (x, w, b)"
        assert status(signature, original, lowered, **CONSTANTS) == wanted
