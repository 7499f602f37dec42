"""Which pass is wrong, and the smallest model that shows it."""

from __future__ import annotations

from onnxtile.reduction.reducer import Reduction, reduce

__all__ = ["Reduction", "reduce"]
