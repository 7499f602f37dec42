"""A convolution is sums of windows by kernels, in whatever way the lowered side comes by them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.verification.pairs import status

SIGNATURE = "(float[2,2,5] x, float[4,2,3] w, float[4] c) => (float[2,4,N] y)"
CONSTANTS = {
    "start": np.array([0], np.int64), "one": np.array([1], np.int64), "two": np.array([2], np.int64),
    "three": np.array([3], np.int64), "four": np.array([4], np.int64), "six": np.array([6], np.int64),
    "five": np.array([5], np.int64), "axis": np.array([2], np.int64), "columns": np.array([4, 6], np.int64),
    "around": np.array([0, 0, 1, 0, 0, 1], np.int64), "behind": np.array([0, 0, 0, 0, 0, 2], np.int64),
    "column": np.array([4, 1], np.int64),
}  # fmt: skip
TAPS = """a = Slice (x, start, three, axis)  b = Slice (x, one, four, axis)  d = Slice (x, two, five, axis)
    u = Concat <axis = 1> ({taps})  v = Transpose <perm = [0, 2, 1]> (w)  r = Reshape (v, columns)
    y = MatMul (r, u)"""
PADDED = "p = Pad (x, {pads})  y = Conv {attributes} (p, w)"


@pytest.mark.parametrize(("taps", "wanted"), [("a, b, d", "proven"), ("b, a, d", "different")])
def test_windows_are_taps_one_after_the_other(taps: str, wanted: str) -> None:
    assert status(SIGNATURE, "y = Conv (x, w)", TAPS.format(taps=taps), **CONSTANTS) == wanted


@pytest.mark.parametrize(
    ("attributes", "lowered", "wanted"),
    [
        ("<pads = [1, 1]>", PADDED.format(pads="around", attributes=""), "proven"),
        ("<pads = [1, 1]>", PADDED.format(pads="behind", attributes=""), "different"),
        ('<auto_pad = "SAME_UPPER">', PADDED.format(pads="around", attributes=""), "proven"),
        (
            '<auto_pad = "SAME_LOWER", strides = [2]>',
            PADDED.format(pads="around", attributes="<strides = [2]>"),
            "proven",
        ),
        ("<pads = [1, 1], strides = [2]>", PADDED.format(pads="around", attributes=""), "different"),
        ("<pads = [1, 1], dilations = [2]>", PADDED.format(pads="around", attributes="<dilations = [2]>"), "proven"),
        ("<pads = [1, 1], dilations = [2]>", PADDED.format(pads="around", attributes="<dilations = [1]>"), "different"),
    ],
)
def test_attributes_count(attributes: str, lowered: str, wanted: str) -> None:
    assert status(SIGNATURE, f"y = Conv {attributes} (x, w)", lowered, **CONSTANTS) == wanted


def test_a_bias_is_added_to_channels() -> None:
    lowered = "t = Conv (x, w)  r = Reshape (c, column)  y = Add (t, r)"
    assert status(SIGNATURE, "y = Conv (x, w, c)", lowered, **CONSTANTS) == "proven"


def test_groups_are_apart() -> None:
    signature = "(float[2,4,5] x, float[4,2,3] w) => (float[2,4,3] y)"
    halves = """a, b = Split <axis = 1> (x, parts)  d, e = Split <axis = 0> (w, parts)
        p = Conv (a, d)  q = Conv ({second}, e)  y = Concat <axis = 1> (p, q)"""
    parts = {"parts": np.array([2, 2], np.int64)}
    for second, wanted in (("b", "proven"), ("a", "different")):
        original = "y = Conv <group = 2> (x, w)"
        assert status(signature, original, halves.format(second=second), **parts) == wanted
