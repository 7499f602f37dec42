from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from onnxtile.drawing.draw import drawing
from tests.drawing.browser import Browser, needs_browser
from tests.drawing.models import HOSTILE, lowered, network


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'id="data">(.*?)</script>', page)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_each_product_can_be_looked_at_tile_by_tile() -> None:
    data = data_of(drawing(network(), lowered()).html("last"))
    assert [name for _, name in data["blocks"]] == ["fc", "side", "last"] and data["chosen"] == 3
    first = data["products"][0]
    assert first["counts"] == [2, 3, 2] and first["size"] == [6, 10, 8] and first["pieces"] == [None, None, None]
    assert first["names"]["nodes"] == {"texts": ["fc/m", "_n", "_k", ""], "axes": [0, 2, 1]}
    assert drawing(network(), lowered()).html() == drawing(network(), lowered()).html()


def test_forms_that_compute_all_tiles_by_one_node_say_so() -> None:
    data = data_of(drawing(network(), lowered("batched")).html())
    assert data["products"][0]["note"] == "fc computes all tiles by itself" and data["products"][0]["counts"] == [
        2,
        3,
        2,
    ]


@needs_browser
def test_a_browser_shows_a_tile(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(drawing(network(HOSTILE), lowered(name=HOSTILE)).html("last"))
    browser.open(tmp_path / "a.html")
    assert browser.ask("document.querySelector('.shown').id") == "block-3"
    shown = browser.text
    assert "C[0:4, 0:4] += A[0:4, 0:4] @ B[0:4, 0:4]" in shown
    assert "node last/m0_n0_k0 = MatMul(last/A_m0_k0, W/k0_n0)" in shown
    assert "<script>alert" not in shown and shown.count("<script") == 2


@needs_browser
def test_the_wheel_zooms_the_mouse_moves_and_a_click_shows_tiles(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(drawing(network(), lowered()).html())
    browser.open(tmp_path / "a.html")

    def view() -> list[float]:
        """Return the part of the picture that is seen: x, y, width and height."""
        return [float(part) for part in browser.ask("svg.getAttribute('viewBox')").split()]

    x, y, width, height = view()
    browser.drag("main > svg", 60, 40)
    moved = view()
    assert moved[0] < x and moved[1] < y and moved[2:] == [width, height]
    assert browser.ask("document.querySelector('.shown').id") == "hint"
    browser.wheel("main > svg", -200)
    assert view()[2] == pytest.approx(width / math.exp(0.5))
    browser.click("#nearer")
    assert view()[2] == pytest.approx(width / math.exp(0.5) / 1.3)
    browser.click("#whole")
    browser.click("g.product .panel")
    assert browser.ask("document.querySelector('.shown h2').textContent") == "fc"
    browser.click(".shown svg .b")
    words = browser.ask("document.querySelector('.shown code').textContent")
    assert "product 2 of the 3 that are added up" in words and "node fc/m0_n" in words
