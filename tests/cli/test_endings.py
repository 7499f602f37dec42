"""Test how the program ends where something stops it: one line, the right exit status, no traceback."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import onnx
import pytest

from onnxtile import errors
from onnxtile.cli import app, passes
from onnxtile.cli.endings import ending
from onnxtile.ir.printable import LONGEST, printable
from tests.commands import status
from tests.support import matmul

HOSTILE = "a\nb\r\x1b[31mred\x1b]0;title\x07\u202e\u2028\x85\x9b2J\udcff\x00\x7f[/]"


def raising(patch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let the command `passes` end in this error."""

    def fails() -> None:
        raise error

    patch.setattr("onnxtile.passes.registry.pass_names", fails)


@pytest.mark.parametrize(
    "kind", [TypeError, ValueError, KeyError, AssertionError, UnicodeError, OSError, StopIteration]
)
def test_what_nobody_foresaw_is_one_line_and_no_answer(
    kind: type[Exception], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(monkeypatch, kind("deep\ninside"))
    assert status("passes") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"onnxtile: internal error: {kind.__name__}: ")
    assert line.endswith("; run with --debug for the traceback, and report it")
    for call in (("--debug", "passes"), ("passes", "--debug")):
        assert status(*call) == 2
        said = capsys.readouterr().err
        assert said.startswith("Traceback")
        assert said.splitlines()[-1] == line


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (MemoryError(), 2, "memory ran out"),
        (RecursionError("maximum recursion depth exceeded"), 2, "the model is nested too deeply"),
        (KeyboardInterrupt(), 130, "stopped"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 2, "standard output is closed"),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "standard output can't be written: no space left"),
        (OSError(errno.EIO, "Input/output error", "there"), 2, "there: input/output error"),
    ],
)
def test_what_the_machine_or_the_user_stops(
    error: BaseException, code: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(monkeypatch, error)
    assert status("passes") == code
    *before, line = capsys.readouterr().err.splitlines()
    assert line.startswith(f"onnxtile: {words}")
    assert not any(before)


def test_every_error_of_ours_is_one_line_without_control_characters(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(ours) > 5
    for kind in [*ours, RuntimeError]:
        raising(monkeypatch, kind(f"node '{HOSTILE}' is wrong"))
        assert status("passes") == 2
        said = capsys.readouterr().err
        assert said.endswith("\n")
        assert said[:-1].isprintable()
        assert r"node 'a\nb\r\x1b[31mred" in said


@pytest.mark.parametrize("call", [("check", HOSTILE[:-5], "--max", "8,8,8"), (HOSTILE,), ("passes", HOSTILE)])
def test_hostile_arguments_are_shown_spelled_out(call: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert status(*call) == 2
    said = capsys.readouterr().err
    assert said[:-1].isprintable()


def test_what_is_printable() -> None:
    assert printable("plain ünïcode 名前 [red]") == "plain ünïcode 名前 [red]"
    assert printable(HOSTILE).isprintable()
    assert printable("x" * LONGEST) == "x" * LONGEST
    assert printable("x" * (LONGEST + 1)).endswith(f"({LONGEST + 1:,} characters)")
    assert len(printable("\x00" * 10**6)) < 5 * LONGEST


VIEWS = """check m.onnx --max 2,2,2 --ops all
lower m.onnx --max 2,2,2 -o o.onnx --verify
profile m.onnx
profile m.onnx --summary
profile m.onnx --view memory
profile m.onnx --view first-io
profile m.onnx --by module
profile m.onnx --details
profile m.onnx --csv -
profile m.onnx --markdown -
profile m.onnx --against o.onnx
capture m.onnx --name *
annotate m.onnx -o a.onnx
verify m.onnx o.onnx
run m.onnx --passes infer-shapes -o r.onnx --time-passes
check m.onnx --max 2,2,2 --json"""


def test_hostile_names_are_spelled_out_in_every_view(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    name = HOSTILE.replace("\udcff", "")
    model = matmul([4, 8], [8, 6], [4, 6])
    model.producer_name = model.graph.name = model.doc_string = model.graph.node[0].name = name
    model.graph.node[0].output[0] = model.graph.output[0].name = f"{name}y"
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch\x1b[2J"
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "batch\x1b[2J"
    onnx.save(model, "m.onnx")
    for view in VIEWS.splitlines():
        assert status(*view.split()) in (0, 1), view
        said = capsys.readouterr()
        for line in (said.out + said.err).split("\n"):
            assert line.isprintable(), (view, line)
            assert "internal error" not in line, view


def run(*arguments: str, output: int | IO[bytes] | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "onnxtile", *arguments], check=False, stdout=output, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_an_encoding_lacks_is_spelled_out(encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = matmul([4, 8], [8, 6], [4, 6])
    model.graph.node[0].name = "名"
    onnx.save(model, tmp_path / "m.onnx")
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    for call in (("check", "--max", "2,2,2"), ("profile", "--csv", "-")):
        assert status(call[0], tmp_path / "m.onnx", *call[1:]) in (0, 1)
    assert written.getvalue().decode(encoding).count("名" if encoding == "utf-8" else r"\u540d") >= 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("call", [("passes", "--json"), ("passes",)])
def test_standard_output_on_a_full_disk(call: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run(*call, output=full)
    assert (done.returncode, done.stderr) == (
        2, "onnxtile: standard output can't be written: no space left on device\n"
    )  # fmt: skip


def test_standard_output_that_nobody_reads() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = run("passes", "--json", output=writing)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (
        2,
        "onnxtile: standard output is closed; not all of the report was read\n",
    )


def test_an_ending_is_told_where_standard_error_is_closed() -> None:
    command = f"{sys.executable} -m onnxtile profile nonesuch.onnx 2>&-"
    assert subprocess.run(command, shell=True, check=False).returncode == 2  # a shell closes it


def test_the_commands_take_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert status("--debug", "passes", "--json") == 0
    assert status("passes", "--json", "--debug") == 0
    assert "bind-dims" in capsys.readouterr().out
    assert ending(errors.UsageError("x")).status == 2
    assert app.app is not None and passes.command is not None
