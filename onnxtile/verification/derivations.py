"""How constants of a lowered model follow from those of the original: a slice, tiles of it, a multiple, an attribute.

That a tile holds the original's bytes is checked here, on the real weights. What's done with the tiles is proven
elsewhere with other numbers, which are cut in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import TypeAlias

import numpy as np
import onnx_ir as ir

Shape: TypeAlias = tuple[int, ...]
Box: TypeAlias = tuple[tuple[int, "int | None"], ...]
"""Start and stop (None: the end) along the last axes."""
MOST_AXES = 5
"""Axes of a constant whose orders are all tried."""


@dataclass(frozen=True)
class Cut:
    """The original's constant with its axes in another order, as an array of `matrix`; a box of its last axes.

    `shape` is that of the result: what the box lacks of it is zeros. `grid`: the result holds all tiles of a matrix of
    side A or B one after the other, [*batch, m-tiles, n-tiles, k-tiles, rows, columns].
    """

    source: str
    order: Shape
    matrix: Shape
    shape: Shape
    box: Box = ()
    grid: str = ""

    def of(self, constants: Mapping[str, np.ndarray]) -> np.ndarray:
        """The derived constant; a view where nothing is filled in."""
        array = constants[self.source].transpose(self.order).reshape(self.matrix)
        if self.grid:
            return self._tiles(array)
        piece = array[(Ellipsis,) + tuple(slice(*each) for each in self.box)]  # noqa: RUF005  # mypy reads it as Python 3.10
        missing = [wanted - size for wanted, size in zip(self.shape, piece.shape, strict=True)]
        return np.pad(piece, [(0, more) for more in missing]) if any(missing) else piece

    def _tiles(self, array: np.ndarray) -> np.ndarray:
        *batch, rows, columns = array.shape
        axes, (tile_rows, tile_columns) = len(batch), self.shape[-2:]
        tiles = self.shape[axes:-2]
        row_tiles = tiles[0] if self.grid == "A" else (tiles[2] if len(tiles) > 2 else 1)
        column_tiles = tiles[1] if self.grid == "B" else (tiles[2] if len(tiles) > 2 else 1)
        ends = [(0, row_tiles * tile_rows - rows), (0, column_tiles * tile_columns - columns)]
        array = np.pad(array, [*[(0, 0)] * axes, *ends]) if any(more for _, more in ends) else array
        array = array.reshape(*batch, row_tiles, tile_rows, column_tiles, tile_columns)
        # A: m-tiles before k-tiles, as they come; B: n-tiles before k-tiles
        first, second = (axes, axes + 2) if self.grid == "A" else (axes + 2, axes)
        tiles_first: np.ndarray = array.transpose(*range(axes), first, second, axes + 1, axes + 3)
        return tiles_first.reshape(self.shape)


@dataclass(frozen=True)
class Multiple:
    """The original's constant, its axes in another order, perhaps of another shape, times one of its node's attributes.

    `factor` is empty where it's as it is.
    """

    source: str
    order: Shape
    shape: tuple[int, ...]
    factor: str = ""

    def of(self, constants: Mapping[str, np.ndarray], factors: Mapping[str, float]) -> np.ndarray:
        array: np.ndarray = constants[self.source].transpose(self.order).reshape(self.shape)
        # numpy makes a number of an array without axes
        return np.asarray(array * np.array(factors[self.factor], array.dtype)) if self.factor else array


@dataclass(frozen=True)
class Factor:
    """An attribute of the original's node, as a constant."""

    factor: str
    shape: tuple[int, ...]
    dtype: ir.DataType

    def of(self, factors: Mapping[str, float]) -> np.ndarray:
        return np.full(self.shape, factors[self.factor]).astype(self.dtype.numpy())


Derivation: TypeAlias = "Cut | Multiple | Factor"


def derive(derivation: Derivation, constants: Mapping[str, np.ndarray], factors: Mapping[str, float]) -> np.ndarray:
    """The derived constant of these constants and attributes."""
    if isinstance(derivation, Factor):
        return derivation.of(factors)
    return derivation.of(constants, factors) if isinstance(derivation, Multiple) else derivation.of(constants)


def cuts(
    boxes: Mapping[str, Box], shapes: Mapping[str, Shape], source: str, shape: Shape, any_order: bool
) -> Iterator[dict[str, Cut]]:
    """Ways in which tiles may be boxes of a constant of `shape`; `shapes` are those of the tiles.

    `any_order`: of its axes, merged as needed, as an einsum may have it; otherwise as it is, or transposed.
    """
    first = next(iter(boxes))
    axes = len(boxes[first])
    if len(shapes[first]) < axes:
        return
    sizes = shapes[first][-axes:]
    ends = tuple(max(box[axis][1] or sizes[axis] for box in boxes.values()) for axis in range(axes))
    found = []
    for order in orders(len(shape), any_order):
        turned = tuple(shape[axis] for axis in order)
        merged = (*shapes[first][:-axes], *ends)
        for matrix in dict.fromkeys((turned, merged) if any_order or len(shape) == 1 else (turned,)):
            if len(matrix) == len(shapes[first]) and math.prod(matrix) == math.prod(shape):
                way = {name: Cut(source, order, matrix, shapes[name], box) for name, box in boxes.items()}
                if all(map(_is_box, way.values())):
                    found.append((sum(abs(end - size) for end, size in zip(ends, matrix[-axes:], strict=True)), way))
    # the boxes should end where the matrix does, or behind it where they're padded
    yield from (way for _, way in sorted(found, key=lambda pair: pair[0]))


def grids(result: Shape, source: str, shape: Shape, any_order: bool) -> Iterator[Cut]:
    """Ways in which a constant of `shape` may have been laid out as tiles one after the other."""
    for order in orders(len(shape), any_order) if shape else ():
        turned = tuple(shape[axis] for axis in order)
        for side in "AB":
            matrices = [turned]
            if len(shape) == 1:
                matrices = [(1, *turned) if side == "A" else (*turned, 1)]
            elif any_order:
                matrices += [(math.prod(turned[:cut]), math.prod(turned[cut:])) for cut in range(1, len(turned))]
            for matrix in dict.fromkeys(matrices):
                cut = Cut(source, order, matrix, result, grid=side)
                if _is_grid(cut):
                    yield cut


def orders(rank: int, any_order: bool) -> Iterator[tuple[int, ...]]:
    """Orders of axes: as they are, the last two swapped, then any other."""
    plain = tuple(range(rank))
    yield plain
    if rank > 1:
        swapped = (*plain[:-2], rank - 1, rank - 2)
        yield swapped
        if any_order and rank <= MOST_AXES:
            yield from (order for order in permutations(plain) if order not in (plain, swapped))


def _is_box(cut: Cut) -> bool:
    sizes = list(cut.matrix)
    for axis, (start, stop) in enumerate(cut.box, len(sizes) - len(cut.box)):
        sizes[axis] = (sizes[axis] if stop is None else stop) - start
    return tuple(sizes) == cut.shape


def _is_grid(cut: Cut) -> bool:
    """Whether the result has room for the matrix, and for no row or column of tiles more."""
    *batch, rows, columns = cut.matrix
    tiles, (tile_rows, tile_columns) = cut.shape[len(batch) : -2], cut.shape[-2:]
    if len(tiles) not in (2, 3) or list(cut.shape[: len(batch)]) != batch:
        return False
    along_k = tiles[2] if len(tiles) > 2 else 1
    counts, other = ((tiles[0], along_k), tiles[1]) if cut.grid == "A" else ((along_k, tiles[1]), tiles[0])
    sides = zip(counts, (tile_rows, tile_columns), (rows, columns), strict=True)
    return other == 1 and all((count - 1) * tile < max(size, 1) <= count * tile for count, tile, size in sides)
