"""The report of a capture, and the values by name."""

from __future__ import annotations

import onnxtile
from tests.debugging.capture.test_capture import X, mlp


def test_it_shows_itself() -> None:
    found = onnxtile.capture(mlp(), name="fc*", inputs=X)
    assert repr(found) == "Captured(h: float32[12, 40], y: float32[12, 9])"
    assert len(found) == 2
    assert isinstance(found, onnxtile.Captured)
