"""Reports go to standard output, all else to standard error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import onnx

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
