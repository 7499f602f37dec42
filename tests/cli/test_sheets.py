"""Sheets are exact, for spreadsheets and documents."""

from __future__ import annotations

import csv
import io
from pathlib import Path

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
