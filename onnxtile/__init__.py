"""Fit models of ONNX and torch to a matrix engine of bounded size, prove it, and tell what every layer costs."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOMES = {
    "lower": "frontends",
    "check": "checking",
    "estimate": "lowering",
    "verify": "verification",
    "profile": "frontends",
    "capture": "frontends",
    "Captured": "capturing",
    "CaptureReport": "capturing",
    "reduce": "reduction",
    "following_links": "following",
    "Limits": "limits",
    "PassManager": "pipeline",
    "Profile": "profiling.record",
    "Report": "report",
    "OnnxtileError": "errors",
    "UsageError": "errors",
    "ModelError": "errors",
    "UnsupportedError": "errors",
    "PassError": "errors",
    "LimitsError": "errors",
}
__all__ = [*_HOMES, "passes", "__version__"]

if TYPE_CHECKING:
    from onnxtile import passes as passes
    from onnxtile.capturing import Captured as Captured
    from onnxtile.capturing import CaptureReport as CaptureReport
    from onnxtile.checking import check as check
    from onnxtile.errors import LimitsError as LimitsError
    from onnxtile.errors import ModelError as ModelError
    from onnxtile.errors import OnnxtileError as OnnxtileError
    from onnxtile.errors import PassError as PassError
    from onnxtile.errors import UnsupportedError as UnsupportedError
    from onnxtile.errors import UsageError as UsageError
    from onnxtile.following import following_links as following_links
    from onnxtile.frontends import capture as capture
    from onnxtile.frontends import lower as lower
    from onnxtile.frontends import profile as profile
    from onnxtile.limits import Limits as Limits
    from onnxtile.lowering import estimate as estimate
    from onnxtile.pipeline import PassManager as PassManager
    from onnxtile.profiling.record import Profile as Profile
    from onnxtile.reduction import reduce as reduce
    from onnxtile.report import Report as Report
    from onnxtile.verification import verify as verify


def __getattr__(name: str) -> object:
    """Public names are imported when they are first used: onnx and its kin take a second."""
    if name == "passes":
        return importlib.import_module("onnxtile.passes")
    if name in _HOMES:
        value = getattr(importlib.import_module(f"onnxtile.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'onnxtile' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
