"""Errors have one base and a type for each kind, and name what was meant."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from onnxtile import errors
from onnxtile.errors import OnnxtileError, UsageError, did_you_mean, system_words, unreadable, wrong_name

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


def test_a_file_beside_with_much_the_same_name_is_asked_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mininet.onnx", "mininet.toml", "other.onnx"):
        (tmp_path / name).touch()
    error = FileNotFoundError(2, "No such file or directory")
    for name, meant in {
        "mininet.onx": "mininet.onnx", "mininett.toml": "mininet.toml", "net.onnx": None, "a.onnx": None
    }.items():  # fmt: skip
        words = f"; did you mean {meant!r}?" if meant else "; give another"
        assert unreadable(tmp_path / name, error, "; give another") == (
            f"{tmp_path / name}: no such file or directory{words}"
        )
    assert unreadable(tmp_path / "no" / "a.onnx", error).endswith("a.onnx: no such file or directory")
    assert unreadable(tmp_path / "mininet.onx", PermissionError(13, "Permission denied")).endswith("permission denied")
    monkeypatch.setattr(errors, "MOST_BESIDE", 3)
    assert unreadable(tmp_path / "mininet.onx", error).endswith("did you mean 'mininet.onnx'?")
    monkeypatch.setattr(errors, "MOST_BESIDE", 0)
    assert unreadable(tmp_path / "mininet.onx", error).endswith("no such file or directory")


def test_all_names_are_listed() -> None:
    error = wrong_name("form 'spiral' is unknown", "spiral", ["loop", "batched"], ", or auto")
    assert isinstance(error, UsageError)
    assert str(error) == "form 'spiral' is unknown: take one of loop, batched, or auto"


def test_the_system_says_what_is_wrong_with_a_file() -> None:
    assert system_words(FileNotFoundError(2, "No such file or directory", "m.onnx")) == "no such file or directory"
    assert system_words(ValueError("embedded null byte")) == "embedded null byte"
