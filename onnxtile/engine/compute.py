"""Cycles of a matrix unit, and the transfers between local memory and its array. docs/engine.md has the sources."""

from __future__ import annotations

from itertools import product as combinations

from onnxtile.engine.description import Axes, ProductUnit
from onnxtile.engine.product import Product


def parts(length: int, tile: int) -> list[tuple[int, int]]:
    """Return how often which size occurs where a length is cut into tiles."""
    whole, edge = divmod(length, tile)
    return [(count, size) for count, size in ((whole, tile), (1, edge)) if count and size]


def call_cycles(unit: ProductUnit, m: int, k: int, n: int) -> int:
    """Return the cycles of one call: a block of the held operand fills the array while the others stream past it."""
    rows, depth, columns = -(-m // unit.array.M), -(-k // unit.array.K), -(-n // unit.array.N)
    blocks, stream = {"A": (rows * depth, columns), "B": (depth * columns, rows), "C": (rows * columns, depth)}[
        unit.held
    ]
    cycles = blocks * (max(stream, unit.fill) if unit.fill_overlaps else stream + unit.fill)
    if unit.results:
        leaving = m * n * (1 if unit.held == "C" else depth)
        cycles = max(cycles, -(-leaving // unit.results))
    return cycles + unit.call


def compute_cycles(product: Product, unit: ProductUnit, tile: tuple[int, int, int]) -> int:
    """Return the cycles of all calls of one product of the batch."""
    cut = [parts(length, size) for length, size in zip(product.sizes, tile, strict=True)]
    return sum(i * j * h * call_cycles(unit, m, k, n) for (i, m), (j, k), (h, n) in combinations(*cut))


def padded_macs(product: Product, unit: ProductUnit, tile: tuple[int, int, int]) -> int:
    """Return the MACs of one product of the batch with its tiles padded to the multiples that a call takes."""
    total = 1
    for length, size, multiple in zip(product.sizes, tile, axes_of(unit.multiple), strict=True):
        total *= sum(count * -(-part // multiple) * multiple for count, part in parts(length, size))
    return total


def axes_of(axes: Axes) -> tuple[int, int, int]:
    """Return the numbers of M, K and N."""
    return axes.M, axes.K, axes.N


def local_bits(product: Product, unit: ProductUnit, tile: tuple[int, int, int], bits: dict[str, int]) -> int:
    """Return the bits that move between local memory and array for one product of the batch.

    The held operand goes in once a call. The others stream past each of its blocks; partial sums are written each time
    that they leave the array, and read each time but the first.
    """
    m, k, n = product.sizes
    calls = [-(-length // size) for length, size in zip(product.sizes, tile, strict=True)]
    passes = [
        sum(count * -(-part // lanes) for count, part in parts(length, size))
        for length, size, lanes in zip(product.sizes, tile, axes_of(unit.array), strict=True)
    ]
    again = {
        "A": (calls[2], passes[0], passes[1]),
        "B": (passes[2], calls[0], passes[1]),
        "C": (passes[2], passes[0], calls[1]),
    }
    a, b, sums = again[unit.held]
    return m * k * bits["A"] * a + k * n * bits["B"] * b + m * n * bits["S"] * max(2 * sums - 1, 0)
