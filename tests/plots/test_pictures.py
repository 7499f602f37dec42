from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from onnxtile.errors import UsageError
from onnxtile.plots.layer import Layer
from onnxtile.plots.pictures import check_picture, write_layers, write_trade
from tests.exploration.studies import row, study

LAYERS = [
    Layer("</text><script>alert(1)</script>", 10**6, 10**4, 9000, 2000, 1024, "compute"),
    Layer("$\\frac{a}{0}$ 層\x00", 10**5, 10**4, 10**4, 700, 1024, "memory"),
]


def test_svg_is_the_same_each_time_and_holds_names_as_text(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        write_layers(tmp_path / name, LAYERS, 16.0, "net", "on an engine")
    content = (tmp_path / "a.svg").read_bytes()
    assert content == (tmp_path / "b.svg").read_bytes()
    words = "".join(ET.fromstring(content).itertext())
    assert "</text><script>alert(1)</script>: 100 MACs a byte" in words
    assert "$\\frac{a}{0}$ 層\\x00" in words
    assert b"<script>" not in content


def test_a_page_has_the_picture_inside_and_loads_nothing(tmp_path: Path) -> None:
    write_layers(tmp_path / "a.html", LAYERS, None, "<net>", "on an engine")
    page = (tmp_path / "a.html").read_text()
    assert "<title>&lt;net&gt;</title>" in page and "<p>on an engine</p>" in page
    assert "Bytes by layer" in page and "Roofline" not in page
    assert "src=" not in page and 'href="http' not in page
    write_trade(tmp_path / "b.html", study([row({"a": "1"}, 10)]), "sweep")
    assert "Pareto front" in (tmp_path / "b.html").read_text()


def test_other_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"pictures are .svg, or .html"):
        check_picture(tmp_path / "a.png")
    check_picture(tmp_path / "a.SVG")
