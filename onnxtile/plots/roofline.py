"""The roofline: how near each layer comes to what array and memory allow.

S. Williams, A. Waterman and D. Patterson, "Roofline: an insightful visual performance model", CACM 52 (4), 2009.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from onnxtile.plots.drawing import BLUE, GREEN, GREY, INK, ORANGE, PINK, label_axes, place_labels, short
from onnxtile.plots.layer import Layer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BOUNDS = {"compute": BLUE, "memory": ORANGE, "local": GREEN, "latency": PINK}
LABELS = 6
"""Layers that get their name, those of most cycles."""


def draw_roofline(axes: Axes, layers: Sequence[Layer], bandwidth: float) -> dict[str, str]:
    """Draw layers by multiply-accumulates a byte and a cycle, below the roof of bytes a cycle and the arrays' peaks.

    The area of a dot is the layer's share of all cycles. Returns what a viewer shows of each dot, by its id.
    """
    shown = [layer for layer in layers if layer.cycles and layer.bytes and layer.macs]
    axes.set_title("Roofline")
    if not shown:
        axes.text(0.5, 0.5, "no layer has a product", transform=axes.transAxes, ha="center")
        return {}
    total = sum(layer.cycles or 0 for layer in shown)
    intensities = [layer.macs / layer.bytes for layer in shown]
    rates = [layer.macs / (layer.cycles or 1) for layer in shown]
    peaks = sorted({layer.peak for layer in shown})
    left, right = min(*intensities, peaks[0] / bandwidth / 4) / 2, max(*intensities, peaks[-1] / bandwidth * 4) * 2
    for peak in peaks:
        label = f"{bandwidth:,.4g} bytes, {peak:,} MACs a cycle"
        xs, ys = [left, peak / bandwidth, right], [left * bandwidth, peak, peak]
        axes.plot(xs, ys, color=INK, linewidth=1.4, zorder=2, label=label)
    axes.set_xlim(left, right)
    axes.set_ylim(min(*rates, left * bandwidth) / 1.5, max(peaks) * 3)  # the legend is above the slope
    label_axes(axes, "MACs a byte moved", "MACs a cycle", log="xy")
    titles = {}
    for place, (layer, x, y) in enumerate(zip(shown, intensities, rates, strict=True)):
        share = (layer.cycles or 0) / total
        color = BOUNDS.get(layer.bound or "", GREY)
        axes.scatter(
            [x], [y], s=18 + 900 * share, color=color, alpha=0.65, linewidths=0, zorder=3, gid=f"layer-{place}"
        )
        words = f"{x:.3g} MACs a byte, {y:.3g} a cycle, {share:.1%} of all cycles, {layer.bound or 'unknown'} bound"
        titles[f"layer-{place}"] = f"{layer.name}: {words}"
    _legend(axes, {layer.bound for layer in shown})
    longest = sorted(range(len(shown)), key=lambda at: (-(shown[at].cycles or 0), at))[:LABELS]
    place_labels(axes, [(intensities[at], rates[at], short(shown[at].name, 20)) for at in longest])
    return titles


def _legend(axes: Axes, bounds: set[str | None]) -> None:
    from matplotlib.lines import Line2D

    marks = [
        *axes.get_lines(),
        *(
            Line2D([], [], marker="o", linestyle="", color=color, label=f"{name} bound")
            for name, color in BOUNDS.items()
            if name in bounds
        ),
    ]
    axes.legend(handles=marks, loc="upper left")
