"""Sizes of tiles and blocks that are worth trying along an axis: those at which a count changes.

Of sizes with as many parts the smallest takes the least memory. It isn't always the best one: a larger one may leave
fewer blocks of the array half empty, fewer bursts half full, and a last block that is a single tile. docs/engine.md has
the argument.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import lru_cache

import numpy as np

MOST_LISTED = 4096
"""Sizes of tiles that are looked at one by one."""
MOST_BLOCKS = 1024
"""Sizes of blocks after which some are left out; a 16th of it where amounts don't fit a machine word."""
FEW = 128
"""Up to so many sizes all are tried where each has bytes of its own."""


def counts(length: int, step: int, most: int = MOST_BLOCKS) -> list[int]:
    """Return the sizes, multiples of `step` or the whole length, each the smallest with its number of parts.

    After `most` of them some are left out: numbers of parts are a 64th apart then.
    """
    found = []
    size = step
    while size < length:
        found.append(size)
        number = -(-length // size)
        if len(found) > most:
            number -= number // 64
        next_even = -(-length // (number - 1)) if number > 1 else length
        size = max(size + step, -(-next_even // step) * step)
    return [*found, length]


def legal_tiles(length: int, most: int | None, multiple: int) -> tuple[int, int]:
    """Return how many sizes a call may have, `multiple` and so on, and the largest; 0 of them where there is none.

    The largest is the whole length where that fits, padded to a multiple.
    """
    if most is None or -(-length // multiple) * multiple <= most:
        return -(-length // multiple), length
    return most // multiple, most // multiple * multiple


def tile_sizes(
    length: int, most: int | None, multiple: int, lanes: int, cycles: Callable[[np.ndarray], np.ndarray] | None
) -> list[int]:
    """Return the sizes of a call that are worth trying along an axis; none where no call is small enough.

    `cycles` gives the array's cycles for sizes; among sizes with as many calls only those are kept that take fewer
    cycles than every smaller one. Without it all are kept.
    """
    number, largest = legal_tiles(length, most, multiple)
    if number <= (MOST_LISTED if cycles else FEW):
        sizes = [*range(multiple, largest, multiple), largest] if number else []
    else:
        step = math.lcm(multiple, lanes)
        sizes = sorted({s for base in (multiple, step) for s in counts(length, base) if s < largest} | {largest})
    if cycles and len(sizes) > 1:
        sizes = _fewest_cycles(length, sizes, cycles(np.array(sizes, dtype=np.int64 if length < 1 << 31 else object)))
    return sizes


def _fewest_cycles(length: int, sizes: list[int], cycles: Iterable[int]) -> list[int]:
    kept, parts, fewest = [], 0, 0
    for size, found in zip(sizes, cycles, strict=True):
        if -(-length // size) != parts or found < fewest:
            kept.append(size)
            parts, fewest = -(-length // size), found
    return kept


def thinned(sizes: list[int], lanes: int, most: int) -> list[int]:
    """Return at most so many of the sizes: the smallest, the largest, and evenly among those that fill the array."""
    if len(sizes) <= most:
        return sizes
    full = [size for size in sizes if size % lanes == 0] or sizes
    places = ascending(np.geomspace(1, len(full), most - 2).round().astype(int)) - 1
    return sorted({sizes[0], sizes[-1], *(full[place] for place in places)})


@lru_cache(maxsize=1 << 12)
def block_sizes(
    length: int, tiles: tuple[int, ...], every: bool, burst: int, alone: bool, most: int = MOST_BLOCKS
) -> np.ndarray:
    """Return for each tile a row of sizes of blocks, whole tiles or the length, which fills the row up.

    `every`: all of them, where they are few; `burst`: in elements, to which the size may be rounded up; `alone`: also
    those which leave a last block of a single tile.
    """
    base = finest(length, tiles)
    rows = [_sizes_of(length, tile, base, every, burst, alone, most) for tile in tiles]
    longest = max(map(len, rows))
    table = np.full((len(rows), longest), length, dtype=rows[0].dtype)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row
    return table


@lru_cache(maxsize=1 << 14)
def _sizes_of(length: int, tile: int, base: int, every: bool, burst: int, alone: bool, most: int) -> np.ndarray:
    """Return the sizes of blocks of a tile; the last one is the length."""
    kind = np.int64 if length < 1 << 62 else object
    parts = -(-length // tile)
    if every and parts <= FEW:
        sizes = [np.arange(1, parts, dtype=kind) * tile]
    else:
        steps = [tile, math.lcm(tile, burst)] if burst > 1 else [tile]
        evens = -(-length // block_numbers(length, base, most))
        sizes = [-(-evens // step) * step for step in steps]
    if alone and parts > 1:
        sizes.append(np.array(_divisors(parts - 1), dtype=kind) * tile)
    return ascending(np.append(np.minimum(np.concatenate(sizes), length), np.array(length, dtype=kind)))


@lru_cache(maxsize=1 << 12)
def block_numbers(length: int, base: int, most: int = MOST_BLOCKS) -> np.ndarray:
    """Return the numbers of blocks into which multiples of `base` cut an axis."""
    kind = np.int64 if length < 1 << 62 else object
    return np.array([-(-length // size) for size in counts(length, base, most)], dtype=kind)


def finest(length: int, tiles: Iterable[int]) -> int:
    """Return the size of which all tiles are multiples but those that are the whole axis."""
    return math.gcd(*(tile for tile in tiles if tile < length)) or length


def blocks_left_out(length: int, tiles: list[int], uneven: bool, kind: type) -> bool:
    """Return whether some sizes of blocks aren't tried; `uneven`: each has bytes of its own."""
    if uneven:
        return -(-length // tiles[0]) > FEW
    base, most = finest(length, tiles), most_blocks(kind)
    return length // base > most and len(counts(length, base, most)) > most + 1


def most_blocks(kind: type) -> int:
    """Return after how many sizes of blocks some are left out."""
    return MOST_BLOCKS if kind is np.int64 else MOST_BLOCKS // 16


def ascending(numbers: np.ndarray) -> np.ndarray:
    """Return the distinct numbers; np.unique does too, and loads numpy.ma first, which takes longer than a choice."""
    found = np.sort(numbers, axis=None)
    return found[np.append(True, found[1:] != found[:-1])] if len(found) else found


def _divisors(number: int) -> list[int]:
    if number > 1 << 20:
        return []
    small = [divisor for divisor in range(1, math.isqrt(number) + 1) if number % divisor == 0]
    return [*small, *(number // divisor for divisor in small)]
