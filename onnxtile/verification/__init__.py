"""Is the lowered model equivalent to the original? Prove each rewritten region, or derive what may differ."""

from __future__ import annotations

from onnxtile.verification.verdict import RegionVerdict, ValueVerdict, Verdict
from onnxtile.verification.verifier import verify

__all__ = ["RegionVerdict", "ValueVerdict", "Verdict", "verify"]
