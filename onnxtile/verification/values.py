"""Two values beside each other: how far are they apart, and is that more than is allowed?"""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxtile.verification.verdict import ValueVerdict


def judge(name: str, y: Any, z: Any, moved: list[Any], each_element: bool) -> ValueVerdict:
    """`each_element`: the bound holds for each element apart; otherwise the largest of all counts."""
    allowed = max((distance(y, other) for other in moved), default=0.0)
    if type(y) is not type(z) or getattr(y, "dtype", None) != getattr(z, "dtype", None):
        return ValueVerdict(name, float("inf"), allowed, False, False, "type differs")
    error = distance(y, z)
    if error == 0:
        return ValueVerdict(name, 0.0, allowed, True, True)
    if np.isinf(error):
        return ValueVerdict(name, error, allowed, False, False, "shape differs, or NaN or infinity elsewhere")
    if np.isinf(allowed):
        return ValueVerdict(name, error, allowed, False, False, "no bound: rounding may make it infinite or NaN")
    fits = error <= allowed
    if fits and each_element:
        bounds = np.max([np.abs(np.float64(y) - np.float64(other)) for other in moved], axis=0)
        fits = bool((np.abs(np.float64(y) - np.float64(z)) <= bounds).all())
    return ValueVerdict(name, error, allowed, False, fits, None if fits else "outside its bound")


def distance(y: Any, z: Any) -> float:
    """The largest difference of two values; infinite where NaN, infinity, text or shape differ."""
    if isinstance(y, (list, tuple)) or isinstance(z, (list, tuple)):
        alike = isinstance(y, (list, tuple)) and isinstance(z, (list, tuple)) and len(y) == len(z)
        return max(map(distance, y, z), default=0.0) if alike else float("inf")
    y, z = np.asarray(y), np.asarray(z)
    if y.shape != z.shape:
        return float("inf")
    if y.dtype.kind in "OSU":
        return 0.0 if np.array_equal(y, z) else float("inf")
    if y.dtype.kind in "biu":
        return float(max((abs(int(p) - int(q)) for p, q in zip(y[y != z], z[y != z], strict=True)), default=0))
    y, z = y.astype(np.float64), z.astype(np.float64)
    finite = np.isfinite(y)
    if not np.array_equal(y[~finite], z[~finite], equal_nan=True) or not np.isfinite(z[finite]).all():
        return float("inf")
    return float(np.abs(y[finite] - z[finite]).max(initial=0.0))


def worse(old: ValueVerdict | None, new: ValueVerdict) -> ValueVerdict:
    """The case that says more against an output: a failure, then the larger share of what's allowed."""
    if old is None:
        return new
    worst = max(
        old, new, key=lambda v: (not v.equivalent, v.max_abs_error / v.allowed if v.allowed else v.max_abs_error)
    )
    return ValueVerdict(
        worst.name,
        worst.max_abs_error,
        worst.allowed,
        old.exact and new.exact,
        old.equivalent and new.equivalent,
        worst.reason,
    )
