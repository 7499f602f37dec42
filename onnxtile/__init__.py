"""Fit models of ONNX and torch to a matrix engine of bounded size, prove it, and tell what every layer costs."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = [
    "CaptureReport", "Captured", "Engine", "Limits", "LimitsError", "ModelError", "OnnxtileError", "PassError",
    "PassManager", "ProductLimits", "Profile", "Report", "UnsupportedError", "UsageError", "__version__", "allowing",
    "annotate", "capture", "check", "choose", "draw", "estimate", "following_links", "instruments", "lower", "passes",
    "profile", "reduce", "report", "rewrite", "sweep", "verify",
]  # fmt: skip

if TYPE_CHECKING:
    from onnxtile import passes
    from onnxtile.api.annotate import annotate
    from onnxtile.api.capture import capture
    from onnxtile.api.draw import draw
    from onnxtile.api.lower import estimate, lower
    from onnxtile.api.profile import profile
    from onnxtile.api.report import report
    from onnxtile.debugging import instruments
    from onnxtile.debugging.capture.report import Captured, CaptureReport
    from onnxtile.debugging.reduce.reducer import reduce
    from onnxtile.engine.choice import choose
    from onnxtile.engine.description import Engine
    from onnxtile.errors import LimitsError, ModelError, OnnxtileError, PassError, UnsupportedError, UsageError
    from onnxtile.exploration.sweep import sweep
    from onnxtile.ir.bounds import allowing
    from onnxtile.ir.io.links import following_links
    from onnxtile.lowering.check import check
    from onnxtile.lowering.report import Report
    from onnxtile.passes.manager import PassManager
    from onnxtile.passes.node_rewrite import rewrite
    from onnxtile.profiling.results import Profile
    from onnxtile.tiling.limits import Limits, ProductLimits
    from onnxtile.verification.verify import verify

_HOMES = {
    "api.annotate": ("annotate",), "api.capture": ("capture",), "api.draw": ("draw",),
    "api.lower": ("estimate", "lower"), "api.profile": ("profile",), "api.report": ("report",),
    "debugging.capture.report": ("CaptureReport", "Captured"),
    "debugging.reduce.reducer": ("reduce",),
    "engine.choice": ("choose",), "engine.description": ("Engine",),
    "errors": ("LimitsError", "ModelError", "OnnxtileError", "PassError", "UnsupportedError", "UsageError"),
    "exploration.sweep": ("sweep",), "ir.bounds": ("allowing",), "ir.io.links": ("following_links",),
    "lowering.check": ("check",),
    "lowering.report": ("Report",), "passes.manager": ("PassManager",), "passes.node_rewrite": ("rewrite",),
    "profiling.results": ("Profile",),
    "tiling.limits": ("Limits", "ProductLimits"), "verification.verify": ("verify",),
}  # fmt: skip
_MODULES = {"passes": "passes", "instruments": "debugging.instruments"}


def __getattr__(name: str) -> object:
    """Import a public name when it's first used: onnx and its kin take a second."""
    if name in _MODULES:
        return importlib.import_module(f"onnxtile.{_MODULES[name]}")
    for module, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(importlib.import_module(f"onnxtile.{module}"), name)
            return value
    raise AttributeError(f"module 'onnxtile' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
