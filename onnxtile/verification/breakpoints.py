"""Sizes at which a model decides something by a size: where numbers that it compares meet.

Evaluating a region records, at all nodes that limit, cut, divide or count by sizes, by how much one number is below
another. Where that changes its sign between two sizes that were tried, or is about to behind the largest, the size at
which it does is looked for by halving and by the secant: whatever sizes went through, it's tried, and its neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, islice, pairwise

from onnxtile.verification.trial_sizes import Choice, lines

Decisions = Mapping[object, int]
"""By how much a number is below another, by node and element."""
ROUNDS = 16
MOST_AT_ONCE = 24
MOST_PAIRS = 16
"""Sizes of two dimensions that are tried together, where either decides something."""
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
    met: dict[str, set[int]] = {}
    for names in lines(list(small)):
        rest = {other: size for other, size in small.items() if other not in names}
        line = {
            choice[names[0]]: made
            for choice, made in tried
            if choice.items() >= rest.items() and len({choice[name] for name in names}) == 1
        }
        points = {size: made for size, made in sorted(line.items()) if made is not None}
        sizes = {math.floor(size): None for size in _roots(points)}
        beyond = max((size for size in sizes if size > LARGEST), default=beyond)
        new = [size for size in sizes if 0 <= size <= LARGEST and size not in line]
        wanted += [small | dict.fromkeys(names, size) for size in new[:MOST_AT_ONCE]]
        if len(names) == 1:
            met[names[0]] = {size for line in _lines(points) for size, number in line if number == 0 and size > 1}
    pairs = (small | {one: p, other: q} for one, other in combinations(small, 2) for p in met[one] for q in met[other])
    known = [choice for choice, _ in tried]
    wanted += [choice for choice in islice(pairs, MOST_PAIRS) if choice not in known]
    return wanted, beyond


def _roots(points: Points) -> Iterator[float]:
    """Yield sizes at which a decision is another than on the other side, or near to it."""
    sizes = list(points)
    if len(sizes) < 2:
        return
    step = math.gcd(*(later - size for size, later in pairwise(sizes)))
    for line in _lines(points):
        yield from _roots_of(line, step)


def _lines(points: Points) -> list[tuple[tuple[int, int], ...]]:
    """The sizes, and what a decision is at them, of all decisions that aren't the same at all sizes."""
    found: dict[object, list[tuple[int, int]]] = {}
    for size, made in points.items():
        for key, number in made.items():
            found.setdefault(key, []).append((size, number))
    distinct = {tuple(line): None for line in found.values()}
    return [line for line in distinct if len({number for _, number in line}) > 1]


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
