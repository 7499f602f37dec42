"""Cycles of a matrix unit, and the transfers between local memory and its array. docs/engine.md has the sources.

Sizes of tiles may be whole numbers, or arrays that numpy broadcasts: (M, 1, 1), (K, 1) and (N), for all combinations.
"""

from __future__ import annotations

from itertools import product as combinations
from typing import Any

from onnxtile.engine.description import BITS, Axes, Operand, ProductUnit
from onnxtile.engine.product import Product

Sizes = Any
"""A whole number, or an array of them."""
STREAMS: dict[Operand, int] = {"A": 2, "B": 0, "C": 1}
"""The axis, of M, K and N, that streams past a block of the held operand."""


def compute_cycles(product: Product, unit: ProductUnit, tile: tuple[Sizes, Sizes, Sizes]) -> Sizes:
    """Return the cycles of all calls of one product of the batch.

    Where B is held, a call takes a pass for each of ceil(K/k) * ceil(N/n) blocks of it; a pass takes ceil(M/m) cycles
    or the fill, whichever is more, and their sum where the fill isn't overlapped. A and C likewise. Results leave the
    array meanwhile: once a call where C is held, else for each block of K.
    """
    if unit.results is None:
        calls = [-(-length // size) for length, size in zip(product.sizes, tile, strict=True)]
        m, k, n = (tile_cycles(product.sizes[axis], tile[axis], unit, axis) for axis in range(3))
        return m * k * n + unit.call * calls[0] * calls[1] * calls[2]
    halves = [((length // size, size), (1, length % size)) for length, size in zip(product.sizes, tile, strict=True)]
    total = 0
    for parts in combinations(*halves):
        (of_m, m), (of_k, k), (of_n, n) = parts
        exists = (m > 0) & (k > 0) & (n > 0)
        total = total + of_m * of_k * of_n * exists * call_cycles(unit, m, k, n)
    return total


def least_cycles(product: Product, unit: ProductUnit, tiles: tuple[Sizes, Sizes, Sizes]) -> list[Sizes]:
    """Return for sizes of calls along M, K and N cycles of one product of the batch that no such calls go below.

    The sizes along the other two axes are any of `tiles`.
    """
    factors = [tile_cycles(product.sizes[axis], sizes, unit, axis) for axis, sizes in enumerate(tiles)]
    calls = [-(-length // sizes) for length, sizes in zip(product.sizes, tiles, strict=True)]
    found = []
    for axis in range(3):
        others = [other for other in range(3) if other != axis]
        least, fewest = (parts[others[0]].min() * parts[others[1]].min() for parts in (factors, calls))
        found.append(factors[axis] * least + unit.call * calls[axis] * fewest)
    return found


def call_cycles(unit: ProductUnit, m: Sizes, k: Sizes, n: Sizes) -> Sizes:
    """Return the cycles of one call."""
    cycles = _cycles(m, unit, 0) * _cycles(k, unit, 1) * _cycles(n, unit, 2)
    if unit.results is not None:
        leaving = m * n * (1 if unit.held == "C" else -(-k // unit.array.K))
        cycles = _larger(cycles, -(-leaving // unit.results))
    return cycles + unit.call


def tile_cycles(length: int, size: Sizes, unit: ProductUnit, axis: int) -> Sizes:
    """Return the factor of an axis, of M, K and N, in the cycles of all tiles: of whole ones, and of the last."""
    edge = length % size
    return length // size * _cycles(size, unit, axis) + (edge > 0) * _cycles(edge, unit, axis)


def _cycles(size: Sizes, unit: ProductUnit, axis: int) -> Sizes:
    """Return how many blocks of the held operand there are along an axis; or the cycles of a pass, where it streams."""
    blocks = -(-size // axes_of(unit.array)[axis])
    if axis != STREAMS[unit.held]:
        return blocks
    return _larger(blocks, unit.fill) if unit.fill_overlaps else blocks + unit.fill


def _larger(one: Sizes, other: Sizes) -> Sizes:
    return one + (other - one) * (other > one)


def padded_macs(product: Product, unit: ProductUnit, tile: tuple[int, int, int]) -> int:
    """Return the MACs of one product of the batch with its tiles padded to the multiples that a call takes."""
    total = 1
    for length, size, multiple in zip(product.sizes, tile, axes_of(unit.multiple), strict=True):
        total *= length // size * (-(-size // multiple) * multiple) + -(-(length % size) // multiple) * multiple
    return total


def local_bits(product: Product, unit: ProductUnit, tile: tuple[Sizes, Sizes, Sizes]) -> Sizes:
    """Return the bits that move between local memory and array for one product of the batch.

    The held operand goes in once a call. The others stream past each of its blocks; partial sums are written each time
    that they leave the array, and read each time but the first.
    """
    m, k, n = product.sizes
    calls = [-(-length // size) for length, size in zip(product.sizes, tile, strict=True)]
    blocks = [
        length // size * -(-size // lanes) + -(-(length % size) // lanes)
        for length, size, lanes in zip(product.sizes, tile, axes_of(unit.array), strict=True)
    ]
    a, b, sums = {
        "A": (calls[2], blocks[0], blocks[1]),
        "B": (blocks[2], calls[0], blocks[1]),
        "C": (blocks[2], blocks[0], calls[1]),
    }[unit.held]
    bits_a, bits_b = (BITS[name] for name in product.types)
    of_sums = m * n * BITS[unit.accumulate] * (2 * sums - 1) if k else 0
    return m * k * bits_a * a + k * n * bits_b * b + of_sums


def axes_of(axes: Axes) -> tuple[int, int, int]:
    """Return the numbers of M, K and N."""
    return axes.M, axes.K, axes.N
