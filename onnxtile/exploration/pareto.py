"""The Pareto front: the points that no other point is better than in one way and as good as in all others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def front(points: Sequence[Sequence[float]]) -> list[int]:
    """Return the places of the points that none dominates, in order; of equal points all. Less is better on each axis.

    A point dominates another that it's nowhere above and somewhere below.

    >>> front([(1, 4), (2, 2), (3, 3), (2, 2)])
    [0, 1, 3]
    """
    if not points:
        return []
    order = sorted(range(len(points)), key=lambda at: tuple(points[at]))  # a point comes behind all that dominate it
    kept: list[int] = []
    held = np.empty((len(points), len(points[0])))
    for at in order:
        point = np.asarray(points[at], dtype=float)
        best = held[: len(kept)]
        if not ((best <= point).all(axis=1) & (best < point).any(axis=1)).any():
            held[len(kept)] = point
            kept.append(at)
    return sorted(kept)
