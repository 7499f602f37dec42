"""Shapes that hold in every run: two libraries' inference, believed only where a rule is known to be sound."""

from __future__ import annotations

from onnxtile.shapes.declared import corrected
from onnxtile.shapes.inference import infer

__all__ = ["corrected", "infer"]
