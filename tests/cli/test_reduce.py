"""`onnxtile reduce`: what it shows and writes."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import onnxtile
from tests.cli.test_documents import validator
from tests.commands import Cli
from tests.debugging.reduce.test_reducer import HERE


def test_the_command_and_what_it_writes(cli: Cli, planted: Path) -> None:
    status, out, err = cli("reduce", "net.onnx", "--passes", f"infer-shapes,{HERE}LosesAlpha,decompose-gemm")
    assert (status, err) == (0, "")
    said = " ".join(out.split())
    assert said.startswith(f"guilty: {HERE}LosesAlpha ")
    assert "isn't the same function of the operands" in said and "15 nodes became 1 (" in said and "Gemm fc" in said
    folder = planted.with_name("net.reduced")
    assert sorted(path.name for path in folder.iterdir()) == [
        "command.txt", "inputs.npz", "lowered.onnx", "model.onnx", "report.json",
    ]  # fmt: skip
    report = json.loads((folder / "report.json").read_text())
    assert report["versions"]["onnxtile"] == onnxtile.__version__
    validator("onnxtile.reduce/1").validate(report)
    del report["versions"]
    assert (report["schema"], report["fails"], report["pass"]) == ("onnxtile.reduce/1", True, f"{HERE}LosesAlpha")
    assert report["nodes"] == ["Gemm fc"] and report["inputs_fail"] is True
    run, verify = [shlex.split(line) for line in (folder / "command.txt").read_text().splitlines()]
    assert (cli(*run[1:])[0], cli(*verify[1:])[0]) == (0, 1)
    status, out, err = cli("reduce", planted, "--passes", f"{HERE}LosesAlpha", "-o", "again", "--json")
    document = json.loads(out)
    assert (status, err) == (0, "")
    validator("onnxtile.reduce/1").validate(document)
    assert document == report | {"output": "again", "cuts": document["cuts"], "failure": document["failure"]}
    assert sorted(path.name for path in planted.parent.iterdir()) == ["again", "net.onnx", "net.reduced"]


def test_nothing_fails(cli: Cli, planted: Path) -> None:
    status, out, err = cli("reduce", planted, "--passes", "infer-shapes,decompose-gemm")
    assert (status, err) == (1, "")
    assert "nothing fails: the check holds after all passes" in out
    status, out, _ = cli("reduce", planted, "--passes", "infer-shapes", "--json")
    document = json.loads(out)
    assert (status, document.pop("schema"), document.pop("fails")) == (1, "onnxtile.reduce/1", False)
    assert set(document.values()) == {None}
    assert [path.name for path in planted.parent.iterdir()] == ["net.onnx"]
