"""A picture of engines: time against the size of array and of local memory."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from onnxtile.plots.drawing import BLUE, GREEN, GREY, INK, ORANGE, PINK, label_axes, memory, place_labels, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from onnxtile.exploration.results import Point, Sweep

LABELS = 8
"""Engines of the front that get their values."""
FEW = 5
"""Sizes of local memory with a colour of their own; of more sizes, several share one."""
_COLORS = (PINK, ORANGE, GREEN, BLUE, "#6f5fc4")


def draw_trade(axes: Axes, study: Sweep) -> dict[str, str]:
    """Draw the engines of a sweep; those of the Pareto front are ringed, and joined for each size of local memory.

    Returns what a viewer shows of each engine, by its id.
    """
    units = {"cycles": "cycles", "seconds": "seconds", "bytes": "bytes moved"}[study.measure]
    axes.set_title(f"{units.capitalize()} against the array's size")
    points = study.points
    if not points:
        axes.text(0.5, 0.5, "no engine runs the models", transform=axes.transAxes, ha="center")
        return {}
    groups = _groups(sorted({point.local_size for point in points}))
    front = set(map(id, study.front))
    titles = {}
    for place, point in enumerate(points):
        color = _COLORS[groups[point.local_size][0]]
        edge, size = (INK, 54) if id(point) in front else ("none", 26)
        axes.scatter(
            [point.macs_a_cycle], [point.cost], s=size, color=color, alpha=1 if id(point) in front else 0.55,
            edgecolors=edge, linewidths=1.2, zorder=4 if id(point) in front else 3, gid=f"engine-{place}",
        )  # fmt: skip
        values = ", ".join(f"{field} {text}" for field, text in point.values.items())
        titles[f"engine-{place}"] = f"{values}: {point.cost:,} {units}, {memory(point.local_size)} of local memory"
    for _, on_front in itertools.groupby(
        sorted(study.front, key=lambda one: one.local_size), lambda one: one.local_size
    ):
        line = sorted(on_front, key=lambda one: one.macs_a_cycle)
        axes.plot([p.macs_a_cycle for p in line], [p.cost for p in line], color=GREY, linewidth=0.9, zorder=2)
    label_axes(axes, "MACs a cycle of the array", units, log="xy")
    arrays = sorted({point.macs_a_cycle for point in points})
    if all(more > 1.5 * less for less, more in itertools.pairwise(arrays)):
        axes.set_xticks(arrays, [f"{macs:,}" for macs in arrays])
        axes.set_xticks([], minor=True)
    _legend(axes, groups)
    first = {point.macs_a_cycle: point for point in reversed(study.front)}  # the best of each array
    named = [*first.values(), *(point for point in study.front if point not in first.values())][:LABELS]
    place_labels(axes, [(point.macs_a_cycle, point.cost, _label(point)) for point in named])
    return titles


def _label(point: Point) -> str:
    return short(", ".join(point.values.values()), 24)


def _groups(sizes: Sequence[int]) -> dict[int, tuple[int, str]]:
    """Return the colour of each size of local memory, the smallest first, and what it stands for."""
    if len(sizes) <= FEW:
        return {size: (place, memory(size)) for place, size in enumerate(sizes)}
    part = -(-len(sizes) // FEW)
    chunks = [sizes[start : start + part] for start in range(0, len(sizes), part)]
    return {
        size: (place, " to ".join(dict.fromkeys((memory(chunk[0]), memory(chunk[-1])))))
        for place, chunk in enumerate(chunks)
        for size in chunk
    }


def _legend(axes: Axes, groups: dict[int, tuple[int, str]]) -> None:
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], marker="o", linestyle="", color=_COLORS[place], label=words)
        for place, words in sorted(set(groups.values()))
    ]
    front = Line2D([], [], marker="o", linestyle="", color="none", markeredgecolor=INK, label="Pareto front")
    axes.legend(handles=[*marks, front], title="local memory", loc="best")
