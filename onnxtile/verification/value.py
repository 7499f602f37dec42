"""What an evaluation knows of a value: its elements, if they follow from constants and sizes, or residues."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from onnxtile.verification.field import Field

Array = np.ndarray
Move = Callable[[Array, int], Array]
"""Moves an array's elements; the second argument says how many axes in front (lanes) stay as they are."""


class UnprovenError(Exception):
    """Something that the evaluation can't tell, or doesn't allow; the message says what."""


@dataclass(frozen=True, eq=False)
class Product:
    """A large product that waits: of tiles, whose sum over an axis in front is one product of far fewer elements.

    `a`, `b`: numbers, of the same rank. `rounded`: types that the product was rounded or wrapped by.
    """

    a: Array
    b: Array
    rounded: tuple[ir.DataType, ...]

    def numbers(self, field: Field) -> Array:
        return self._finished(field, field.matmul(self.a, self.b))

    def summed(self, field: Field, axis: int) -> Array:
        """The sum over an axis of tiles, counted without the lanes, which both operands have."""
        a, b = self.a, self.b
        front, rows, length = a.shape[: axis + 1], a.shape[-2], a.shape[-1] * a.shape[axis + 1]
        a = np.moveaxis(a, axis + 1, -2).reshape(*front, *a.shape[axis + 2 : -2], rows, length)
        b = np.moveaxis(b, axis + 1, -3).reshape(*b.shape[: axis + 1], *b.shape[axis + 2 : -2], length, b.shape[-1])
        return self._finished(field, field.matmul(a, b))

    def _finished(self, field: Field, numbers: Array) -> Array:
        for dtype in self.rounded:
            numbers = field.rounded(numbers, dtype)
        return numbers


@dataclass(eq=False)
class Value:
    """A tensor. `known`: its elements, if they're known; `numbers`: residues, [lane, *shape]; neither: it's an input.

    `sized`: it follows from the size of a free dimension. `zero`: where an element is a constant 0. `meets`: of each
    element, the sum of the numbers that a constant 0 was multiplied by; None: none was. `factor`: scales that
    it's whole numbers times, if they're known. `product`: what its numbers are to be computed of. `outer`: two arrays
    that broadcast to its numbers, whose product they are. `linear`: weights that it's linear in (weights.py).
    """

    field: Field
    dtype: ir.DataType
    shape: tuple[int, ...]
    known: Array | None = None
    numbers: Array | None = None
    sized: bool = False
    zero: Array | None = None
    meets: Array | None = None
    factor: tuple[Value, ...] | None = None
    product: Product | None = None
    outer: tuple[Array, Array] | None = None
    linear: frozenset[str] = frozenset()

    @classmethod
    def weight(cls, field: Field, dtype: ir.DataType, shape: tuple[int, ...], name: str) -> Value:
        """A constant that any numbers do for: it's drawn, from two axes on as an outer product."""
        if len(shape) < 2:
            return cls(field, dtype, shape)
        outer = field.drawn((shape[0], *[1] * (len(shape) - 1))), field.drawn((1, *shape[1:]))
        return cls(field, dtype, shape, outer=outer, linear=frozenset((name,)))

    @classmethod
    def constant(cls, field: Field, array: Array, dtype: ir.DataType | None = None, sized: bool = False) -> Value:
        dtype = dtype or ir.DataType.from_numpy(array.dtype)
        return cls(field, dtype, array.shape, known=array, sized=sized)

    @classmethod
    def computed(cls, like: Value, numbers: Array, dtype: ir.DataType | None = None) -> Value:
        return cls(like.field, dtype or like.dtype, numbers.shape[1:], numbers=numbers)

    @property
    def lanes(self) -> Array:
        """Its numbers; those of constants and inputs are made when they're first asked for."""
        if self.product is not None and self.numbers is None:
            self.numbers, self.product = self.product.numbers(self.field), None
        if self.outer is not None and self.numbers is None:
            self.numbers = np.broadcast_to(self.field.multiply(*self.outer), (self.field.lanes, *self.shape))
        if self.numbers is None and self.known is None:
            self.numbers = self.field.drawn(self.shape)
        if self.numbers is None:
            assert self.known is not None
            if self.known.dtype.kind in "OSU":
                raise UnprovenError("text isn't a number")
            self.numbers = self.field.constant(self.known)
        return self.numbers

    @property
    def zeros(self) -> Array | None:
        """Where it's a constant 0 of floating point, None: nowhere."""
        if self.zero is None and self.known is not None and self.dtype.is_floating_point():
            zeros = self.known == 0
            self.zero = zeros if zeros.any() else None
        return self.zero

    def moved(self, move: Move) -> Value:
        """The value with its elements moved: where they're known they stay so."""
        known = None if self.known is None else move(self.known, 0)
        if self.outer is not None and known is None:
            return self._moved_outer(self.outer, move)
        numbers = None if known is not None else move(self.lanes, 1)
        zero = None if self.zero is None or known is not None else move(self.zero, 0)
        meets = None if self.meets is None else move(self.meets, 0)
        shape = known.shape if known is not None else numbers.shape[1:]  # type: ignore[union-attr]  # one is there
        return replace(self, shape=shape, known=known, numbers=numbers, zero=zero, meets=meets, factor=None,
                       product=None)  # fmt: skip

    def _moved_outer(self, outer: tuple[Array, Array], move: Move) -> Value:
        shape = (self.field.lanes, *self.shape)
        one, other = (move(np.broadcast_to(each, shape), 1) for each in outer)
        zero, meets = (None if each is None else move(each, 0) for each in (self.zero, self.meets))
        return replace(self, shape=one.shape[1:], numbers=None, zero=zero, meets=meets, factor=None, product=None,
                       outer=(narrow(one), narrow(other)))  # fmt: skip

    def round(self) -> None:
        """Mark its numbers as rounded or wrapped by its type."""
        if self.outer is not None:
            self.outer = (
                self.field.rounded(self.outer[0], self.dtype), self.field.unmarked(self.outer[1], self.dtype)
            )  # fmt: skip
            self.numbers = None
        elif self.numbers is not None:
            self.numbers = self.field.rounded(self.numbers, self.dtype)

    def whole_numbers(self, what: str) -> list[int]:
        """Its elements as integers; UnprovenError where they aren't known."""
        if self.known is None:
            raise UnprovenError(f"{what} isn't known: it comes from the model's inputs or numbers")
        return [int(each) for each in self.known.reshape(-1)]


def broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that shapes broadcast to; ValueError: none."""
    return shapes[0] if all(shape == shapes[0] for shape in shapes) else np.broadcast_shapes(*shapes)


def narrow(array: Array) -> Array:
    """An array that broadcasts to this one: axes along which nothing changes have length 1."""
    sizes = zip(array.shape, array.strides, strict=True)
    return array[tuple(slice(0, 1) if size > 1 and not stride else slice(None) for size, stride in sizes)]


def joined(values: list[Value], join: Callable[[list[Array], int], Array]) -> Value:
    """A value of several ones' elements."""
    first = values[0]
    if all(each.known is not None for each in values):
        known = join([each.known for each in values if each.known is not None], 0)
        return replace(first, shape=known.shape, known=known, numbers=None, zero=None, meets=None,
                       sized=any(each.sized for each in values))  # fmt: skip
    numbers = join([each.lanes for each in values], 1)
    made = Value.computed(first, numbers)
    made.linear = frozenset[str]().union(*(each.linear for each in values))
    if any(each.zeros is not None for each in values):
        zeros = [np.zeros(each.shape, bool) if each.zeros is None else each.zeros for each in values]
        made.zero = join(zeros, 0)
    if any(each.meets is not None for each in values):
        made.meets = join([np.zeros(each.shape) if each.meets is None else each.meets for each in values], 0)
    return made
