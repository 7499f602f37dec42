"""A pass that fails leaves what repeats it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import onnx
import onnx_ir as ir
import pytest

from onnxtile.debugging.instruments.reproducer import Reproducer
from onnxtile.errors import LimitsError, PassError, UsageError
from onnxtile.passes.manager import PassManager
from onnxtile.passes.pipelines.pipeline import parse_pipeline
from tests.planted import network
from tests.support import ROOT


@pytest.mark.parametrize("how", ["raises", "invalid"])
def test_a_failure_leaves_what_repeats_it(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "kept"
    text = f"infer-shapes,tests.planted:Raises{{how={how}}},unroll-tiles"
    manager = PassManager(text, instruments=[Reproducer(folder)])
    with pytest.raises(PassError, match=f"^pass Raises .*; {folder} has what repeats it$") as caught:
        manager(ir.from_proto(network()))
    assert sorted(path.name for path in folder.iterdir()) == [
        "command.txt", "model.onnx", "report.json", "traceback.txt",
    ]  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept"]
    report = json.loads((folder / "report.json").read_text())
    assert (report["schema"], report["pass"]) == ("onnxtile.reproducer/1", "Raises")
    assert parse_pipeline(f"infer-shapes,{report['passes']}") == parse_pipeline(text)
    assert report["versions"].keys() >= {"onnxtile", "python", "onnx", "onnxruntime"}
    assert "Traceback" in (folder / "traceback.txt").read_text()
    assert len(onnx.load(folder / "model.onnx").graph.value_info) > 0  # as infer-shapes left it
    words = shlex.split((folder / "command.txt").read_text())
    root = ROOT
    again = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, check=False, cwd=root)
    assert again.returncode == 2
    assert again.stderr.startswith(f"onnxtile: {str(caught.value).partition(';')[0][:60]}")


def test_refusals_leave_nothing(tmp_path: Path) -> None:
    for text, kind in {
        "tests.planted:Raises{how=refuses}": PassError,
        "bind-dims{q=1}": UsageError,
        "check-limits{max=4,4,4}": LimitsError,
    }.items():
        with pytest.raises(kind) as caught:
            PassManager(text, instruments=[Reproducer(tmp_path / "kept")])(ir.from_proto(network()))
        assert "repeats" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_reproducer_that_cannot_be_written_does_not_hide_the_failure(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    manager = PassManager("tests.planted:Raises", instruments=[Reproducer(inner / "kept")])
    inner.rmdir()
    with pytest.raises(PassError, match="KeyError: 'lost'; no reproducer: output .*kept: its folder doesn't exist"):
        manager(ir.from_proto(network()))
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "mine").touch()
    with pytest.raises(UsageError, match="is there already and isn't empty"):
        Reproducer(tmp_path / "kept")
    Reproducer(tmp_path / "kept", numbered=True)
