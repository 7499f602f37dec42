"""Test what a model takes on an engine, as a table that fits a terminal, as JSON and as sheets."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import onnx
import pytest

from tests.commands import Cli
from tests.profiling.test_engine_profile import network
from tests.terminals import terminal


@pytest.fixture
def model(tmp_path: Path) -> Path:
    onnx.save(network(), tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


def test_products_and_other_operators(cli: Cli, model: Path) -> None:
    status, out, err = cli("profile", model, "--engine", "systolic-32")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["node", "moved", "extra", "compute", "memory", "cycles", "bound", "util."]
    assert lines[1].startswith("conv Conv ")
    assert "memory" in lines[1]
    assert any(line.startswith("Relu x 1 ") for line in lines)
    for words in ("calls of systolic-32", "at 1 GHz", "bound by memory", "if each moves once"):
        assert words in out
    words = "no rate is given for operators beside products; say operators.vector, or operators.host"
    assert f"unknown: {words}  (relu and 1 more)" in out
    assert "sums: of partial sums" in cli("profile", model, "--engine", "systolic-32", "--view", "bandwidth")[1]


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("view", ["costs", "bandwidth"])
def test_tables_fit_a_terminal(cli: Cli, model: Path, columns: int, view: str) -> None:
    with terminal(columns) as shown:
        cli("profile", model, "--engine", "systolic-32", "--view", view)
    assert shown.widest <= columns


def test_groups_and_the_greatest(cli: Cli, model: Path) -> None:
    out = cli("profile", model, "--engine", "systolic-32", "--by", "op")[1]
    assert [line.split()[0] for line in out.splitlines()[1:5]] == ["Conv", "Relu", "Flatten", "Gemm"]
    call = ["profile", model, "--engine", "systolic-32", "--json"]
    document = json.loads(cli(*call, "--top", "1", "--sort", "bytes")[1])
    assert [layer["name"] for layer in document["engine"]["layers"]] == ["fc"]
    assert document["engine"]["totals"]["products"] == 3
    assert document["schema"] == "onnxtile.profile/1"
    assert json.loads(cli(*call, "--by", "op")[1])["groups"][0]["name"] == "Conv"
    assert [row["name"] for row in json.loads(cli(*call, "--op", "MatMul")[1])["engine"]["layers"]] == ["batch"]
    assert "engine" not in json.loads(cli("profile", model, "--json")[1])


def test_sheets_are_exact(cli: Cli, model: Path) -> None:
    rows = list(csv.DictReader(cli("profile", model, "--engine", "systolic-32", "--csv", "-")[1].splitlines()))
    assert [row["name"] for row in rows] == ["conv", "relu", "flat", "fc", "batch"]
    assert rows[3]["bytes"] == str(4 * (2 * 45 + 45 * 30 + 2 * 30))


def test_against_the_lowered_model(cli: Cli, model: Path) -> None:
    engine = ["--engine", "systolic-16"]
    assert cli("lower", model, *engine)[0] == 0
    lowered = model.with_name("m.tiled.onnx")
    out = cli("profile", model, "--against", lowered, *engine)[1]
    assert out.splitlines()[0].split() == ["node", "moved", "lowered", "cycles", "lowered", "beside", "calls"]
    document = json.loads(cli("profile", model, "--against", lowered, *engine, "--json")[1])
    before, after = document["engine"]["totals"]["bytes"]
    assert before == after


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--convention", "ptflops"], "--convention has nothing of an engine; leave it out, or --engine"),
        (["--details"], "--details has nothing of an engine"),
        (["--view", "memory"], "--view memory has nothing of an engine"),
        (["--summary"], "--summary is a table of its own and takes no --engine"),
        (["--sort", "params"], "can't sort by 'params'"),
    ],
)
def test_what_does_not_go_with_an_engine(cli: Cli, model: Path, options: list[str], words: str) -> None:
    status, _, err = cli("profile", model, "--engine", "systolic-32", *options)
    assert status == 2
    assert words in err


def test_minimize_is_for_an_engine(cli: Cli, model: Path) -> None:
    status, _, err = cli("profile", model, "--minimize", "bytes")
    assert status == 2
    assert "--minimize chooses tiles for an engine; give --engine, too" in err
