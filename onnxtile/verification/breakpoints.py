"""Sizes at which a model decides something by a size: where numbers that it compares meet.

Evaluating a region records, at all nodes that limit, cut, divide or count by sizes, by how much one number is below
another. Where that changes its sign between two sizes that were tried, is about to behind the largest, or is smallest
in between, the size at which it does is looked for by halving and by the secant: whatever sizes went through, it's
tried, and its neighbours. What several dimensions decide, each by itself, is tried together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, pairwise, product

from onnxtile.verification.trial_sizes import Choice, lines

Decisions = Mapping[object, int]
"""By how much a number is below another, by node and element."""
Tried = Sequence[tuple[Choice, "Decisions | None"]]
"""What was decided at sizes that were tried, None where nothing ran."""
ROUNDS = 16
MOST_AT_ONCE = 24
MOST_TOGETHER = 256
"""Sizes of several dimensions that are tried together, where each decides something."""
MOST_OF_A_LINE = 4
"""Sizes at which one decision is another that are tried together with others'."""
MOST_REMAINDERS = 64
"""Sizes after which what several divisors leave begins again, up to which all are tried."""
LARGEST = 1 << 14
"""Sizes that are looked for are at most that large."""
Line = tuple[tuple[int, int], ...]
"""Sizes, and what a decision is at them."""


def further(tried: Tried, small: Choice, divisors: Iterable[int] = ()) -> tuple[list[Choice], str | None]:
    """Return sizes to try next, and why more would have to be tried than are; None where they needn't.

    `small`: the sizes that dimensions have while others are tried. `divisors`: numbers that the lowered side divides
    sizes by, 0 a size.
    """
    wanted: list[Choice] = []
    words: str | None = None
    own: list[dict[object, Line]] = []
    for names, rest in lines(small):
        line = {
            choice[names[0]]: made
            for choice, made in tried
            if choice.items() >= rest.items() and len({choice[name] for name in names}) == 1
        }
        found = _lines({size: made for size, made in sorted(line.items()) if made is not None})
        sizes = {math.floor(size): None for size in _roots(found.values())}
        beyond = max((size for size in sizes if size > LARGEST), default=None)
        if beyond is not None:
            words = f"it decides something by a size of about {beyond:,}, which isn't tried"
        new = [size for size in sizes if 0 <= size <= LARGEST and size not in line]
        wanted += [small | rest | dict.fromkeys(names, size) for size in new[:MOST_AT_ONCE]]
        if len(own) < len(small):
            own.append(found)
    more, why = _together(own, small, sorted(divisors))
    known = [choice for choice, _ in tried]
    return wanted + [choice for choice in more if choice not in known], words or why


def _together(own: Sequence[dict[object, Line]], small: Choice, divisors: list[int]) -> tuple[list[Choice], str | None]:
    """Return sizes that decide something together, of several dimensions or as quotient and remainder."""
    met: dict[str, set[int]] = {}
    for name, found in zip(small, own, strict=True):
        others = [other for other in own if other is not found]
        alone = [line for key, line in found.items() if not any(key in other for other in others)]
        met[name] = {size for line in alone for size in islice(_met(line), MOST_OF_A_LINE)}
        quotients = {size for line in alone if _is_monotone(line) for size in _met(line)}
        met[name] |= {p + q for k in divisors for p in quotients if p >= k for q in met[name] if q < k}
    axes = [[(name, size) for size in (small[name], *sorted(met[name]))] for name in small]
    wanted = [dict(sizes) for sizes in islice(product(*axes), MOST_TOGETHER)]
    count = math.prod(map(len, axes))
    words = f"sizes decide something in {count:,} ways together, which are too many to be tried"
    period = math.lcm(*divisors)
    if divisors and (not period or period != divisors[-1]):  # where remainders meet can't be seen from each alone
        if 0 < period <= MOST_REMAINDERS:
            wanted += [small | {name: size} for name in small for size in range(2 * period)]
        else:
            by = ", ".join("a size" if not number else f"{number:,}" for number in divisors)
            return wanted, f"sizes are divided by {by}, and not all remainders are tried"
    return wanted, words if count > MOST_TOGETHER else None


def _is_monotone(line: Line) -> bool:
    numbers = [number for _, number in line]
    return numbers in (sorted(numbers), sorted(numbers, reverse=True))


def _met(line: Line) -> Iterator[int]:
    """Yield sizes on both sides of those at which a decision is another."""
    for (size, number), (later, other) in pairwise(line):
        if later - size == 1 and (not number * other or number * other < 0) and number != other:
            yield from (length for length in (size, later) if length > 1)


def _lines(points: Mapping[int, Decisions]) -> dict[object, Line]:
    """The sizes, and what a decision is at them, of all decisions that aren't the same at all sizes."""
    found: dict[object, list[tuple[int, int]]] = {}
    for size, made in points.items():
        for key, number in made.items():
            found.setdefault(key, []).append((size, number))
    return {key: tuple(line) for key, line in found.items() if len({number for _, number in line}) > 1}


def _roots(found: Iterable[Line]) -> Iterator[float]:
    """Yield sizes at which a decision is another than on the other side, or near to it."""
    distinct = dict.fromkeys(found)
    sizes = sorted({size for line in distinct for size, _ in line})
    step = math.gcd(*(later - size for size, later in pairwise(sizes)))
    for line in distinct:
        yield from _roots_of(line, step)


def _roots_of(line: Line, step: int) -> Iterator[float]:
    for (size, number), (later, other) in pairwise(line):
        if later - size > 1 and number * other < 0:
            secant = size + (later - size) * number / (number - other)
            yield from (size + (later - size) // 2, min(max(math.floor(secant), size + 1), later - 1))
        elif later - size > 1 and not number * other and number != other:
            yield size + 1 if number == 0 else later - 1
    for (size, number), (middle, least), (later, other) in zip(line, line[1:], line[2:], strict=False):
        if abs(number) > abs(least) <= abs(other) and number * least > 0 and least * other > 0:
            yield from (size + (middle - size) // 2, middle + (later - middle) // 2)
    (size, number), (later, other) = line[-2:]
    if other == 0 and number:
        yield from (later + 1, later + step)
    elif number * other > 0 and abs(other) < abs(number):
        root = later + other * (later - size) / (number - other)
        yield from (math.floor(root), math.ceil(root), math.floor(root) + step)
