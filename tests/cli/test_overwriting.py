"""Results aren't written over what isn't an earlier result for the same model."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

import onnxtile
from onnxtile.engine.template import template
from tests.commands import Cli, one_line
from tests.support import matmul, parse

OTHER = (
    """<ir_version: 10, opset_import: ["" : 20]> g (float[2] other) => (float[2] result) { result = Relu (other) }"""
)
CALLS = {
    "lower": ["--max", "4,4,4"],
    "run": ["--passes", "infer-shapes"],
    "annotate": [],
}


@pytest.mark.parametrize("command", CALLS)
def test_another_model_stays(cli: Cli, model: Path, command: str) -> None:
    output = model.with_name("out.onnx")
    onnx.save(parse(OTHER), output)
    before = output.read_bytes()
    call = [command, model, *CALLS[command], "-o", output]
    one_line(cli(*call), "out.onnx has another model, whose inputs and outputs are other and result; .* --force")
    assert output.read_bytes() == before
    assert cli(*call, "--force")[0] == 0
    assert cli(*call)[0] == 0, "an earlier result for the same model gives way"
    assert output.read_bytes() != before


def test_what_is_no_model_stays_and_an_empty_file_does_not(cli: Cli, model: Path) -> None:
    output = model.with_name("notes.txt")
    output.write_text("to be kept")
    one_line(cli("lower", model, "--max", "4,4,4", "-o", output), "notes.txt is there already and isn't a model")
    assert output.read_text() == "to be kept"
    output.write_text("")
    assert cli("lower", model, "--max", "4,4,4", "-o", output)[0] == 0


def test_the_usual_name_is_no_exception(cli: Cli, model: Path) -> None:
    usual = model.with_name("model.tiled.onnx")
    onnx.save(parse(OTHER), usual)
    one_line(cli("lower", model, "--max", "4,4,4"), "model.tiled.onnx has another model")


@pytest.mark.parametrize(
    "call",
    [
        "profile m.onnx --against low.onnx --csv low.onnx",
        "profile m.onnx --against low.onnx --markdown w.bin",
        "profile m.onnx --csv ./w.bin",
        "profile m.onnx --engine e.toml --csv e.toml",
        "profile m.onnx --engine e.toml --csv a.svg --plot a.svg",
        "lower m.onnx --engine e.toml -o new.onnx --report e.toml",
        "lower m.onnx --max 4,4,4 -o new.onnx --report w.bin",
        "verify m.onnx low.onnx --certificate w.bin",
        "draw m.onnx -o w.svg",
        "report m.onnx low.onnx -o w.html",
        "sweep m.onnx --engine e.csv --vary array.rows=16 -o e.csv",
    ],
)
def test_what_a_command_reads_stays(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    monkeypatch.chdir(tmp_path)
    model, weights = matmul([8, 8], [8, 8], [8, 8]), call.split()[-1].removeprefix("./")
    weights = weights if weights.startswith("w.") else "w.bin"
    onnx.save_model(model, "m.onnx", save_as_external_data=True, location=weights, size_threshold=0)
    onnxtile.lower("m.onnx", (4, 4, 4), output="low.onnx")
    for name in ("e.toml", "e.csv"):
        Path(name).write_text(template("mine", "systolic-16"))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    one_line(cli(*call.split()), "which is needed; give another path")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
