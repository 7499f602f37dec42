"""Delta debugging: find the smallest part of a list that still fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import TypeVar

Item = TypeVar("Item")


def minimal(items: Sequence[Item], fails: Callable[[list[Item]], bool]) -> list[Item]:
    """Return a part of `items`, in order, for which `fails` is true and that no single removal keeps so (1-minimal).

    The algorithm ddmin: try parts, then what is left without one, in ever smaller parts (Zeller and Hildebrandt,
    Simplifying and Isolating Failure-Inducing Input, 2002, figure 4). `fails` must be true for all items; it's asked
    about each part once, and never about none of them.

    >>> minimal(range(100), lambda part: {7, 80} <= set(part))
    [7, 80]
    """

    @cache
    def bad(part: tuple[int, ...]) -> bool:
        return fails([items[index] for index in part])

    left, count = tuple(range(len(items))), 2
    while len(left) > 1:
        bounds = [len(left) * number // count for number in range(count + 1)]
        parts = [left[start:end] for start, end in pairwise(bounds)]
        rests = (left[:start] + left[end:] for start, end in pairwise(bounds))
        if part := next(filter(bad, parts), None):
            left, count = part, 2
        elif rest := next(filter(bad, rests), None):
            left, count = rest, max(count - 1, 2)
        elif count == len(left):
            break
        else:
            count = min(2 * count, len(left))
    return [items[index] for index in left]
