"""Inputs for a model, from a seed."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import onnx_ir as ir

from onnxtile.errors import ModelError, UnsupportedError
from onnxtile.ir.arrays import MOST_AXES
from onnxtile.ir.attributes import attribute_int
from onnxtile.ir.dimensions import fed_inputs
from onnxtile.ir.io.checker import one_line
from onnxtile.ir.io.load import check_regular

Kind = Literal["normal", "whole", "wide"]
PASSING = ("Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Flatten")
"""Operators whose output holds the elements of their first input."""
MAGNITUDES = (-6, 6)
"""Powers of ten between which numbers of any magnitude are: functions saturate and vanish there."""
MOST_ELEMENTS = 1 << 29
"""Numbers that are made up for a model, or a proof: a few bytes of a file can ask for any size."""
MOST_TURNS = 7
"""Turns of loops that inputs ask for: few, and yet more than a fault needs that the first turns don't show."""
UNBOUND = 2
"""The size taken for a free dimension that isn't bound: one that would show a mix-up of axes."""


def feeds(model: ir.Model, kind: Kind, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A value for each input that must be fed.

    Floats are normal, or whole numbers from -3 to 3, or of any magnitude, with halves among them; integers lie within
    the table that they index, where they index one, and are 0 or 1 otherwise (8-bit ones take their whole range).
    Shapes must be known but for free dimensions; the model's own should have been inferred. Raises UnsupportedError for
    an input that isn't a tensor of numbers, or whose rank isn't known, and for more numbers than are made up.
    """
    made: dict[str, np.ndarray] = {}
    for value in fed_inputs(model):
        made[str(value.name)] = _feed(value, kind, rng, MOST_ELEMENTS - sum(array.size for array in made.values()))
    return made


def _feed(value: ir.Value, kind: Kind, rng: np.random.Generator, most: int) -> np.ndarray:
    if value.shape is None or value.dtype is None or not isinstance(value.type, ir.TensorType):
        raise UnsupportedError(f"input {value.name!r} isn't a tensor of known rank: no value can be made up for it")
    shape = [size if isinstance(size, int) and size >= 0 else UNBOUND for size in value.shape]
    if math.prod(shape) > most or len(shape) > MOST_AXES:
        sizes = "x".join(map(str, shape[:MOST_AXES])) + ("" if len(shape) <= MOST_AXES else "x...")
        bound = f"at most {MOST_ELEMENTS:,} numbers on {MOST_AXES} axes are made up for a model"
        cure = "bind smaller sizes (--bind), or give inputs (--input FILE.npz)"
        raise UnsupportedError(f"input {value.name!r} is {sizes}, and {bound}: {cure}")
    if value.dtype.is_floating_point():
        numbers = _floats(kind, shape, rng)
    elif value.dtype == ir.DataType.BOOL:
        numbers = rng.integers(0, 2, shape)
    elif value.dtype.is_integer():
        numbers = rng.integers(*_range(value), shape)
    else:
        raise UnsupportedError(f"input {value.name!r} holds {value.dtype.name}: no value can be made up for it")
    with np.errstate(over="ignore"):  # infinity is what a narrow type has for a large number
        return np.asarray(numbers).astype(value.dtype.numpy())


def _floats(kind: Kind, shape: list[int], rng: np.random.Generator) -> np.ndarray:
    if kind == "whole":
        return rng.integers(-3, 4, shape)
    if kind == "normal":
        return rng.standard_normal(shape)
    wide = rng.standard_normal(shape) * 10.0 ** rng.uniform(*MAGNITUDES, shape)
    return np.where(rng.integers(0, 2, shape) == 0, wide, rng.integers(-600, 601, shape) / 2)


def _range(value: ir.Value) -> tuple[int, int]:
    """Integers that the model can take: indices of the smallest table that they're used on, or 0 and 1."""
    assert value.dtype is not None
    uses = list(_indexers(value))
    tables = [size for node in uses if (size := _length(node)) is not None]
    if tables:
        return 0, max(1, min(tables))
    if uses:
        return 0, MOST_TURNS + 1
    if value.dtype.bitwidth == 8:
        info = np.iinfo(value.dtype.numpy())
        return int(info.min), int(info.max) + 1
    return 0, 2


def _indexers(value: ir.Value) -> Iterator[ir.Node]:
    """Gathers that take the value as indices, perhaps after it was cast or shaped anew; and Loops, as their turns."""
    waiting = [value]
    while waiting:  # without recursion: a file may hold any chain
        for use in waiting.pop().uses():
            if (use.node.op_type, use.idx) in (("Gather", 1), ("Loop", 0)):
                yield use.node
            elif use.node.op_type in PASSING and use.idx == 0:
                waiting.extend(use.node.outputs)


def _length(gather: ir.Node) -> int | None:
    table = gather.inputs[0]
    if gather.op_type != "Gather" or table is None or table.shape is None:
        return None
    axis = attribute_int(gather, "axis", 0)
    if not -len(table.shape) <= axis < len(table.shape):
        return None
    size = table.shape[axis]
    return size if isinstance(size, int) else None


def read_inputs(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file; ModelError where it can't be read, and for arrays that would run code."""
    check_regular(path, "an .npz file")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, AttributeError, TypeError) as error:
        raise ModelError(f"{path}: not an .npz file of plain arrays: {one_line(error)}") from error
