"""Sheets are exact, for spreadsheets and documents."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from onnxtile.cli.sheets import write_sheet
from tests.cli.test_profile import run


def test_sheets(profiled: Path) -> None:
    done = run(profiled, "net.onnx", "--csv", "-")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert (rows[0]["name"], rows[0]["macs"]) == ("net/first/product", "96*batch")
    assert done.stderr == ""
    run(profiled, "net.onnx", "--by", "op", "--markdown", "costs.md", "--csv", "costs.csv")
    lines = (profiled / "costs.md").read_text().splitlines()
    assert lines[0].startswith("| name | nodes | macs |")
    assert lines[2].startswith("| MatMul | 2 | 144\\*batch |")
    assert (profiled / "costs.csv").read_text().startswith("name,nodes,macs,")


def test_texts_that_a_spreadsheet_would_compute_have_an_apostrophe(capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["=1+1", "+a", "-2+3", "-a", "@SUM(1)", "a=1", "-", "-1-1"]
    cells = [*texts, -5, -0.5, -1e-30, "-7", "", None]
    write_sheet(Path("-"), "csv", [{"name": cell} for cell in cells])
    _, *rows = csv.reader(io.StringIO(capsys.readouterr().out))
    exact = [["a=1"], ["-5"], ["-0.5"], ["-1e-30"], ["-7"], [""], [""]]
    assert [row for row in rows if not row[0].startswith("'")] == exact
    assert [row[0][1:] for row in rows if row[0].startswith("'")] == [text for text in texts if text != "a=1"]
