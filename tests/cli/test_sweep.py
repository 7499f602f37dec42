from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from onnxtile.cli.sweep import MOST_ROWS, print_sweep
from tests.commands import Cli, one_line
from tests.exploration.models import chain, loop
from tests.exploration.studies import row, study

ASKED = ("--engine", "systolic-32", "--vary", "local.size=4KiB:64KiB:x4")


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    for model in (chain(), loop()):
        onnx.save(model, f"{model.graph.name}.onnx")
    return ["chain.onnx", "loop.onnx"]


def test_the_front_the_best_and_what_is_left_out(cli: Cli, models: list[str]) -> None:
    status, out, err = cli("sweep", *models, *ASKED, "-o", "rows.csv", "--plot", "trade.svg")
    assert (status, err) == (0, "")
    first, *others, left_out, last = out.splitlines()
    assert first.split() == ["size", "cycles", "of", "best", "MACs", "a", "cycle", "local", "memory", "moved"]
    assert others[0].split()[:2] == ["64", "KiB"]
    assert left_out == ("not counted on any engine: 1 product: engine systolic-32 doesn't multiply float64 by float64")
    assert last == "best of 3 engines by cycles: local.size 64 KiB; all rows are in rows.csv"
    assert len(Path("rows.csv").read_text().splitlines()) == 1 + 3 * 2
    assert "Pareto front" in Path("trade.svg").read_text()


def test_json_has_all_rows(cli: Cli, models: list[str]) -> None:
    status, out, _ = cli("sweep", models[0], *ASKED, "--json")
    document = json.loads(out)
    assert status == 0
    assert document["schema"] == "onnxtile.sweep/1"
    assert [row["values"]["local.size"] for row in document["rows"]] == ["4 KiB", "16 KiB", "64 KiB"]
    assert document["best"]["values"] == {"local.size": "64 KiB"}


def test_calls_that_are_wrong(cli: Cli, models: list[str]) -> None:
    one_line(cli("sweep", *ASKED), "Missing argument 'MODEL...'")
    one_line(cli("sweep", models[0], *ASKED, "-o", models[0]), "which is needed; give another path")
    one_line(cli("sweep", models[0], *ASKED, "-o", "a.csv", "--plot", "a.png"), "pictures are .svg")
    one_line(cli("sweep", models[0], *ASKED, "--on", "host:1"), "write dask://HOST:PORT")
    one_line(cli("sweep", models[0], "--engine", "systolic", "--vary", "local.size=1KiB"), "did you mean 'systolic-")
    assert not Path("a.csv").exists()


def test_no_engine_runs_the_models(capsys: pytest.CaptureFixture[str]) -> None:
    print_sweep(study([row({"local.size": "1 KiB"}, None, reason="no call fits local memory")]), None)
    assert capsys.readouterr().out.splitlines() == [
        "left out: no call fits local memory  (1 KiB)", "none of 1 engine runs all models",
    ]  # fmt: skip


@pytest.mark.parametrize("count", [MOST_ROWS, MOST_ROWS + 1])
def test_engines_that_are_shown_on_a_terminal_and_more(
    count: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxtile.cli.screen.terminal_width", lambda: 200)
    rows = [row({"a": str(at)}, 1000 - at, 64 + at) for at in range(count)]
    print_sweep(study(rows), None)
    out = capsys.readouterr().out
    assert ("... and 1 more; --json and -o have all" in out) == (count > MOST_ROWS)
