"""Sizes that are tried for free dimensions: around the whole numbers that sizes meet in the models, tiles above all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

LARGEST = 1024
"""Numbers above it aren't looked at: a model may hold any."""
USUAL = 8
"""What is taken for a tile where sizes meet no number."""
Choice = dict[str, int]


def first_choice(free: Sequence[str]) -> Choice:
    """Small sizes that differ, to learn which numbers they meet."""
    return {name: 2 + place for place, name in enumerate(free)}


def choices(free: Sequence[str], met: Iterable[int], seed: int) -> Iterator[Choice]:
    """Yield sizes: each dimension, then all at once, has each of the list, while others are small. One is drawn."""
    tiles = sorted({number for number in met if 2 <= number <= LARGEST}) or [USUAL]
    wanted = [0, 1, *(size for tile in tiles for size in (tile - 1, tile, tile + 1, 2 * tile, 3 * tile + 1))]
    wanted.append(2 + seed % (3 * tiles[-1]))
    small = first_choice(free)
    for size in dict.fromkeys(wanted):
        for names in lines(free):
            yield small | dict.fromkeys(names, size)


def lines(free: Sequence[str]) -> list[list[str]]:
    """The dimensions that have sizes in turn: each by itself, and all at once."""
    return [[name] for name in free] + ([list(free)] if len(free) > 1 else [])
