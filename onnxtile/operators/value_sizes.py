"""Sizes of values: elements and bytes, or why they can't be told."""

from __future__ import annotations

import math

import onnx_ir as ir

from onnxtile.ir.dimensions import LARGEST
from onnxtile.ir.symbolic.amounts import Amount, Number, Unknown, are_numbers, bytes_of, multiplied, size_of
from onnxtile.operators.sizes import unknown_because


def dimensions(value: ir.Value | None) -> list[Number] | Unknown:
    """Return the sizes along a value's axes; Unknown where one of them isn't known before run time."""
    if value is None:
        return Unknown("an input is absent")
    shape, kind = value.shape, value.type
    # mostly a tensor, and quick to tell
    if shape is None or (type(kind) is not ir.TensorType and isinstance(kind, (ir.SequenceType, ir.OptionalType))):
        return Unknown(unknown_because(f"the shape of {value.name!r} isn't known", value))
    if are_numbers(shape.dims):
        return list(shape.dims)
    sizes: list[Number] = []
    for axis, dim in enumerate(shape):
        try:
            size = size_of(dim)
        except ValueError:
            return Unknown(f"axis {axis} of {value.name!r} is {str(dim)!r}, which is no formula")
        if size is None:
            return Unknown(unknown_because(f"axis {axis} of {value.name!r} isn't known before run time", value))
        sizes.append(size)
    return sizes


def elements(value: ir.Value | None) -> Amount:
    """Count the numbers that a value holds; an output that is left out has none."""
    if value is not None and value.name == "":
        return 0
    sizes = dimensions(value)
    if isinstance(sizes, Unknown):
        return sizes
    numbers = sizes if are_numbers(sizes) else [size for size in sizes if isinstance(size, int)]
    if math.prod(numbers) > LARGEST:
        return Unknown(f"{'' if value is None else value.name!r} has more elements than any memory holds")
    return multiplied(sizes)


def value_bytes(value: ir.Value) -> Amount:
    """Count the bytes of a value, numbers of fewer than 8 bits packed; an output that is left out has none."""
    if value.name == "":
        return 0
    count = elements(value)
    if isinstance(count, Unknown):
        return count
    dtype = value.dtype
    if dtype is None or dtype == ir.DataType.UNDEFINED:
        return Unknown(f"the type of {value.name!r} isn't known")
    if dtype == ir.DataType.STRING:
        return Unknown(f"{value.name!r} holds strings, whose lengths differ")
    return bytes_of(count, dtype.bitwidth)
