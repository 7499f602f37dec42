"""Profile a model: what every node costs, and all of them together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import onnx_ir as ir

from onnxtile.errors import wrong_name
from onnxtile.ir.dimensions import check_sizes_alike, input_sizes, still_free
from onnxtile.ir.io.interop import AnyModel, to_ir
from onnxtile.ir.io.lazy import skim
from onnxtile.passes.bind_dims import BindDims
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.inline import inline
from onnxtile.passes.manager import PassManager
from onnxtile.profiling.conventions.first_io import FirstIo
from onnxtile.profiling.conventions.first_io import first_io as table_of_first_io
from onnxtile.profiling.conventions.ptflops import ptflops_macs
from onnxtile.profiling.cost_walk import OnEngine, profile_of
from onnxtile.profiling.results import CONVENTIONS, Profile
from onnxtile.profiling.summary import ModelFacts, facts_of

if TYPE_CHECKING:
    from onnxtile.engine.choice import Minimize
    from onnxtile.engine.given import AnyEngine


def profile(
    model: AnyModel, *, bind: Mapping[str, int] | None = None, convention: str = "macs", details: bool = False,
    engine: AnyEngine | None = None, minimize: Minimize = "cycles",
) -> Profile:  # fmt: skip
    """Return what every node of the model costs, and all of them: operations, parameters, memory, bandwidth.

    Amounts are whole numbers, exact formulas in the model's free dimensions, ranges where it depends on the run, or
    unknown with a reason. `bind`: sizes of free dimensions by name. Local functions are looked into, call by call;
    weights aren't read. `convention`: `macs`, or `ptflops` for what that tool counts instead of multiply-accumulates.
    `details`: the shapes and attributes of each node as text, too. `engine`, an Engine, a file or a built-in one's
    name: what the model takes on it, too, products run as costs least (`minimize`). docs/profile.md gives each field's
    formula, unit and source.

    Raises UsageError, ModelError, UnsupportedError.
    """
    if convention not in CONVENTIONS:
        raise wrong_name(f"convention {convention!r} is unknown", convention, CONVENTIONS)
    return _profile(_without_weights(model), bind, convention, details, engine, minimize)


def profile_lowered(
    model: AnyModel, original: Profile, *, bind: Mapping[str, int] | None = None, convention: str = "macs",
    engine: AnyEngine | None = None, minimize: Minimize = "cycles",
) -> Profile:  # fmt: skip
    """Return the profile of what `lower` made of a model: of `bind` it takes the dimensions that are still free.

    `original`: the profile of that model. Raises UsageError where that has free dimensions that have a size here.
    """
    loaded = _without_weights(model)
    sizes = still_free(loaded, bind or {})
    check_sizes_alike(original.inputs, input_sizes(loaded))
    return _profile(loaded, sizes, convention, False, engine, minimize)


def facts(model: AnyModel, *, bind: Mapping[str, int] | None = None) -> ModelFacts:
    """Return what the model consists of: operators, values of their attributes, inputs, outputs, constants and types.

    Errors are those of `profile`.
    """
    bound = _bound(to_ir(model), bind)
    PassManager([InferShapes()], check=False)(bound)
    return facts_of(bound)


def first_io(model: AnyModel, *, bind: Mapping[str, int] | None = None) -> FirstIo:
    """Return the first input and the first output of each node, by what shapes onnx finds, for `--view first-io`.

    Errors are those of `profile`.
    """
    return table_of_first_io(_bound(to_ir(model), bind))


def _without_weights(model: AnyModel) -> ir.Model:
    """Return a model of our own; from a file, without its large weights."""
    return skim(Path(model)) if isinstance(model, (str, os.PathLike)) else to_ir(model)


def _profile(
    model: ir.Model, bind: Mapping[str, int] | None, convention: str, details: bool, engine: AnyEngine | None,
    minimize: Minimize,
) -> Profile:  # fmt: skip
    on_engine: OnEngine | None = None
    if engine is not None:
        from onnxtile.engine.limits import engine_limits
        from onnxtile.profiling.engine_profile import engine_profile

        on_engine = partial(engine_profile, limits=engine_limits(engine, minimize))
    inputs = input_sizes(_bound(model, bind))
    inline(model)
    found = profile_of(model, convention, None if convention == "macs" else ptflops_macs, details, on_engine)
    return replace(found, inputs=inputs)


def _bound(model: ir.Model, bind: Mapping[str, int] | None) -> ir.Model:
    PassManager([BindDims(bind)] if bind else [], check=False)(model)
    return model
