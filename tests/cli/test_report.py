from __future__ import annotations

from pathlib import Path

import onnx

from tests.commands import Cli
from tests.drawing.models import lowered, network


def test_a_report_is_written(cli: Cli, tmp_path: Path) -> None:
    onnx.save(network(), tmp_path / "net.onnx")
    onnx.save(lowered(), tmp_path / "tiled.onnx")
    output = tmp_path / "report.html"
    code, out, err = cli("report", tmp_path / "net.onnx", tmp_path / "tiled.onnx", "--max", "4,4,4", "-o", output)
    assert (code, err) == (0, "") and out.endswith("report.html is written\n")
    page = output.read_text()
    assert "<h1>Report on net.onnx and tiled.onnx</h1>" in page and str(tmp_path) not in page


def test_mistakes_are_one_line(cli: Cli, tmp_path: Path) -> None:
    onnx.save(network(), tmp_path / "net.onnx")
    for arguments, words in (
        (["-o", tmp_path / "r.pdf"], "give a name that ends in .html"),
        (["--verify", "-o", tmp_path / "r.html"], "--verify proves a lowered model; name it behind MODEL"),
        (["--seed", "1", "-o", tmp_path / "r.html"], "--seed is a proof's"),
        (["--max", "4,4,4", "--engine", "systolic-32", "-o", tmp_path / "r.html"], "give one of them"),
        (["--engine", "nonesuch", "-o", tmp_path / "r.html"], "nonesuch"),
    ):
        code, out, err = cli("report", tmp_path / "net.onnx", *arguments)
        assert code == 2 and out == "" and words in err and err.count("\n") == 1
    assert not (tmp_path / "r.html").exists()
