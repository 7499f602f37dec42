"""Reports go to standard output, all else to standard error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import onnx

from onnxtile.cli.screen import reasons_with_names, say, suggest
from tests.cli.test_output import products
from tests.commands import Cli
from tests.terminals import terminal


def test_no_line_ends_in_blanks_and_paths_stay_whole(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / ("a long path with [blue]blanks " * 6)
    folder.mkdir()
    path = folder / "net.onnx"
    onnx.save(products([8, 8, 8], ["a", "b"]), path)
    outcomes = {
        "lower": ["--max", "4,4,4"], "annotate": [], "capture": ["--name", "a", "-o", folder / "v.npz"],
        "run": ["--passes", "infer-shapes", "-o", folder / "o.onnx"],
    }  # fmt: skip
    for command, options in outcomes.items():
        for columns in (None, 80):
            if columns is None:
                status, out, err = cli(command, path, *options)
                assert (status, err) == (0, "")
            else:
                with terminal(columns) as screen:
                    assert cli(command, path, *options)[0] == 0
                out = screen.text
            assert any(f" in {folder}" in line for line in out.splitlines())
            assert all(line == line.rstrip() for line in out.splitlines())


def test_standard_output_is_the_report_s_alone(tmp_path: Path) -> None:
    """Show that what a pass prints, in Python, goes to standard error."""
    onnx.save(products([8, 8], ["a"]), tmp_path / "net.onnx")
    (tmp_path / "talks.py").write_text(
        "import onnx_ir as ir\nprint('loaded')\n"
        "class Talks(ir.passes.InPlacePass):\n"
        "    def call(self, model):\n        print('working')\n        return ir.passes.PassResult(model, False)\n"
    )
    words = [sys.executable, "-m", "onnxtile", "run", "net.onnx", "--passes", "talks:Talks", "-o", "out.onnx", "--json"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "loaded\nworking\n")
    assert json.loads(done.stdout)["schema"] == "onnxtile.run/1"


def test_every_command_writes_its_report_to_standard_output(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(products([8, 8, 8], ["a", "b"]), path)
    calls: dict[str, list[object]] = {
        "check": [path, "--max", "4,4,4"], "lower": [path, "--max", "4,4,4", "-o", tmp_path / "l.onnx"],
        "verify": [path, path], "profile": [path], "annotate": [path, "-o", tmp_path / "a.onnx"],
        "capture": [path, "--name", "*"], "run": [path, "--passes", "infer-shapes", "-o", tmp_path / "r.onnx"],
        "reduce": [path, "--passes", "infer-shapes", "-o", tmp_path / "reduced"], "passes": [],
    }  # fmt: skip
    for command, arguments in calls.items():
        status, out, err = cli(command, *arguments)
        assert (status in (0, 1), err) == (True, ""), command
        assert out.endswith("\n"), command
        status, out, err = cli(command, *arguments, "--json")
        assert (isinstance(json.loads(out), dict), err) == (True, ""), command


def test_reasons_of_one_kind_with_one_cure_are_told_once() -> None:
    pairs = [
        ("symbolic: M is 'a'; bind a", "one"), ("symbolic: M is '2*a'; bind a", "two"),
        ("symbolic: M is 'a'; bind b", "three"), ("dtype: it's text", "four"), ("dtype: it's text", "five"),
    ]  # fmt: skip
    assert reasons_with_names(pairs) == [
        "symbolic: M is 'a'; bind a  (one and 1 more like it)", "symbolic: M is 'a'; bind b  (three)",
        "dtype: it's text  (four and 1 more)",
    ]  # fmt: skip


def test_words_go_on_in_the_next_line_of_a_terminal_and_calls_are_suggested_there() -> None:
    words = "a reason of many words " * 6
    with terminal(60) as screen:
        say(words)
        suggest("to go on", "check", "a b.onnx", "--max", "4,4,4")
    assert screen.widest <= 60 and " ".join(screen.text.split()).startswith(words.strip())
    assert screen.lines[1].startswith("  ") and screen.lines[-1] == "to go on: onnxtile check 'a b.onnx' --max 4,4,4"
