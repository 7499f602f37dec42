from __future__ import annotations

from onnxtile.plots.drawing import figure
from onnxtile.plots.layer import Layer
from onnxtile.plots.roofline import LABELS, draw_roofline


def test_layers_are_below_the_roof_and_the_longest_have_names() -> None:
    layers = [
        Layer(f"layer {at}", 10**6 * (at + 1), 10**4 * 3**at, 1, 10**4 * 2**at, 1024, "memory") for at in range(9)
    ]
    with figure(9, 6) as (_, axes):
        titles = draw_roofline(axes[0], [*layers, Layer("empty", 0, 0, 0)], 16)
        (roof,) = axes[0].get_lines()
        names = [text.get_text() for text in axes[0].texts]
        legend = axes[0].get_legend()
        assert legend is not None
        words = [text.get_text() for text in legend.get_texts()]
    assert list(roof.get_xdata())[1] == 64  # where both bound it
    assert list(roof.get_ydata())[1:] == [1024, 1024]
    assert len(titles) == 9
    assert titles["layer-0"] == "layer 0: 100 MACs a byte, 100 a cycle, 0.2% of all cycles, memory bound"
    assert names[0] == "layer 8" and len(names) <= LABELS
    assert words == ["16 bytes, 1,024 MACs a cycle", "memory bound"]


def test_nothing_to_draw_is_said() -> None:
    with figure(4, 3) as (_, axes):
        assert draw_roofline(axes[0], [Layer("fc", 10, 20, 15)], 16) == {}
        assert [text.get_text() for text in axes[0].texts] == ["no layer has a product"]
