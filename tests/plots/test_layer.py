from __future__ import annotations

from onnxtile.plots.layer import Layer


def test_what_is_not_known_is_left_out() -> None:
    layer = Layer("fc", 10, 20, 15)
    assert (layer.cycles, layer.bound) == (None, None)
