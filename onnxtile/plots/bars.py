"""An amount of each layer as bars: as the original has it, and what a lowering added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from onnxtile.ir.printable import several
from onnxtile.plots.drawing import BLUE, GREY, ORANGE, amount, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_BARS = 40
"""Layers that are drawn: those with most, in the model's order."""
Bar = tuple[str, float, float]
"""A layer's name, its amount as it was, and as it is."""


def draw_bars(
    axes: Axes, title: str, bars: Sequence[Bar], unit: str = "", parts: tuple[str, str, str] = ("both", "added", "gone")
) -> dict[str, str]:
    """Draw a bar a layer; returns what a viewer shows of each, by its id.

    `parts`: what stands for what is in both amounts, in the second alone, and in the first alone.
    """
    from matplotlib.ticker import FuncFormatter

    most = sorted(range(len(bars)), key=lambda at: (-max(bars[at][1:]), at))[:MOST_BARS]
    shown = [bars[at] for at in sorted(most)]
    axes.set_title(title)
    if len(bars) > len(shown):
        axes.set_xlabel(f"{several(len(bars) - len(shown), 'layer')} with less, not drawn")
    places = range(len(shown))
    both = [min(one, other) for _, one, other in shown]
    added = [max(0.0, other - one) for _, one, other in shown]
    gone = [max(0.0, one - other) for _, one, other in shown]
    titles = {}
    mark = title.split()[0].lower()
    for part, (widths, color, label) in enumerate(zip((both, added, gone), (BLUE, ORANGE, GREY), parts, strict=True)):
        if part and not any(widths):
            continue
        drawn = axes.barh(places, widths, left=both if part else None, color=color, height=0.72, label=label)
        for place, ((name, one, other), bar) in enumerate(zip(shown, drawn, strict=True)):
            then = "" if one == other else f", then {other:,.10g} {unit}".rstrip()
            bar.set_gid(f"{mark}-{part}-{place}")
            titles[f"{mark}-{part}-{place}"] = f"{name}: {one:,.10g} {unit}".rstrip() + then
    axes.set_yticks(places, [short(name) for name, _, _ in shown])
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set_ylim(max(1, len(shown)) - 0.4, -0.6)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: amount(number, unit) if number else "0"))
    if any(added) or any(gone):
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.06 - 0.6 / max(4, len(shown))), ncols=3)
    return titles
