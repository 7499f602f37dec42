"""Memory over the run of a model, node by node."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from onnxtile.ir.printable import several
from onnxtile.plots.drawing import BLUE, ORANGE, amount, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_STEPS = 600
"""Steps of a line; of more nodes each step is the most of several."""


def draw_memory(axes: Axes, runs: Sequence[tuple[str, Sequence[int]]]) -> None:
    """Draw the bytes alive while each node runs, a line for each model: its title, and the bytes in order."""
    from matplotlib.ticker import FuncFormatter

    axes.set_title("Memory over the run, without weights")
    for (title, sizes), color in zip(runs, (BLUE, ORANGE), strict=False):
        steps = most_of_each(sizes)
        if not steps:
            continue
        label = f"{several(len(sizes), 'node')} of {short(title)}"  # matplotlib leaves out what begins with _
        xs = [100 * at / len(steps) for at in range(len(steps) + 1)]
        axes.step(xs, [*steps, steps[-1]], where="post", color=color, label=label)
    axes.set_xlabel("% of the nodes have run")
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, 100)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda number, _: amount(number, "B") if number else "0"))
    if any(sizes for _, sizes in runs):
        axes.legend(loc="upper right")


def most_of_each(sizes: Sequence[int]) -> list[int]:
    """Return the sizes, or the greatest of as many parts as are drawn.

    >>> most_of_each([1, 5, 2])
    [1, 5, 2]
    """
    if len(sizes) <= MOST_STEPS:
        return list(sizes)
    ends = [at * len(sizes) // MOST_STEPS for at in range(MOST_STEPS + 1)]
    return [max(sizes[start:stop]) for start, stop in pairwise(ends)]
