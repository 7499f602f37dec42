"""Is the lowered model equivalent to the original? Run both, and derive what may differ."""

from __future__ import annotations

from onnxtile.verification.compare import Verdict, verify

__all__ = ["Verdict", "verify"]
