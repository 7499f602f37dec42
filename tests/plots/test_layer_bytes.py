from __future__ import annotations

import pytest

from onnxtile.plots.drawing import figure
from onnxtile.plots.layer import Layer
from onnxtile.plots.layer_bytes import MOST_BARS, draw_bytes


@pytest.mark.parametrize(("count", "words"), [(MOST_BARS, "bytes"), (MOST_BARS + 1, "bytes; 1 layer that moves less")])
def test_as_many_bars_as_a_screen_has_room_for_and_more(count: int, words: str) -> None:
    layers = [Layer(f"layer {at}", 1, 1000 + at, 900) for at in range(count)]
    with figure(6, 6) as (_, axes):
        titles = draw_bytes(axes[0], layers)
        names = [text.get_text() for text in axes[0].get_yticklabels()]
        legend = axes[0].get_legend()
        assert legend is not None
        sums = [text.get_text() for text in legend.get_texts()]
    assert names == [layer.name for layer in layers[-MOST_BARS:]]
    assert axes[0].get_xlabel().startswith(words)
    assert titles["extra-0"] == f"{names[0]}: 1,0{count - MOST_BARS:02} bytes, of them 900 at least"
    assert sums[0] == f"least possible: {900 * count / 1000:.3g} kB"
