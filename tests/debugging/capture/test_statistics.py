"""Test what the numbers of a value are like, and how they are shown."""

from __future__ import annotations

import json

import numpy as np

import onnxtile
from tests.debugging.capture.test_capture import HEAD
from tests.support import parse


def test_what_the_numbers_are_like() -> None:
    model = parse(f"{HEAD} g (float[6] x, int64[3] i) => (float[6] y, int64[3] j) {{ y = Identity (x) j = Neg (i) }}")
    x = np.array([np.nan, np.inf, -np.inf, 3, -1, np.nan], np.float32)
    i = np.array([2**62, 1, -5])
    first, second = onnxtile.capture(model, name="*", inputs={"x": x, "i": i}).report.values
    assert (first.min, first.max, first.mean, first.nan, first.infinite) == (-1, 3, 1, 2, 2)
    assert first.first == ("nan", "inf", "-inf")
    assert (second.min, second.max, second.nan) == (-(2**62), 5, 0)
    model = parse(f"{HEAD} g (float[0,3] x) => (float[0,3] y) {{ [e] y = Relu (x) }}")
    (empty,) = onnxtile.capture(model, name="e").report.values
    assert (empty.min, empty.mean, empty.shape, empty.bytes, empty.first) == (None, None, (0, 3), 0, ())
    document = onnxtile.capture(model, name="e").report.to_json()
    json.dumps(document, allow_nan=False)
