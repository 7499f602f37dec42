from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from onnxtile.drawing.draw import drawing
from tests.drawing.browser import needs_browser, opened
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
def test_a_browser_shows_a_tile(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(drawing(network(HOSTILE), lowered(name=HOSTILE)).html("last"))
    shown = opened(tmp_path / "a.html", tmp_path / "browser")
    assert 'class="shown" id="block-3"' in shown.replace('id="block-3" class="shown"', 'class="shown" id="block-3"')
    assert "C[0:4, 0:4] += A[0:4, 0:4] @ B[0:4, 0:4]" in shown
    assert "node last/m0_n0_k0 = MatMul(last/A_m0_k0, W/k0_n0)" in shown
    assert "<script>alert" not in shown and shown.count("<script") == 2
