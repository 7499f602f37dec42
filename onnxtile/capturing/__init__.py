"""What nodes inside a model give when it's run: chosen, computed a few at a time, described and written."""

from __future__ import annotations

from onnxtile.capturing.capturer import capture
from onnxtile.capturing.record import Captured, CaptureReport

__all__ = ["CaptureReport", "Captured", "capture"]
