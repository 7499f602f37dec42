"""Sizes at which a model decides something by a size: where numbers that it compares meet.

Evaluating a region records, at all nodes that limit, cut, divide or count by sizes, by how much one number is below
another. Where that changes its sign between two sizes that were tried, or is about to behind the largest, the size at
which it does is looked for by halving and by the secant: whatever sizes went through, it's tried, and its neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from onnxtile.verification.trial_sizes import Choice

Decisions = Mapping[object, int]
"""By how much a number is below another, by node and element."""
ROUNDS = 16
MOST_AT_ONCE = 24
LARGEST = 1 << 14
"""Sizes that are looked for are at most that large."""
Points = dict[int, Decisions]


def further(tried: Iterable[tuple[Choice, Decisions | None]], small: Choice) -> tuple[list[Choice], int | None]:
    """Return sizes to try next, and one that's too large to be tried.

    `tried`: what was decided at other sizes, None where nothing ran. `small`: the sizes that dimensions have while
    another one's are tried.
    """
    tried = list(tried)
    wanted: list[Choice] = []
    beyond: int | None = None
    for name in small:
        rest = {other: size for other, size in small.items() if other != name}
        line = {choice[name]: made for choice, made in tried if choice.items() >= rest.items()}
        points = {size: made for size, made in sorted(line.items()) if made is not None}
        sizes = {math.floor(size): None for size in _roots(points)}
        beyond = max((size for size in sizes if size > LARGEST), default=beyond)
        new = [size for size in sizes if 0 <= size <= LARGEST and size not in line]
        wanted += [small | {name: size} for size in new[:MOST_AT_ONCE]]
    return wanted, beyond


def _roots(points: Points) -> Iterator[float]:
    """Yield sizes at which a decision is another than on the other side, or near to it."""
    sizes = list(points)
    if len(sizes) < 2:
        return
    step = math.gcd(*(later - size for size, later in pairwise(sizes)))
    lines: dict[object, list[tuple[int, int]]] = {}
    for size, made in points.items():
        for key, number in made.items():
            lines.setdefault(key, []).append((size, number))
    for line in {tuple(line): None for line in lines.values()}:
        yield from _roots_of(line, step)


def _roots_of(line: Sequence[tuple[int, int]], step: int) -> Iterator[float]:
    for (size, number), (later, other) in pairwise(line):
        if later - size > 1 and number * other < 0:
            secant = size + (later - size) * number / (number - other)
            yield from (size + (later - size) // 2, min(max(math.floor(secant), size + 1), later - 1))
        elif later - size > 1 and not number * other and number != other:
            yield size + 1 if number == 0 else later - 1
    if len(line) < 2:
        return
    (size, number), (later, other) = line[-2:]
    if other == 0 and number:
        yield from (later + 1, later + step)
    elif number * other > 0 and abs(other) < abs(number):
        root = later + other * (later - size) / (number - other)
        yield from (math.floor(root), math.ceil(root), math.floor(root) + step)
