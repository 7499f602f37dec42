"""Take limits as a caller gives them: largest sizes, or an engine, which is read only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnxtile.errors import UsageError
from onnxtile.tiling.limits import AnyLimits, Limits, ProductLimits, product_limits

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TypeAlias

    from onnxtile.engine.choice import Minimize
    from onnxtile.engine.description import Engine

    AnyEngine: TypeAlias = Engine | str | Path

PREFIX = "engine:"
"""The beginning of a pass's option that names an engine."""


def limits_given(
    max: ProductLimits | AnyLimits | None, engine: AnyEngine | None, minimize: Minimize = "cycles"
) -> ProductLimits:
    """Return the limits that a caller gives, as largest sizes or as an engine: exactly one of them, else UsageError."""
    if max is not None and engine is not None:
        raise UsageError("max and engine both say what the engine multiplies; give one of them")
    if engine is not None:
        from onnxtile.engine.limits import engine_limits

        return engine_limits(engine, minimize)
    if max is None:
        words = "say max=(M, K, N), such as max=(64, 64, 64), or engine=NAME, such as engine='systolic-32'"
        raise UsageError(f"no limits are given: {words}")
    if minimize != "cycles":
        raise UsageError(f"minimize is {minimize!r}, and only an engine's tiles are chosen; give engine, too")
    return product_limits(max)


def limits_of_text(text: str) -> ProductLimits:
    """Return limits as an option of a pass says them: `64,64,64`, or `engine:NAME`, or `engine:FILE:bytes`."""
    if not text.startswith(PREFIX):
        return Limits.parse(text)
    source = text.removeprefix(PREFIX)
    before, _, minimize = source.rpartition(":")
    if minimize in ("cycles", "bytes", "calls"):
        return limits_given(None, before, minimize)  # type: ignore[arg-type]  # it's one of them
    return limits_given(None, source)
