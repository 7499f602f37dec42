"""Reshape to sizes that are made of another value's: numbers where these are known, else computed at run time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import onnx_ir as ir

from onnxtile.ir.symbolic.amounts import Dim
from onnxtile.operators.sizes import count_of
from onnxtile.passes.rewrites.moves import Moves, dims_of
from onnxtile.tiling.opset_compat import ALLOWS_ZEROS

INT64 = ir.DataType.INT64


@dataclass(frozen=True)
class Along:
    """A size that is linear in that of the value along an axis: factor * size + more."""

    axis: int
    factor: int = 1
    more: int = 0


AnySize = int | Along


class RunTimeSizes:
    """Sizes of a value, and shapes that are made of them."""

    def __init__(self, moves: Moves, value: ir.Value, opset: int) -> None:
        self._moves, self._value, self._dims, self._opset = moves, value, dims_of(value), opset
        self._shape: ir.Value | None = None

    def dim(self, size: AnySize) -> Dim:
        if isinstance(size, int):
            return size
        own = self._dims[size.axis]
        return None if own is None else own * size.factor + size.more

    def reshape(self, leaf: str, value: ir.Value, sizes: Sequence[AnySize]) -> ir.Value:
        dims = [self.dim(size) for size in sizes]
        if dims == dims_of(value) and None not in dims:
            return value
        return self._node(leaf, value, self.vector(f"{leaf}_shape", sizes), dims)

    def join(self, leaf: str, value: ir.Value, front: Sequence[AnySize], sizes: Sequence[AnySize]) -> ir.Value:
        """Reshape to `front`, and the product of `sizes` behind it."""
        moves, count = self._moves, count_of([self.dim(size) for size in sizes])
        if isinstance(count, int):
            return self.reshape(leaf, value, [*front, count])
        lengths = self.vector(f"{leaf}_lengths", sizes)
        last = moves.node("ReduceProd", f"{leaf}_count", [lengths], [1], {"keepdims": 1})
        shape = moves.concat(f"{leaf}_shape", [self.vector(f"{leaf}_front", front), last], 0)
        return self._node(leaf, value, shape, [*map(self.dim, front), count])

    def _node(self, leaf: str, value: ir.Value, shape: ir.Value, dims: Sequence[Dim]) -> ir.Value:
        """Add a Reshape, to sizes of 0 as well where they're known at run time only."""
        plain = self._opset < ALLOWS_ZEROS or all(isinstance(dim, int) for dim in dims)
        return self._moves.node("Reshape", leaf, [value, shape], dims, {} if plain else {"allowzero": 1})

    def vector(self, leaf: str, sizes: Sequence[AnySize]) -> ir.Value:
        """Return the sizes as a vector: a constant where all are known."""
        moves = self._moves
        known = [dim for dim in map(self.dim, sizes) if isinstance(dim, int)]
        if len(known) == len(sizes):
            return moves.numbers(leaf, known)
        pieces = []
        for index, (is_number, run) in enumerate(groupby(sizes, lambda size: isinstance(size, int))):
            piece = f"{leaf}_{index}"
            numbers = [size for size in run if isinstance(size, int)] if is_number else []
            pieces.append(moves.numbers(piece, numbers) if is_number else self._linear(piece, run))
        return moves.concat(leaf, pieces, 0)

    def _linear(self, leaf: str, sizes: Iterable[AnySize]) -> ir.Value:
        """Compute sizes that are known at run time."""
        moves, parts = self._moves, [size for size in sizes if isinstance(size, Along)]
        if self._shape is None:
            self._shape = moves.new.node("Shape", "sizes", [self._value], None, ir.Shape([len(self._dims)]), INT64)
        axes = moves.numbers(f"{leaf}_axes", [part.axis for part in parts])
        made = moves.node("Gather", f"{leaf}_sizes", [self._shape, axes], [len(parts)], {"axis": 0})
        for op_type, numbers in (("Mul", [part.factor for part in parts]), ("Add", [part.more for part in parts])):
            if any(number != (op_type == "Mul") for number in numbers):
                operand = moves.numbers(f"{leaf}_{op_type.lower()}_by", numbers)
                made = moves.node(op_type, f"{leaf}_{op_type.lower()}", [made, operand], [len(parts)])
        return made
