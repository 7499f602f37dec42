"""Place blocks in levels from top to bottom, with few crossings, by igraph.

K. Sugiyama, S. Tagawa and M. Toda, "Methods for visual understanding of hierarchical system structures", IEEE
Transactions on Systems, Man and Cybernetics 11 (2), 1981.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from onnxtile.errors import UsageError

GAP_X, GAP_Y = 26.0, 34.0
"""Room between blocks."""
Point = tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """Upper left corners of blocks of equal width, and the points that each edge goes through, all in pixels."""

    width: float
    height: float
    corners: tuple[Point, ...]
    edges: tuple[tuple[Point, ...], ...]


def lay_out(levels: Sequence[int], heights: Sequence[float], edges: Sequence[tuple[int, int]], width: float) -> Layout:
    """Return a layout of blocks of that level and height, with edges that lead to greater levels.

    Raises UsageError where igraph isn't installed.
    """
    try:
        import igraph
    except ImportError as error:
        raise UsageError("draw takes igraph, which isn't installed: pip install 'onnxtile[draw]'") from error
    if not levels:
        return Layout(0, 0, (), ())
    tallest = [0.0] * (max(levels) + 1)
    for level, height in zip(levels, heights, strict=True):
        tallest[level] = max(tallest[level], height)
    tops = [0.0]
    for height in tallest:
        tops.append(tops[-1] + height + GAP_Y)
    ranks, widths, chains = list(levels), [width] * len(levels), []
    for start, end in edges:  # a place is kept free on each level that an edge passes
        passed = range(len(ranks), len(ranks) + levels[end] - levels[start] - 1)
        ranks += range(levels[start] + 1, levels[end])
        widths += [0.0] * len(passed)
        chains.append((start, *passed, end))
    steps = [step for chain in chains for step in pairwise(chain)]
    graph = igraph.Graph(n=len(ranks), edges=steps, directed=True)
    wanted = [x for x, _ in graph.layout_sugiyama(layers=ranks, hgap=width + GAP_X, vgap=1)]
    middles = _closer(wanted, ranks, widths)
    corners = [(x - width / 2, tops[level]) for x, level in zip(middles, levels, strict=False)]
    lines = []
    for start, *between, end in chains:
        passing = [(middles[step], tops[ranks[step]] + part) for step in between for part in (0, tallest[ranks[step]])]
        begin = (middles[start], tops[levels[start]] + heights[start])
        lines.append((begin, *passing, (middles[end], tops[levels[end]])))
    right = max(x + wide / 2 for x, wide in zip(middles, widths, strict=True))
    return Layout(right, tops[-1] - GAP_Y, tuple(corners), tuple(lines))


def _closer(wanted: Sequence[float], ranks: Sequence[int], widths: Sequence[float]) -> list[float]:
    """Return the middles of what's drawn as near to the left as it goes: igraph takes all for equally wide.

    What is in line stays in line, and the order from left to right stays.
    """
    columns: dict[int, list[int]] = {}
    for number, x in enumerate(wanted):
        columns.setdefault(round(x), []).append(number)
    middles = [0.0] * len(wanted)
    ends: dict[int, float] = {}
    left = 0.0
    for x in sorted(columns):
        numbers = columns[x]
        left = max(left, *(ends.get(ranks[one], 0.0) + widths[one] / 2 for one in numbers))
        for one in numbers:
            middles[one] = left
            ends[ranks[one]] = left + widths[one] / 2 + GAP_X
    first = min(middles[one] - widths[one] / 2 for one in range(len(middles)))
    return [x - first for x in middles]
