from __future__ import annotations

import pytest

from onnxtile.drawing import blocks
from onnxtile.drawing.draw import drawing
from onnxtile.drawing.model_picture import alike, draw_model
from onnxtile.drawing.product_picture import Drawn
from onnxtile.drawing.svg import to_svg
from tests.drawing.models import lowered, network


def test_original_and_lowered_are_at_the_same_places() -> None:
    drawn = drawing(network(), lowered())
    root, layout = draw_model(drawn.outline, drawn.sides, drawn.title)
    sides = [element for element in root if element.get("class") == "side"]
    frames = [[(one[0].get("x"), one[0].get("y"), one[0].get("height")) for one in side if one.get("data-block")]
              for side in sides]  # fmt: skip
    assert len(frames) == 2 and frames[0] == frames[1] and len(frames[0]) == 5
    text = to_svg(root)
    assert "2 x 3 x 2 tiles" in text and "6 x 10 x 8" in text and ">Relu<" in text and "input x" in text
    assert layout.height > 0


def test_what_is_left_out_is_told_at_the_top(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "MOST_BLOCKS", 3)
    drawn = drawing(network())
    for text in (drawn.svg(), drawn.html()):
        assert text.index("not drawn: the tiles of 1 smaller product") < text.index("input x")


def test_products_that_look_alike_are_counted() -> None:
    one, other = Drawn("a", "MatMul", ("1", "2", "3"), (1, 2, 3)), Drawn("b", "Gemm", ("1", "2", "3"), (1, 2, 3))
    assert alike([one, other, one]) == [(one, 2), (other, 1)]
