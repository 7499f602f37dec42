"""Bytes that each layer moves: the least possible, and what its tiles add."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from onnxtile.plots.drawing import BLUE, ORANGE, amount, label_axes, short
from onnxtile.plots.layer import Layer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_BARS = 32
"""Layers that are drawn: those that move most, in the model's order."""


def draw_bytes(axes: Axes, layers: Sequence[Layer]) -> dict[str, str]:
    """Draw a bar a layer; returns what a viewer shows of each, by its id."""
    moving = [layer for layer in layers if layer.bytes]
    most = sorted(range(len(moving)), key=lambda at: (-moving[at].bytes, at))[:MOST_BARS]
    bars = [moving[at] for at in sorted(most)]
    rest = sum(layer.bytes for layer in moving) - sum(layer.bytes for layer in bars)
    axes.set_title("Bytes by layer")
    count = len(moving) - len(bars)
    left_out = f"; {count:,} layers that move less, {amount(rest, 'B')} together, aren't drawn"
    left_out = f"; 1 layer that moves less, {amount(rest, 'B')}, isn't drawn" if count == 1 else left_out
    label_axes(axes, f"bytes{left_out if rest else ''}")
    least = [layer.least_bytes for layer in bars]
    extra = [layer.bytes - layer.least_bytes for layer in bars]
    places = range(len(bars))
    at_least = sum(layer.least_bytes for layer in moving)
    beyond = sum(layer.bytes for layer in moving) - at_least
    below = axes.barh(places, least, color=BLUE, height=0.72, label=f"least possible: {amount(at_least, 'B')}")
    above = axes.barh(places, extra, left=least, color=ORANGE, height=0.72, label=f"extra: {amount(beyond, 'B')}")
    axes.set_yticks(places, [short(layer.name) for layer in bars])
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0, 1.04 * max((layer.bytes for layer in bars), default=1))
    axes.set_ylim(len(bars) - 0.4, -0.6)
    from matplotlib.ticker import FuncFormatter

    axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: amount(number, "B") if number else "0"))
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2, columnspacing=1.2)
    titles = {}
    for place, (layer, one, other) in enumerate(zip(bars, below, above, strict=True)):
        words = f"{layer.name}: {layer.bytes:,} bytes, of them {layer.least_bytes:,} at least"
        for name, bar in (("least", one), ("extra", other)):
            bar.set_gid(f"{name}-{place}")
            titles[f"{name}-{place}"] = words
    return titles
