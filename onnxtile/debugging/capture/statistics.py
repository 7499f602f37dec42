"""Describe the numbers of a value, and store them in types that numpy has."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import onnx_ir as ir

from onnxtile.debugging.capture.report import CapturedValue, Number

BLOCK = 1 << 20
"""Elements that are looked at together: what is computed of them takes memory too."""
FIRST, MOST_TEXT = 3, 40
"""Elements that are shown, and characters of each."""


class Numbers(NamedTuple):
    """The smallest, greatest and mean of the finite numbers; how many are NaN or infinite."""

    min: Number
    max: Number
    mean: Number
    nan: int
    infinite: int


def described(value: str, node: str, op: str, array: np.ndarray, dtype: ir.DataType, nodes: int = 1) -> CapturedValue:
    """Return the row of a captured value, whose elements are of `dtype`."""
    text = dtype == ir.DataType.STRING
    first = (element if isinstance(element, str) else element.item() for element in array.reshape(-1)[:FIRST])
    return CapturedValue(
        value, node, op, nodes,
        "string" if text else str(dtype.numpy()),
        array.shape,
        array.nbytes if text else -(-array.size * dtype.bitwidth // 8),
        *numbers_of(array, dtype),
        tuple(map(shown, first)),
    )  # fmt: skip


def numbers_of(array: np.ndarray, dtype: ir.DataType) -> Numbers:
    """Return what the numbers are like; text has none.

    The mean is float64's, None where their sum leaves it. Complex numbers have no smallest, greatest or mean.
    """
    flat = array.reshape(-1)
    if dtype == ir.DataType.STRING:
        return Numbers(None, None, None, 0, 0)
    if array.dtype.kind == "c":
        return Numbers(None, None, None, int(np.isnan(flat).sum()), int(np.isinf(flat).sum()))
    least, greatest, total, count, nan = [], [], 0.0, 0, 0
    for start in range(0, flat.size, BLOCK):
        block = flat[start : start + BLOCK]
        if dtype.is_floating_point():
            block = block.astype(np.float64)
            nan += int(np.isnan(block).sum())
            block = block[np.isfinite(block)]
        elif not _is_plain(block):
            block = block.astype(np.int64)
        if block.size:
            least.append(block.min().item())
            greatest.append(block.max().item())
            with np.errstate(over="ignore"):
                total += float(block.sum(dtype=np.float64))
            count += block.size
    if not count:
        return Numbers(None, None, None, nan, flat.size - nan)
    mean = total / count
    extremes = (min(least), max(greatest))
    low, high = extremes if dtype.is_floating_point() else map(int, extremes)
    return Numbers(low, high, mean if math.isfinite(mean) else None, nan, flat.size - count - nan)


def shown(number: Any) -> str:
    """Return a number in few characters; the beginning of text, in quotes."""
    if isinstance(number, str):
        return repr(number[:MOST_TEXT])
    return f"{number:.4g}" if isinstance(number, float) else str(number)


def storable(array: np.ndarray) -> tuple[np.ndarray, str | None]:
    """Return the array in a type that numpy's files hold, and how it is stored where that's another."""
    if _is_plain(array):
        return array, None
    dtype = ir.DataType.from_numpy(array.dtype)
    if dtype.is_integer():
        plain = np.dtype(np.int8 if dtype.is_signed() else np.uint8)
        return array.astype(plain), f"numbers in {plain}"
    plain = np.dtype(f"u{array.dtype.itemsize}")
    return array.view(plain), f"bits in {plain}"


def _is_plain(array: np.ndarray) -> bool:
    """Return whether an array's type is numpy's own."""
    return array.dtype.isbuiltin != 2
