"""Operands made of whole numbers so small that every order of summation is exact.

A float holds every whole number up to 1/u, u being its unit round-off. Where the sum of the magnitudes of all terms
stays below that, so does every partial sum in any order, none is rounded, and two right ways to compute a product give
the same bits. Integers wrap around, which no order changes.

The numbers are odd: none is zero. Where the type has no room for so many terms, one operand is zero but for a part of
its elements, another part in each case, until each had its turn.
"""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from onnxtile.verification.roundoff import UNIT

WIDEST = 1 << 20
"""The largest magnitude that is taken: more tells no more."""


def capacity(dtype: ir.DataType) -> int:
    """The largest sum of magnitudes that is exact in any order."""
    return int(1 / UNIT[dtype] if dtype in UNIT else 2 ** (dtype.bitwidth - 2))


def magnitude(capacity: int, terms: int, operands: int) -> int:
    """The largest magnitude, 1 at least, with which a sum of so many products of so many operands is exact."""
    root = int((capacity / max(terms, 1)) ** (1 / operands))
    while root > 1 and terms * root**operands > capacity:
        root -= 1
    return min(max(root, 1), WIDEST)


def odd_numbers(rng: np.random.Generator, shape: tuple[int, ...], dtype: ir.DataType, most: int) -> np.ndarray:
    """Odd numbers from -most to most (unsigned types: from 1), evenly spread. `most` is 1 or more."""
    count = math.prod(shape)
    signed = not dtype.is_integer() or dtype.name.startswith("INT")
    if dtype.is_integer():
        most = min(most, int(np.iinfo(dtype.numpy()).max))
    choices = (most + 1) // 2 * (2 if signed else 1)  # 1, 3, ..., and their negatives
    few = 1 << (choices.bit_length() - 1)
    if few <= 64 and signed:  # a byte of randomness a number: weights have tens of millions of elements
        drawn = np.frombuffer(rng.bytes(count), np.uint8) & np.uint8(2 * few - 1) | np.uint8(1)
        drawn -= np.uint8(few)  # wraps around to the negative ones
        small: np.ndarray = drawn.view(np.int8).astype(dtype.numpy()).reshape(shape)
        return small
    numbers: np.ndarray = 2 * rng.integers(0, choices, shape) + 1 - choices * signed
    return numbers.astype(dtype.numpy())


def share(array: np.ndarray, part: int, parts: int, seed: int) -> np.ndarray:
    """The array with zeros but at the elements of one part of several, which are spread at random from `seed`."""
    if parts == 1:
        return array
    turns = np.random.default_rng(seed).integers(0, parts, array.shape, np.uint16)
    return np.where(turns == part, array, np.zeros((), array.dtype))
