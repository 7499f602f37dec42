"""Facts that a report tells of a model: its products against limits, its costs before and after, and the proof."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxtile.ir.dimensions import still_free
from onnxtile.ir.io.interop import to_ir
from onnxtile.lowering.check import check
from onnxtile.lowering.report import Report
from onnxtile.profiling.comparison import Comparison, compare
from onnxtile.profiling.engine_comparison import EngineComparison, compare_on_engine
from onnxtile.profiling.profile import profile, profile_lowered
from onnxtile.profiling.results import Profile

if TYPE_CHECKING:
    from onnxtile.engine.description import Engine
    from onnxtile.engine.given import AnyEngine
    from onnxtile.ir.io.interop import AnyModel
    from onnxtile.verification.verdict import Verdict


@dataclass(frozen=True)
class Facts:
    """Facts on a model, and on the lowered one beside it (None: there is none, or it wasn't asked for).

    `checked`: the products of the model against the limits; `left`: those of the lowered one.
    """

    title: str
    before: Profile
    after_title: str = ""
    after: Profile | None = None
    comparison: Comparison | None = None
    on_engine: EngineComparison | None = None
    engine: Engine | None = None
    checked: Report | None = None
    left: Report | None = None
    verdict: Verdict | None = None


def facts_of(
    model: AnyModel, lowered: AnyModel | None = None, *, limits: Any = None, engine: AnyEngine | None = None,
    bind: Mapping[str, int] | None = None, verdict: Verdict | None = None,
) -> Facts:  # fmt: skip
    """Return what a report tells. `limits`: M, K, N; `engine`: one, a built-in one's name or a file. Errors: ours."""
    described = None
    if engine is not None:
        from onnxtile.engine.limits import engine_limits

        described = engine_limits(engine).engine
    before = profile(model, bind=bind, engine=engine)
    after = None if lowered is None else profile_lowered(lowered, before, bind=bind, engine=engine)
    bounded = limits is not None or engine is not None
    return Facts(
        _title(model, "model"), before, _title(lowered, "lowered"), after,
        None if after is None else compare(before, after),
        None if after is None or before.engine is None or after.engine is None
        else compare_on_engine(before.engine, after.engine),
        described,
        check(model, limits, engine=engine, bind=bind) if bounded else None,
        _left(lowered, limits, engine, bind) if bounded and lowered is not None else None,
        verdict,
    )  # fmt: skip


def _left(lowered: AnyModel, limits: Any, engine: AnyEngine | None, bind: Mapping[str, int] | None) -> Report:
    """Return what the products of a lowered model are; of `bind` it takes the dimensions that are still free."""
    if not bind:
        return check(lowered, limits, engine=engine)
    read = to_ir(lowered)
    return check(read, limits, engine=engine, bind=still_free(read, bind))


def _title(model: object, otherwise: str) -> str:
    return Path(model).name if isinstance(model, (str, os.PathLike)) else otherwise
