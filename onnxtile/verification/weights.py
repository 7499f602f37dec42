"""Weights of a region that any numbers do for, and the slices of them that constants of the lowered side are.

A large constant that both sides read, or that the lowered side has in slices of the same bytes, is a variable of the
proof: the region is proven for all values of it. It's drawn as an outer product, u v^T: a polynomial that is linear in
a matrix's elements, and zero for all such matrices, is zero. (`Value.linear` holds the weights that a value is linear
in; where a product would make it quadratic in one, weights are taken as they are.)
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.verification.field import Field
from onnxtile.verification.opened import Opened
from onnxtile.verification.pairing import Region
from onnxtile.verification.value import NOWHERE, Array, Value

LARGE = 4096
"""Elements from which a constant is worth drawing."""
CHUNK = 1 << 17
SMALL = 64
"""Elements up to which a lowered constant may be something else than a slice of a weight."""


@dataclass(frozen=True)
class Cut:
    """Hold what a constant of the lowered side is of a weight, perhaps transposed.

    A slice from `start` on; or, if it has more than two axes, tiles, padded with zeros: `columns_first` says in which
    order the axes in front of them count them.
    """

    weight: str
    transposed: bool
    shape: tuple[int, ...]
    start: tuple[int, int] = (0, 0)
    columns_first: bool = False


@dataclass(frozen=True)
class Weights:
    """The original's constants that are drawn, and the lowered side's that are cut out of them."""

    drawn: frozenset[str] = frozenset()
    cuts: dict[str, Cut] = field(default_factory=dict)

    def values(self, region: Region, number_field: Field) -> tuple[dict[str, Value], dict[str, Value]]:
        """Return numbers for the constants of the original's side and of the lowered one."""
        ours: dict[str, Value] = {}
        for name in sorted(self.drawn):
            tensor = region.original.constants[name]
            ours[name] = Value.weight(number_field, ir.DataType(tensor.data_type), tuple(tensor.dims), name)
        theirs = {name: value for name, value in ours.items() if name in region.same}
        rows: dict[tuple[str, int, int], Array] = {}
        for name, cut in self.cuts.items():
            weight = ours[cut.weight]
            theirs[name] = _slice(cut, weight, rows) if len(cut.shape) == 2 else _tiles(cut, weight)
        return ours, theirs


def weights_of(region: Region, original: Opened, lowered: Opened) -> Weights:
    """Return the weights of a region that any numbers do for, as far as it's seen from here."""
    ours, theirs = region.original.constants, region.lowered.constants
    same = {name for name in region.same if _is_large(ours[name], original)}
    rest = {name: tensor for name, tensor in ours.items() if name not in region.same and _is_large(tensor, original)}
    slices = {
        name: tensor for name, tensor in theirs.items()
        if name not in region.same and len(tensor.dims) > 1 and all(tensor.dims)
        and ir.DataType(tensor.data_type).is_floating_point()
    }  # fmt: skip
    sources = {name: tensor for name, tensor in rest.items() if name not in theirs and len(tensor.dims) == 2}
    if not sources or not slices:
        return Weights(frozenset(same))
    searches = [_Search(name, original.array(tensor), slices) for name, tensor in sources.items()]
    cuts: dict[str, Cut] = {}
    order = dict.fromkeys(name for node in region.lowered.nodes for name in node.input if name in slices)
    for name in order | slices.keys():
        array = lowered.array(slices[name])
        cut = next((cut for search in searches if (cut := search.find(array)) is not None), None)
        if cut is not None:
            cuts[name] = cut
        elif array.size > SMALL:
            return Weights(frozenset(same))
    return Weights(frozenset(same | {cut.weight for cut in cuts.values()}), cuts)


def _is_large(tensor: onnx.TensorProto, opened: Opened) -> bool:
    """Return whether it's worth drawing, and any numbers do: products by infinities aren't to be distributed."""
    large = math.prod(tensor.dims) >= LARGE and ir.DataType(tensor.data_type).is_floating_point()
    return large and _is_finite(opened.array(tensor))


def _is_finite(array: Array) -> bool:
    """Return whether no element is infinite or NaN: none has all bits of its exponent set."""
    if array.dtype.itemsize not in (2, 4, 8):
        return bool(np.isfinite(array).all())
    plain = np.dtype(f"u{array.dtype.itemsize}")
    exponent, flat = np.array(np.inf, array.dtype).view(plain), np.asarray(array.view(plain)).reshape(-1)
    bits = np.empty(min(CHUNK, flat.size), plain)
    for at in range(0, flat.size, CHUNK):
        part = flat[at : at + CHUNK]
        if np.bitwise_and(part, exponent, out=bits[: len(part)]).max() == exponent:
            return False
    return True


class _Search:
    """Looks for constants in a matrix and in its transposed."""

    def __init__(self, name: str, array: Array, slices: dict[str, onnx.TensorProto]) -> None:
        self._name, self._dtype = name, array.dtype
        bits = array.view(f"u{array.dtype.itemsize}") if array.dtype.itemsize in (1, 2, 4, 8) else None
        self._matrices = [] if bits is None else [(False, bits), (True, bits.T)]
        matrices = [tensor.dims for tensor in slices.values() if len(tensor.dims) == 2]
        self._step = tuple(max((dims[axis] for dims in matrices), default=1) for axis in range(2))
        self._places: dict[bool, dict[int, deque[tuple[int, int]]]] = {}

    def find(self, array: Array) -> Cut | None:
        """Return what the constant is of the matrix, or None."""
        if array.dtype != self._dtype:
            return None
        bits = array.view(f"u{array.dtype.itemsize}")
        for transposed, matrix in self._matrices:
            if array.ndim == 2:
                start = self._slice(bits, matrix, transposed)
                if start is not None:
                    if transposed != self._matrices[0][0]:
                        self._matrices.reverse()  # the next one will be, too
                    return Cut(self._name, transposed, array.shape, start)
            for columns_first in (True, False) if array.ndim > 2 else ():
                if _is_tiled(bits, matrix, columns_first):
                    return Cut(self._name, transposed, array.shape, (0, 0), columns_first)
        return None

    def _slice(self, bits: Array, matrix: Array, transposed: bool) -> tuple[int, int] | None:
        """Look where a slice begins with the same element; of several places take one that wasn't taken yet."""
        if transposed not in self._places:
            self._places[transposed] = self._grid(matrix)
        waiting = self._places[transposed].get(int(bits[0, 0]))
        for _ in range(0 if waiting is None else len(waiting)):
            assert waiting is not None
            row, column = waiting[0]
            waiting.rotate(-1)
            piece = matrix[row : row + bits.shape[0], column : column + bits.shape[1]]
            if piece.shape == bits.shape and bool((piece == bits).all()):
                return row, column
        return None

    def _grid(self, matrix: Array) -> dict[int, deque[tuple[int, int]]]:
        rows, columns = self._step
        found: dict[int, deque[tuple[int, int]]] = {}
        for at, line in enumerate(matrix[::rows, ::columns].T.tolist()):
            for place, first in enumerate(line):
                found.setdefault(first, deque()).append((place * rows, at * columns))
        return found


def _is_tiled(bits: Array, matrix: Array, columns_first: bool) -> bool:
    """Return whether it's all tiles of a matrix, zeros behind its last row and column."""
    (rows, columns), (high, wide) = matrix.shape, bits.shape[-2:]
    if not bits.size or not matrix.size:
        return False
    counts = -(-rows // high), -(-columns // wide)
    if not _fits(bits.shape, counts, columns_first):
        return False
    tiles = bits.reshape(counts[1], counts[0], high, wide) if columns_first else bits.reshape(*counts, high, wide)
    tiles = tiles if columns_first else tiles.swapaxes(0, 1)
    full = columns // wide
    for row in range(counts[0]):
        strip = matrix[row * high : (row + 1) * high]
        used = len(strip)
        whole = strip[:, : full * wide].reshape(used, full, wide).swapaxes(0, 1)
        same = np.array_equal(tiles[:full, row, :used], whole) and not tiles[:, row, used:].any()
        for last in tiles[full:, row, :used]:
            rest = columns - full * wide
            same = same and np.array_equal(last[:, :rest], strip[:, full * wide :]) and not last[:, rest:].any()
        if not same:
            return False
    return True


def _fits(shape: tuple[int, ...], counts: tuple[int, int], columns_first: bool) -> bool:
    wanted = counts[::-1] if columns_first else counts
    return [size for size in shape[:-2] if size > 1] == [size for size in wanted if size > 1]


def _sides(cut: Cut, weight: Value) -> tuple[Array, Array]:
    """The column and the row whose product the weight is, or its transposed."""
    assert weight.outer is not None
    column, row = weight.outer
    return (row.swapaxes(-1, -2), column.swapaxes(-1, -2)) if cut.transposed else (column, row)


def _slice(cut: Cut, weight: Value, rows: dict[tuple[str, int, int], Array]) -> Value:
    """The value of a slice of a weight; slices that lie below each other have the same array for a row."""
    column, row = _sides(cut, weight)
    (top, left), (high, wide) = cut.start, cut.shape
    piece = rows.setdefault((f"{cut.weight} {cut.transposed}", left, wide), row[:, :, left : left + wide])
    return Value(
        weight.field, weight.dtype, cut.shape, outer=(column[:, top : top + high], piece), linear=weight.linear,
        _zeros=NOWHERE if weight.zeros is None else None,
    )  # fmt: skip


def _tiles(cut: Cut, weight: Value) -> Value:
    """The value of a weight in tiles."""
    column, row = _sides(cut, weight)
    high, wide = cut.shape[-2:]
    lengths = column.shape[1], row.shape[2]
    counts = -(-lengths[0] // high), -(-lengths[1] // wide)
    fronts = list(_fronts(cut.shape[:-2], counts, cut.columns_first))
    outer = _padded(column, fronts[0], high, 1), _padded(row, fronts[1], 1, wide)
    return Value(weight.field, weight.dtype, cut.shape, outer=outer, linear=weight.linear)


def _fronts(shape: tuple[int, ...], counts: tuple[int, int], columns_first: bool) -> Iterator[tuple[int, ...]]:
    """Yield the axes in front that count tiles of rows, then those that count tiles of columns."""
    axes = [axis for axis, size in enumerate(shape) if size > 1]
    order = (1, 0) if columns_first else (0, 1)
    counted = dict(zip([which for which in order if counts[which] > 1], axes, strict=True))
    for which in range(2):
        yield tuple(size if counted.get(which) == axis else 1 for axis, size in enumerate(shape))


def _padded(part: Array, front: tuple[int, ...], high: int, wide: int) -> Array:
    """A column or a row in tiles, zeros behind it."""
    flat = part.reshape(len(part), -1)
    padded = np.zeros((len(part), math.prod(front) * high * wide))
    padded[:, : flat.shape[1]] = flat
    return padded.reshape(len(part), *front, high, wide)
