from __future__ import annotations

import sys
from pathlib import Path

import pytest

from onnxtile.drawing.draw import drawing
from onnxtile.drawing.files import check_drawing, write_drawing
from onnxtile.errors import UsageError
from tests.drawing.models import network


@pytest.mark.parametrize("name", ["a.svg", "a.html", "a.PNG"])
def test_files_are_the_same_each_time(tmp_path: Path, name: str) -> None:
    drawn = drawing(network())
    for path in (tmp_path / name, tmp_path / f"again-{name}"):
        check_drawing(path)
        write_drawing(path, drawn)
    content = (tmp_path / name).read_bytes()
    assert content == (tmp_path / f"again-{name}").read_bytes()
    assert content.startswith({"a.svg": b"<?xml", "a.html": b"<!doctype html>", "a.PNG": b"\x89PNG"}[name])


def test_what_cannot_be_drawn_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"pictures are .svg, .html or .png; give such a name"):
        check_drawing(tmp_path / "a.pdf")
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(UsageError, match=r"a .png takes resvg-py, which isn't installed"):
        check_drawing(tmp_path / "a.png")
    monkeypatch.setitem(sys.modules, "igraph", None)
    with pytest.raises(UsageError, match=r"draw takes igraph, which isn't installed"):
        check_drawing(tmp_path / "a.svg")
