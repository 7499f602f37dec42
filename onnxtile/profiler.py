"""`profile`: what every node of a model costs."""

from __future__ import annotations

from collections.abc import Mapping

from onnxtile.checking import inlined
from onnxtile.errors import UsageError
from onnxtile.interop import AnyModel, to_ir
from onnxtile.passes.bind_dims import BindDims
from onnxtile.pipeline import PassManager
from onnxtile.profiling.conventions import ptflops_macs
from onnxtile.profiling.record import Profile
from onnxtile.profiling.walk import profile_of

CONVENTIONS = ("macs", "ptflops")


def profile(model: AnyModel, *, bind: Mapping[str, int] | None = None, convention: str = "macs") -> Profile:
    """What every node of the model costs, and all of them together: operations, parameters, memory, bandwidth.

    Amounts are whole numbers, exact formulas in the model's free dimensions, ranges where it depends on the run, or
    unknown with a reason. `bind`: sizes of free dimensions by name. Local functions are looked into, call by call;
    weights aren't read. `convention`: `macs`, or `ptflops` for what that tool counts in place of multiply-accumulates.
    docs/profile.md gives each field's formula, unit and source.

    Raises UsageError, ModelError, UnsupportedError.
    """
    if convention not in CONVENTIONS:
        raise UsageError(f"convention {convention!r} is unknown: take one of {', '.join(CONVENTIONS)}")
    profiled = to_ir(model)
    PassManager([BindDims(bind)] if bind else [], check=False)(profiled)
    return profile_of(inlined(profiled), convention, ptflops_macs if convention == "ptflops" else None)
