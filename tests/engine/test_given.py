"""Limits are given as sizes or as an engine: one of them."""

from __future__ import annotations

import pytest

from onnxtile.engine.given import limits_given, limits_of_text
from onnxtile.engine.limits import EngineLimits
from onnxtile.errors import UsageError
from onnxtile.tiling.limits import Limits
from tests.engine.strategies import engine_of


def test_sizes_or_an_engine() -> None:
    assert limits_given("4,*,4", None) == Limits(4, None, 4)
    assert limits_given(None, engine_of(), "bytes") == EngineLimits(engine_of(), "bytes")
    assert str(limits_given(None, "systolic-32")) == "systolic-32"


def test_both_neither_and_a_choice_without_an_engine() -> None:
    with pytest.raises(UsageError, match="max and engine both say what the engine multiplies; give one of them"):
        limits_given("4,4,4", "systolic-32")
    with pytest.raises(UsageError, match=r"no limits are given: say max=\(M, K, N\).*, or engine=NAME"):
        limits_given(None, None)
    with pytest.raises(UsageError, match="minimize is 'bytes', and only an engine's tiles are chosen"):
        limits_given("4,4,4", None, "bytes")
    with pytest.raises(UsageError, match="did you mean 'systolic-32'"):
        limits_given(None, "systolic-33")


def test_options_of_passes() -> None:
    for text in ("4,*,4", "engine:systolic-32", "engine:systolic-32:bytes"):
        assert limits_of_text(text).option == text
