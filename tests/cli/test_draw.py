from __future__ import annotations

from pathlib import Path

import onnx

from tests.commands import Cli
from tests.drawing.models import lowered, network


def test_a_model_and_what_was_made_of_it_are_drawn(cli: Cli, tmp_path: Path) -> None:
    onnx.save(network(), tmp_path / "net.onnx")
    onnx.save(lowered(), tmp_path / "tiled.onnx")
    code, out, err = cli("draw", tmp_path / "net.onnx", tmp_path / "tiled.onnx", "-o", tmp_path / "net.svg")
    assert (code, err) == (0, "") and out.endswith("net.svg is written\n")
    picture = (tmp_path / "net.svg").read_text()
    assert "net.onnx" in picture and "tiled.onnx" in picture and str(tmp_path) not in picture


def test_mistakes_are_one_line(cli: Cli, tmp_path: Path) -> None:
    onnx.save(network(), tmp_path / "net.onnx")
    for arguments, words in (
        (["-o", tmp_path / "net.gif"], "pictures are .svg, .html or .png"),
        (["-o", tmp_path / "net.onnx"], "which is needed"),
        (["--node", "nonesuch", "-o", tmp_path / "net.svg"], "no product of node 'nonesuch' is drawn"),
    ):
        code, out, err = cli("draw", tmp_path / "net.onnx", *arguments)
        assert code == 2 and out == "" and words in err and err.count("\n") == 1
    assert not (tmp_path / "net.svg").exists()
