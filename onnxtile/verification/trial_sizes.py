"""Sizes that are tried for free dimensions: around the whole numbers that sizes meet in the models, tiles above all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

LARGEST = 1024
"""Numbers above it aren't looked at: a model may hold any."""
USUAL = 4
"""A size that is tried where sizes meet no number."""
Choice = dict[str, int]


def first_choice(free: Sequence[str]) -> Choice:
    """Small sizes that differ, to learn which numbers they meet."""
    return {name: 2 + place for place, name in enumerate(free)}


def choices(free: Sequence[str], met: Iterable[int]) -> Iterator[Choice]:
    """Yield sizes: each dimension, then all at once, has each of the list, while others are small."""
    around = [n for tile in _tiles(met) for n in (tile - 1, tile, tile + 1, 2 * tile, 3 * tile + 1)]
    return _sized(free, [0, 1, *(around or [USUAL])])


def drawn_choices(free: Sequence[str], met: Iterable[int], seed: int) -> Iterator[Choice]:
    """Yield sizes likewise of a number that the seed draws."""
    tiles = _tiles(met)
    return _sized(free, [2 + seed % (3 * tiles[-1] if tiles else USUAL)])


def _tiles(met: Iterable[int]) -> list[int]:
    """Numbers that may be tiles: one less than another is what's added where a quotient is rounded up."""
    numbers = {number for number in met if 2 <= number <= LARGEST}
    return sorted(number for number in numbers if number + 1 not in numbers)


def _sized(free: Sequence[str], sizes: Iterable[int]) -> Iterator[Choice]:
    small = first_choice(free)
    for size in dict.fromkeys(sizes):
        for names, rest in lines(small):
            yield small | rest | dict.fromkeys(names, size)


def lines(small: Choice) -> list[tuple[list[str], Choice]]:
    """The dimensions that have sizes in turn, and the sizes of others: small ones, 1, or all have the same."""
    if len(small) == 1:
        return [(list(small), {})]
    rests = [[({name: size for name, size in rest.items() if name != one}, one) for one in small]
             for rest in (small, dict.fromkeys(small, 1))]  # fmt: skip
    return [([one], rest) for pairs in rests for rest, one in pairs] + [(list(small), {})]
