"""`onnxtile.report`: the text of a page, or a file with what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest

import onnxtile
from onnxtile.api.report import ReportFile
from tests.drawing.models import lowered, network

pytest.importorskip("matplotlib", reason="plots need it: pip install 'onnxtile[plots]'")


def test_a_report_is_text_or_a_file(tmp_path: Path) -> None:
    page = onnxtile.report(network(), max=(4, 4, 4))
    assert page.startswith("<!doctype html>")
    assert "<h1>Report on model</h1>" in page
    target = tmp_path / "report.html"
    written = onnxtile.report(network(), lowered(), max=(4, 4, 4), verify=True, seed=1, output=target)
    assert isinstance(written, ReportFile)
    assert (written.output, written.bytes, written.title) == (str(target), target.stat().st_size, "model and lowered")
    assert (written.fits, written.equivalent, str(written)) == (True, True, f"{target} is written")
    assert "Proof" in target.read_text()


def test_what_was_not_asked_for_is_not_told(tmp_path: Path) -> None:
    written = onnxtile.report(network(), output=tmp_path / "a.html")
    assert (written.fits, written.equivalent) == (None, None)
    written = onnxtile.report(network(), engine=onnxtile.Engine.load("systolic-32"), output=tmp_path / "a.html")
    assert written.fits is not None
    assert not onnxtile.report(network(), max="4,4,4", output=tmp_path / "a.html").fits


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"verify": True}, "a lowered model is proven; give it behind the model"),
        ({"seed": 1}, "seed is a proof's; give verify, too"),
        ({"max": (4, 4, 4), "engine": "systolic-32"}, "max and engine are both limits"),
        ({"output": "report.pdf"}, "a report is a page; give a name that ends in .html"),
        ({"engine": "nonesuch"}, "engine 'nonesuch'"),
        ({"limits": (4, 4, 4)}, "report has no option 'limits'"),
    ],
)
def test_mistakes_write_nothing(options: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(onnxtile.UsageError, match=words):
        onnxtile.report(network(), **({"output": tmp_path / "r.html"} | options))
    onnx.save(network(), tmp_path / "n.html")
    with pytest.raises(onnxtile.UsageError, match="which is needed"):
        onnxtile.report(tmp_path / "n.html", output=tmp_path / "n.html")
    assert [path.name for path in tmp_path.iterdir()] == ["n.html"]
