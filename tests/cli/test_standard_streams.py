"""`-`: models from standard input and to standard output."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from onnxtile.cli import standard_streams
from tests.commands import status


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Give bytes on standard input."""

    def give(data: bytes) -> None:
        monkeypatch.setattr(standard_streams, "_spooled", [])
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))

    return give


def test_a_model_through_a_pipe(
    model: Path, given: Callable[[bytes], None], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    plain = model.with_name("plain.onnx")
    assert status("lower", model, "--max", "4,4,4", "-o", plain) == 0
    capsysbinary.readouterr()
    given(model.read_bytes())
    assert status("lower", "-", "--max", "4,4,4", "-o", "-") == 0
    captured = capsysbinary.readouterr()
    assert captured.out == plain.read_bytes()
    assert b"form unrolled, in standard output" in captured.err and b"onnxtile-" not in captured.err
    given(captured.out)
    assert status("check", "-", "--max", "4,4,4", "--json") == 0
    assert json.loads(capsysbinary.readouterr().out)["input"] == "-"
    given(captured.out)
    assert status("verify", model, "-") == 0
    given(captured.out)
    assert status("profile", model, "--against", "-") == 0
    assert {path.name for path in model.parent.iterdir()} == {"model.onnx", "plain.onnx"}


def test_what_is_left_over_the_limits_is_in_the_exit_status(
    model: Path, given: Callable[[bytes], None], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    given(model.read_bytes())
    assert status("lower", "-", "--max", "4,4,4", "-o", "-", "--ops", "conv") == 0
    assert onnx.load_from_string(capsysbinary.readouterr().out).graph.node[0].op_type == "MatMul"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lower", "-", "--max", "4,4,4"], "a model from standard input has no name; say with -o"),
        (["lower", "-", "--max", "4,4,4", "-o", "-", "--json"], "-o - and --json both write to standard output"),
        (
            ["lower", "-", "--max", "4,4,4", "-o", "-", "--external-data"],
            "a second file, which standard output can't hold",
        ),
        (["lower", "-", "--max", "4,4,4", "-o", "new.onnx", "--report", "-"], "output -: this doesn't go to standard"),
        (["profile", "-", "--engine", "systolic-16", "--plot", "-"], "output -: this doesn't go to standard output"),
        (["verify", "-", "-"], "standard input holds one model; give the path of the other"),
        (
            ["annotate", "-"],
            "a model from standard input has no name; say with -o where the result goes, -o - to output",
        ),
        (["reduce", "-", "--passes", "infer-shapes"], "has no name; say with -o where the result goes"),
        (["draw", "-", "-o", "-"], "only a model goes to standard output; give -o a path"),
        (["report", "-", "-o", "-"], "only a model goes to standard output; give -o a path"),
        (["capture", "-", "--op", "MatMul", "-o", "-"], "only a model goes to standard output; give -o a path"),
        (
            ["run", "-", "--passes", "infer-shapes", "-o", "-", "--json"],
            "-o - and --json both write to standard output",
        ),
    ],
)
def test_calls_that_are_refused(
    model: Path, given: Callable[[bytes], None], capsysbinary: pytest.CaptureFixture[bytes], words: list[str], said: str
) -> None:
    given(model.read_bytes())
    assert status(*words) == 2
    captured = capsysbinary.readouterr()
    assert captured.out == b"" and said in captured.err.decode() and captured.err.count(b"\n") == 1


def test_errors_speak_of_standard_input(
    given: Callable[[bytes], None], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    given(b"no model")
    assert status("check", "-", "--max", "4,4,4") == 2
    assert capsysbinary.readouterr().err.startswith(b"onnxtile: standard input: not an ONNX model")


def test_standard_input_that_is_closed_or_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(standard_streams, "_spooled", [])
    for stream, words in ((None, "is closed"), (io.StringIO(), "is a terminal")):
        monkeypatch.setattr("sys.stdin", stream)
        if stream is not None:
            monkeypatch.setattr(stream, "isatty", lambda: True)
        assert status("check", "-", "--max", "4,4,4") == 2
        said = f"onnxtile: standard input {words}; give the path of a model, or lead one there\n"
        assert capsys.readouterr().err == said


@pytest.mark.parametrize("words", [["annotate"], ["run", "--passes", "infer-shapes,decompose-gemm"]])
def test_commands_that_write_a_model_write_it_to_a_pipe(
    model: Path, given: Callable[[bytes], None], capsysbinary: pytest.CaptureFixture[bytes], words: list[str]
) -> None:
    plain = model.with_name("plain.onnx")
    assert status(*words, model, "-o", plain) == 0
    capsysbinary.readouterr()
    given(model.read_bytes())
    assert status(*words, "-", "-o", "-") == 0
    captured = capsysbinary.readouterr()
    assert captured.out == plain.read_bytes()
    assert b" in standard output" in captured.err and b"onnxtile-" not in captured.err


@pytest.mark.parametrize(
    ("words", "wrote"),
    [
        (["capture", "--op", "MatMul", "-o", "values.npz"], b"in values.npz"),
        (["draw", "-o", "net.svg"], b"net.svg is written"),
        (["report", "-o", "net.html"], b"net.html is written"),
        (["profile", "--engine", "systolic-32"], b"calls of systolic-32"),
        (["reduce", "--passes", "infer-shapes", "-o", "small"], b"nothing fails"),
    ],
)
def test_commands_that_read_a_model_read_it_from_a_pipe(
    model: Path, given: Callable[[bytes], None], capsysbinary: pytest.CaptureFixture[bytes], words: list[str],
    wrote: bytes, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(model.parent)
    given(model.read_bytes())
    assert status(words[0], "-", *words[1:]) in (0, 1)
    captured = capsysbinary.readouterr()
    assert wrote in captured.out
    assert b"onnxtile-" not in captured.out + captured.err


def test_a_pass_that_fails_between_pipes_leaves_what_repeats_it_in_the_current_folder(
    model: Path, given: Callable[[bytes], None], capsysbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(model.parent)
    given(model.read_bytes())
    assert status("run", "-", "--passes", "tests.planted:Raises{op=MatMul}", "-o", "-") == 2
    captured = capsysbinary.readouterr()
    assert captured.out == b""
    assert (model.parent / "onnxtile.reproducer").is_dir()
    assert b"onnxtile.reproducer" in captured.err
