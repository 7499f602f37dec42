"""`onnxtile.draw`: the text of a picture, or a file with what was written."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

import onnxtile
from onnxtile.api.draw import DrawingFile
from tests.drawing.models import lowered, network

pytest.importorskip("igraph", reason="pictures need it: pip install 'onnxtile[draw]'")


def test_a_picture_is_text_or_a_file(tmp_path: Path) -> None:
    picture = onnxtile.draw(network(), lowered())
    assert picture.startswith('<?xml version="1.0"')
    assert "<svg" in picture
    page = onnxtile.draw(network(), kind="html")
    assert page.startswith("<!doctype html>")
    written = onnxtile.draw(network(), lowered(), output=tmp_path / "net.svg")
    assert isinstance(written, DrawingFile)
    assert (tmp_path / "net.svg").read_text() == picture
    assert (written.output, written.kind, written.bytes) == (str(tmp_path / "net.svg"), "svg", len(picture.encode()))
    assert (written.title, str(written)) == ("model and lowered", f"{tmp_path / 'net.svg'} is written")
    assert written.to_json()["schema"] == "onnxtile.draw/1"
    alone = onnxtile.draw(network(), node=written.products[0])
    assert len(alone) < len(picture)


def test_mistakes_write_nothing(tmp_path: Path) -> None:
    onnx.save(network(), tmp_path / "net.onnx")
    with pytest.raises(onnxtile.UsageError, match="which is needed"):
        onnxtile.draw(tmp_path / "net.onnx", output=tmp_path / "net.onnx")
    with pytest.raises(onnxtile.UsageError, match="pictures are .svg, .html or .png"):
        onnxtile.draw(network(), output=tmp_path / "net.gif")
    with pytest.raises(onnxtile.UsageError, match="kind 'png' of a picture is unknown: take one of svg, html"):
        onnxtile.draw(network(), kind="png")  # type: ignore[call-overload]  # that's the point
    with pytest.raises(onnxtile.UsageError, match="no product of node 'nonesuch' is drawn"):
        onnxtile.draw(network(), node="nonesuch", output=tmp_path / "net.svg")
    with pytest.raises(onnxtile.UsageError, match="draw has no option 'nodes'; did you mean 'node'"):
        onnxtile.draw(network(), nodes="fc")  # type: ignore[call-overload]  # that's the point
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]
