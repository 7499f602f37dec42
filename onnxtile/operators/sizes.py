"""Sizes of products and of values, some of them symbolic: what they're read from, and their arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache

import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import UnsizedError, input_of, node_name
from onnxtile.ir.dimensions import LARGEST
from onnxtile.ir.metadata import UNKNOWN_META
from onnxtile.ir.symbolic.amounts import (
    Amount,
    Dim,
    Number,
    Unknown,
    are_numbers,
    bytes_of,
    multiplied,
    size_of,
    symbol,
)


@dataclass(frozen=True)
class Size:
    """Elements along each axis of the normal form; `batch` counts the independent products.

    `written`: how many of them a lowered model multiplies, where it's more than the batch; else None.
    """

    m: Dim
    k: Dim
    n: Dim
    batch: Dim
    written: Dim = None

    @property
    def multiplied(self) -> Dim:
        """Return how many independent products a lowered model multiplies."""
        return self.batch if self.written is None else self.written

    @property
    def axes(self) -> tuple[Dim, Dim, Dim]:
        return (self.m, self.k, self.n)


UNSIZED = Size(None, None, None, None)


def shape(node: ir.Node, index: int, axes: int | None = None, least: int = 0) -> list[Dim]:
    """Return the sizes of an input; ModelError where it hasn't `axes` axes, or `least`, UnsizedError: not known."""
    value = input_of(node, index)
    if value is None or value.shape is None:
        known = "isn't known" if value is None else unknown_because("isn't known", value)
        raise UnsizedError(f"the shape of input {index} ({value.name if value is not None else 'absent'!r}) {known}")
    rank = len(value.shape)
    if rank < least or (axes is not None and rank != axes):
        words = f"input {index} has {rank} axes, not {f'{least} or more' if axes is None else axes}"
        raise ModelError(f"{node.op_type} {node_name(node)!r}: {words}")
    return [read_size(dim) for dim in value.shape]


def read_size(dim: int | ir.SymbolicDim) -> Dim:
    """Return a dimension as a size; what can't be read as a formula is a name."""
    try:
        return size_of(dim)
    except ValueError:
        return symbol(str(dim))


def unknown_because(words: str, value: ir.Value) -> str:
    """Return the words, and why the value's sizes aren't known, where inference noted it."""
    reason = value.meta.get(UNKNOWN_META)
    return f"{words}: {reason}" if reason else words


@contextmanager
def noting_shared() -> Iterator[list[tuple[Dim, Dim]]]:
    """Note what `same` is asked meanwhile: pairs of sizes that an operator wants to be equal."""
    pairs: list[tuple[Dim, Dim]] = []
    token = _SHARED.set(pairs)
    try:
        yield pairs
    finally:
        _SHARED.reset(token)


_SHARED: ContextVar[list[tuple[Dim, Dim]] | None] = ContextVar("_SHARED", default=None)


def same(node: ir.Node, axis: str, left: Dim, right: Dim) -> Dim:
    """Return the size of an axis that two operands share; a number says more than a formula."""
    noted = _SHARED.get()
    if noted is not None:
        noted.append((left, right))
    return _agreed(node, axis, left, right)


def _agreed(node: ir.Node, axis: str, left: Dim, right: Dim) -> Dim:
    if isinstance(left, int) and isinstance(right, int) and left != right:
        raise ModelError(f"{node.op_type} {node_name(node)!r}: its operands contradict, {axis} is {left} and {right}")
    return left if isinstance(left, int) or right is None else right


def count_of(dims: Sequence[Dim]) -> Dim:
    """Return the product; None where a size isn't known."""
    numbers = [dim for dim in dims if dim is not None]
    return multiplied(numbers) if len(numbers) == len(dims) else None


def sum_of(dims: Sequence[Dim]) -> Dim:
    """Return the sum; None where a size isn't known."""
    numbers = [dim for dim in dims if dim is not None]
    return sum(numbers) if len(numbers) == len(dims) else None


def quotient(node: ir.Node, what: str, dim: Dim, by: Dim) -> Dim:
    """Return `dim / by`, which the operator wants whole: ModelError where it isn't. `what`: the size that's divided."""
    if dim is None or by is None:
        return None
    if isinstance(by, int) and by < 1:
        raise ModelError(f"{node.op_type} {node_name(node)!r}: its {what} is divided by {by}, which isn't 1 or more")
    if not isinstance(dim, int) or not isinstance(by, int):
        return dim / by
    if dim % by:
        raise ModelError(f"{node.op_type} {node_name(node)!r}: its {what}, {dim}, isn't a multiple of {by}")
    return dim // by


def broadcast(node: ir.Node, left: list[Dim], right: list[Dim]) -> Dim:
    """Return the number of products of two broadcast batch shapes (numpy.matmul's rule)."""
    short, long = sorted((left, right), key=len)
    short = [*[1] * (len(long) - len(short)), *short]
    return count_of(
        [
            y if x == 1 else x if y == 1 else _agreed(node, "a batch axis", x, y)
            for x, y in zip(short, long, strict=True)
        ]
    )


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


@lru_cache(maxsize=4096)
def _bytes_of_numbers(sizes: tuple[int, ...], dtype: ir.DataType) -> Amount | None:
    """Return the bytes of a tensor of that shape, mostly one of few; None where they can't be told."""
    count = math.prod(sizes)
    known = count <= LARGEST and dtype not in (ir.DataType.UNDEFINED, ir.DataType.STRING)
    return bytes_of(count, dtype.bitwidth) if known else None


def value_bytes(value: ir.Value) -> Amount:
    """Count the bytes of a value, numbers of fewer than 8 bits packed; an output that is left out has none."""
    if value.name == "":
        return 0
    shape, kind = value.shape, value.type
    if shape is not None and type(kind) is ir.TensorType and are_numbers(dims := shape.dims):
        size = _bytes_of_numbers(dims, kind.dtype)
        if size is not None:
            return size
    count = elements(value)
    if isinstance(count, Unknown):
        return count
    dtype = value.dtype
    if dtype is None or dtype == ir.DataType.UNDEFINED:
        return Unknown(f"the type of {value.name!r} isn't known")
    if dtype == ir.DataType.STRING:
        return Unknown(f"{value.name!r} holds strings, whose lengths differ")
    return bytes_of(count, dtype.bitwidth)
