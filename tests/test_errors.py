"""Errors have one base and a type for each kind, and name what was meant."""

from __future__ import annotations

import traceback

import pytest

from onnxtile import errors
from onnxtile.errors import OnnxtileError, UsageError, did_you_mean, system_words, wrong_name

KINDS = ("UsageError", "ModelError", "UnsupportedError", "PassError", "LimitsError")


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_is_caught_by_the_base_and_by_no_other_kind(name: str) -> None:
    kind = getattr(errors, name)
    with pytest.raises(OnnxtileError, match="words"):
        raise kind("words")
    assert not any(issubclass(kind, getattr(errors, other)) for other in KINDS if other != name)


@pytest.mark.parametrize("name", KINDS)
def test_names_in_a_message_steer_no_terminal(name: str) -> None:
    kind = getattr(errors, name)
    error = kind("node a\nb\x1b]0;title\x07 \u202e\udcff 名")
    assert str(error) == r"node a\nb\x1b]0;title\x07 \u202e\udcff 名"
    assert str(kind(f"m.onnx: {error}")) == f"m.onnx: {error}" and str(kind()) == ""
    assert "\x1b" not in "".join(traceback.format_exception(error))


def test_all_kinds_are_tested() -> None:
    assert {cls.__name__ for cls in OnnxtileError.__subclasses__() if cls.__module__ == errors.__name__} == set(KINDS)


def test_a_close_name_is_asked_after() -> None:
    assert did_you_mean("Batch", ["loop", "batched"]) == "; did you mean 'batched'?"
    assert did_you_mean(None, ["loop", "batched"]) == ""


def test_all_names_are_listed() -> None:
    error = wrong_name("form 'spiral' is unknown", "spiral", ["loop", "batched"], ", or auto")
    assert isinstance(error, UsageError)
    assert str(error) == "form 'spiral' is unknown: take one of loop, batched, or auto"


def test_the_system_says_what_is_wrong_with_a_file() -> None:
    assert system_words(FileNotFoundError(2, "No such file or directory", "m.onnx")) == "no such file or directory"
    assert system_words(ValueError("embedded null byte")) == "embedded null byte"
