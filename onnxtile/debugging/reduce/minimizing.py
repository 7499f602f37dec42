"""Delta debugging: the smallest part of a list that still fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeVar

Item = TypeVar("Item")


def minimal(items: Sequence[Item], fails: Callable[[list[Item]], bool]) -> list[Item]:
    """A part of `items`, in their order, for which `fails` is true and that no single removal keeps so (1-minimal).

    The algorithm ddmin: try parts, then what is left without one, in ever smaller parts (Zeller and Hildebrandt,
    Simplifying and Isolating Failure-Inducing Input, 2002, figure 4). `fails` must be true for all items; it's asked
    about each part once, and never about none of them.

    >>> minimal(range(100), lambda part: {7, 80} <= set(part))
    [7, 80]
    """
    known: dict[tuple[int, ...], bool] = {}

    def bad(part: Sequence[int]) -> bool:
        key = tuple(part)
        if key not in known:
            known[key] = fails([items[index] for index in part])
        return known[key]

    left, parts = list(range(len(items))), 2
    while len(left) > 1:
        bounds = [len(left) * number // parts for number in range(parts + 1)]
        chunks = [left[start:end] for start, end in pairwise(bounds)]
        smaller = next((chunk for chunk in chunks if bad(chunk)), None)
        if smaller is not None:
            left, parts = smaller, 2
            continue
        rests = ([index for index in left if index not in set(chunk)] for chunk in chunks)
        smaller = next((rest for rest in rests if bad(rest)), None)
        if smaller is not None:
            left, parts = smaller, max(parts - 1, 2)
        elif parts == len(left):
            break
        else:
            parts = min(2 * parts, len(left))
    return [items[index] for index in left]
