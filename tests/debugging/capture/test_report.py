"""The report of a capture, and the values by name."""

from __future__ import annotations

import numpy as np

import onnxtile
from onnxtile.debugging.capture.report import CaptureReport, Fed
from tests.debugging.capture.test_capture import X, mlp


def test_it_shows_itself() -> None:
    found = onnxtile.capture(mlp(), name="fc*", inputs=X)
    assert repr(found) == "Captured(h: float32[12, 40], y: float32[12, 9])"
    assert len(found) == 2
    assert isinstance(found, onnxtile.Captured)


def test_names_steer_no_terminal() -> None:
    report = CaptureReport((), (), (), Fed("random", 0, {}))
    captured = onnxtile.Captured({"a\n\x1b]0;t\x07": np.zeros(1, np.int8), "x" * 10_000: np.zeros(2, np.int8)}, report)
    assert repr(captured).startswith(r"Captured(a\n\x1b]0;t\x07: int8[1], xxx")
    assert len(repr(captured)) < 300
