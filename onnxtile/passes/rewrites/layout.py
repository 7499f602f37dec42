"""An operand on its way to another layout: by nodes at run time, or ahead of time where it's a constant."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from onnxtile.ir.arrays import last_axes_swapped, little_endian, read_array
from onnxtile.ir.symbolic.amounts import Dim, dimension
from onnxtile.operators.sizes import read_size
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.forms.batched import SUMMED_AS


class _Move(NamedTuple):
    """One change of layout: its node, the numbers that this reads behind its operand, and the same in numpy."""

    op_type: str
    attributes: dict[str, int | list[int]]
    numbers: list[list[int]]
    apply: Callable[[np.ndarray], np.ndarray]
    dims: list[Dim]
    dtype: ir.DataType


class Layout:
    """Axes of a value, a letter each, and the moves that bring them into order; moves that do nothing are left out."""

    def __init__(self, value: ir.Value, letters: Sequence[str]) -> None:
        assert value.shape is not None and value.dtype is not None
        self.letters, self.dims = list(letters), [read_size(dim) for dim in value.shape]
        self._value, self._dtype = value, value.dtype
        self._moves: list[_Move] = []

    def arrange(self, letters: Sequence[str]) -> None:
        """Transpose the axes into this order; a letter that repeats keeps its axes in theirs."""
        left = list(range(len(self.letters)))
        perm = []
        for letter in letters:
            axis = next(axis for axis in left if self.letters[axis] == letter)
            left.remove(axis)
            perm.append(axis)
        if perm != sorted(perm):
            dims = [self.dims[axis] for axis in perm]
            self._move("Transpose", {"perm": perm}, [], lambda array: array.transpose(perm), dims)
        self.letters = list(letters)

    def diagonal(self) -> None:
        """Leave the diagonal of axes that have the same letter: every (d + 1)th of d * d elements."""
        while repeated := next((letter for letter in self.letters if self.letters.count(letter) > 1), None):
            others = [letter for letter in self.letters if letter != repeated]
            self.arrange(others + [repeated] * self.letters.count(repeated))
            length, dims = self.dims[-1], self.dims[:-2]
            assert isinstance(length, int)
            self.reshape([*dims, length * length], self.letters[:-1])
            self._move(
                "Slice", {}, [[0], [length * length], [len(dims)], [length + 1]],
                lambda array, step=length + 1: array[..., ::step],  # type: ignore[misc]  # bound in this round
                [*dims, length],
            )  # fmt: skip

    def sum_over(self, letters: Collection[str], opset: int) -> None:
        """Sum over the axes of these letters, in a wider type where the type needs it."""
        axes = [index for index, letter in enumerate(self.letters) if letter in letters]
        if not axes:
            return
        own, wide = self._dtype, SUMMED_AS.get(self._dtype, self._dtype)
        self.cast(wide)
        dims = [dim for index, dim in enumerate(self.dims) if index not in axes]
        as_input = opset >= 13
        attributes: dict[str, int | list[int]] = {"keepdims": 0} | ({} if as_input else {"axes": axes})
        numbers = [axes] if as_input else []
        self._move("ReduceSum", attributes, numbers, lambda array: array.sum(tuple(axes), dtype=array.dtype), dims)
        self.letters = [letter for letter in self.letters if letter not in letters]
        self.cast(own)

    def reshape(self, dims: Sequence[Dim], letters: Sequence[str] = ()) -> None:
        """Reshape to `dims`; one that isn't known, beside those that stay where they are, can be worked out."""
        if list(dims) != self.dims:
            stays = [index < len(self.dims) and dim == self.dims[index] for index, dim in enumerate(dims)]
            shape = [dim if isinstance(dim, int) else 0 if stay else -1 for dim, stay in zip(dims, stays, strict=True)]
            assert shape.count(-1) <= 1
            self._move("Reshape", {}, [shape], lambda array: array.reshape(shape), list(dims))
        self.letters = list(letters)

    def apply(self, new: Replacement, leaf: str, tensor: ir.TensorProtocol | None) -> ir.Value:
        """Return the value in its layout. `tensor`: that of a constant, which is laid out ahead of time.

        A constant whose last two axes change places keeps its bytes: tile-matmul reads it so.
        """
        moves, value = self._moves, self._value
        if not moves:
            return value
        swap = {"perm": last_axes_swapped(len(self.dims))}
        if tensor is not None and not (len(moves) == 1 and moves[0].attributes == swap):
            return new.constant(leaf, self._ahead_of_time(tensor))
        for index, move in enumerate(moves):
            name = f"{leaf}_{index}_{move.op_type.lower()}"
            vectors = enumerate(np.array(numbers, np.int64) for numbers in move.numbers)
            more = [new.constant(f"{name}_{position}", vector, ir.DataType.INT64) for position, vector in vectors]
            shape = ir.Shape(map(dimension, move.dims))
            value = new.node(move.op_type, name, [value, *more], move.attributes, shape, move.dtype)
        return value

    def _ahead_of_time(self, tensor: ir.TensorProtocol) -> ir.TensorProtocol:
        """Return the constant laid out, anew whenever it's read: it's never held twice."""

        def laid_out() -> ir.TensorProtocol:
            array = little_endian(read_array(tensor))
            for move in self._moves:
                array = move.apply(array)
            return ir.Tensor(np.ascontiguousarray(array).reshape(shape.numpy()), dtype=self._dtype)

        shape = ir.Shape(map(dimension, self.dims))
        return ir.LazyTensor(laid_out, dtype=self._dtype, shape=shape)

    def cast(self, dtype: ir.DataType) -> None:
        """Change the type of the elements."""
        if dtype != self._dtype:
            self._dtype = dtype
            self._move("Cast", {"to": dtype.value}, [], lambda array: array.astype(dtype.numpy()), self.dims)

    def _move(
        self, op_type: str, attributes: dict[str, int | list[int]], numbers: list[list[int]],
        apply: Callable[[np.ndarray], np.ndarray], dims: list[Dim],
    ) -> None:  # fmt: skip
        self._moves.append(_Move(op_type, attributes, numbers, apply, dims, self._dtype))
        self.dims = dims
