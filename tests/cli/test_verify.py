"""`onnxtile verify`: its verdicts as people and scripts see them, and the calls that it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from onnx import numpy_helper

import onnxtile
from onnxtile.cli.verify import print_verdict
from onnxtile.verification.verdict import RegionVerdict, Verdict
from tests.commands import Cli, one_line


@pytest.fixture
def pair(model: Path) -> tuple[Path, Path, Path]:
    """A model, the same lowered, and that with a wrong weight."""
    lowered, wrong = model.with_name("lowered.onnx"), model.with_name("wrong.onnx")
    onnxtile.lower(model, (4, 4, 4), output=lowered)
    spoiled = onnx.load(lowered)
    tensor = next(each for each in spoiled.graph.initializer if each.name.startswith("W/"))
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) + 1, tensor.name))
    onnx.save(spoiled, wrong)
    return model, lowered, wrong


@pytest.mark.parametrize("method", ["exact", "bound"])
def test_exit_status_and_verdict(cli: Cli, pair: tuple[Path, Path, Path], method: str) -> None:
    model, lowered, wrong = pair
    status, out, err = cli("verify", model, lowered, "--method", method)
    assert (status, err) == (0, "")
    assert out.splitlines()[-1].startswith("equivalent")
    status, out, err = cli("verify", model, wrong, "--method", method)
    assert (status, err) == (1, "")
    assert "NOT equivalent" in out
    document = json.loads(cli("verify", model, wrong, "--method", method, "--json")[1])
    assert (document["schema"], document["equivalent"], document["method"]) == ("onnxtile.verify/2", False, method)


def test_a_certificate_is_written_and_repeated(cli: Cli, pair: tuple[Path, Path, Path]) -> None:
    model, lowered, wrong = pair
    certificate = model.with_name("proof.json")
    assert cli("verify", model, lowered, "--certificate", certificate)[0] == 0
    assert cli("verify", "--recheck", certificate)[0] == 0
    lowered.write_bytes(wrong.read_bytes())
    assert cli("verify", "--recheck", certificate)[0] != 0


@pytest.mark.parametrize(
    "words",
    [
        ["MODEL"], ["MODEL", "MODEL", "--method", "guess"], ["MODEL", "MODEL", "--cases", "0"],
        ["MODEL", "gone.onnx"], ["--recheck", "gone.json"], ["MODEL", "MODEL", "--recheck", "proof.json"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_calls_that_are_refused(cli: Cli, model: Path, words: list[str]) -> None:
    one_line(cli("verify", *(str(model) if word == "MODEL" else word for word in words)), "onnxtile: ")


def test_a_region_that_was_run_shows_its_error_and_what_is_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    run = RegionVerdict("fc", "Gemm", "", "bound", "onnxruntime", 4, 0.0, 1.0, True, note="Foo isn't known")
    print_verdict(Verdict(True, "exact", "onnxruntime", 4, 0, (), regions=(run,)))
    assert "tested  run alone, max error 0, allowed 1: Foo isn't known\n" in capsys.readouterr().out
