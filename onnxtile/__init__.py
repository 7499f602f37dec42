"""Fit models of ONNX and torch to a matrix engine of bounded size, prove it, and tell what every layer costs."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOMES = {
    "lower": "api.lower",
    "check": "lowering.check",
    "estimate": "api.lower",
    "annotate": "api.annotate",
    "verify": "verification.verify",
    "profile": "api.profile",
    "capture": "api.capture",
    "Captured": "debugging.capture.report",
    "CaptureReport": "debugging.capture.report",
    "reduce": "debugging.reduce.reducer",
    "following_links": "ir.io.links",
    "allowing": "ir.bounds",
    "Limits": "tiling.limits",
    "PassManager": "passes.manager",
    "Profile": "profiling.results",
    "Report": "lowering.report",
    "OnnxtileError": "errors",
    "UsageError": "errors",
    "ModelError": "errors",
    "UnsupportedError": "errors",
    "PassError": "errors",
    "LimitsError": "errors",
}
_MODULES = {"passes": "passes", "instruments": "debugging.instruments"}
__all__ = [*_HOMES, *_MODULES, "__version__"]

if TYPE_CHECKING:
    from onnxtile import passes as passes
    from onnxtile.api.annotate import annotate as annotate
    from onnxtile.api.capture import capture as capture
    from onnxtile.api.lower import estimate as estimate
    from onnxtile.api.lower import lower as lower
    from onnxtile.api.profile import profile as profile
    from onnxtile.debugging import instruments as instruments
    from onnxtile.debugging.capture.report import Captured as Captured
    from onnxtile.debugging.capture.report import CaptureReport as CaptureReport
    from onnxtile.debugging.reduce.reducer import reduce as reduce
    from onnxtile.errors import LimitsError as LimitsError
    from onnxtile.errors import ModelError as ModelError
    from onnxtile.errors import OnnxtileError as OnnxtileError
    from onnxtile.errors import PassError as PassError
    from onnxtile.errors import UnsupportedError as UnsupportedError
    from onnxtile.errors import UsageError as UsageError
    from onnxtile.ir.bounds import allowing as allowing
    from onnxtile.ir.io.links import following_links as following_links
    from onnxtile.lowering.check import check as check
    from onnxtile.lowering.report import Report as Report
    from onnxtile.passes.manager import PassManager as PassManager
    from onnxtile.profiling.results import Profile as Profile
    from onnxtile.tiling.limits import Limits as Limits
    from onnxtile.verification.verify import verify as verify


def __getattr__(name: str) -> object:
    """Public names are imported when they are first used: onnx and its kin take a second."""
    if name in _MODULES:
        return importlib.import_module(f"onnxtile.{_MODULES[name]}")
    if name in _HOMES:
        value = getattr(importlib.import_module(f"onnxtile.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'onnxtile' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
