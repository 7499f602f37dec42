from __future__ import annotations

import pytest

from onnxtile.plots import bars
from onnxtile.plots.bars import draw_bars
from onnxtile.plots.drawing import figure, svg

BARS = [("fc", 100.0, 150.0), ("gone", 100.0, 0.0), ("same", 7.0, 7.0)]


def test_what_was_added_and_what_is_gone_have_their_colours() -> None:
    with figure(4, 3) as (drawn, (axes,)):
        titles = draw_bars(axes, "MACs by layer", BARS, parts=("original", "padding", "gone"))
        text = svg(drawn, titles, "macs")
        widths = [[bar.get_width() for bar in group] for group in axes.containers]
    assert widths == [[100, 0, 7], [50, 0, 0], [0, 100, 0]]
    assert titles["macs-0-0"] == "fc: 100, then 150" and titles["macs-0-2"] == "same: 7"
    assert "padding" in text and "<title>fc: 100, then 150</title>" in text


def test_as_many_bars_as_there_is_room_for_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    for most_bars, words in ((3, ""), (2, "1 layer with less, not drawn")):
        monkeypatch.setattr(bars, "MOST_BARS", most_bars)
        with figure(4, 3) as (_, (axes,)):
            draw_bars(axes, "MACs by layer", BARS)
            assert axes.get_xlabel() == words
