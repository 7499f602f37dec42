"""Hold what an evaluation knows of a value: its elements, if they follow from constants and sizes, or residues."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import onnx_ir as ir

from onnxtile.verification.field import Field

Array = np.ndarray
TURN, SIZE = 1, 2
"""What numbers follow from."""
Move = Callable[[Array, int], Array]
"""Moves an array's elements; the second argument says how many axes in front (lanes) stay as they are."""


class UnprovenError(Exception):
    """Something that the evaluation can't tell, or doesn't allow; the message says what."""


class TooLargeError(UnprovenError):
    """A value that takes too much memory at sizes that may as well be others."""


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
        numbers = field.matmul(a, b)
        for dtype in self.rounded:  # a sum of rounded ones isn't one that is rounded
            numbers = field.rounded(numbers, dtype, f"parts of {self.a.shape[-1]}")
        return numbers

    def _finished(self, field: Field, numbers: Array) -> Array:
        for dtype in self.rounded:
            numbers = field.rounded(numbers, dtype)
        return numbers


@dataclass(eq=False)
class Value:
    """A tensor. `known`: its elements, if they're known; `numbers`: residues, [lane, *shape]; neither: it's an input.

    `sized`: it follows from the size of a free dimension (SIZE), or from turns of a loop (TURN); `counts`: only its
    length does. `met`: terms, whose sum is of each element the numbers that zeros were multiplied by. `degree`: of the
    polynomial that it is. `scale`: the smallest and the largest exponent of 2 by which constants have multiplied an
    element. `finite`: none of its
    constants is infinite or NaN. `bound`: what no magnitude of computed whole numbers exceeds, or those that were cast
    to floats. `factor`: scales that it's whole numbers times, if they're known. `product`: what its numbers are to be
    computed of. `outer`: two arrays that broadcast to its numbers, whose product they are. `linear`: weights that it's
    linear in (weights.py).
    """

    field: Field
    dtype: ir.DataType
    shape: tuple[int, ...]
    known: Array | None = None
    numbers: Array | None = None
    sized: int = 0
    met: tuple[Value, ...] = ()
    factor: tuple[Value, ...] | None = None
    product: Product | None = None
    outer: tuple[Array, Array] | None = None
    linear: frozenset[str] = frozenset()
    degree: int = 1
    scale: tuple[float, float] = (0.0, 0.0)
    finite: bool = True
    bound: int | None = None
    counts: bool = False
    _zeros: Array | None = None

    @classmethod
    def weight(cls, field: Field, dtype: ir.DataType, shape: tuple[int, ...], name: str) -> Value:
        """A constant that any numbers do for: it's drawn, from two axes on as an outer product."""
        if len(shape) < 2:
            return cls(field, dtype, shape)
        outer = field.drawn((shape[0], *[1] * (len(shape) - 1))), field.drawn((1, *shape[1:]))
        return cls(field, dtype, shape, outer=outer, linear=frozenset((name,)))

    @classmethod
    def constant(cls, field: Field, array: Array, dtype: ir.DataType | None = None, sized: int = 0) -> Value:
        dtype = dtype or ir.DataType.from_numpy(array.dtype)
        finite = not dtype.is_floating_point() or bool(np.isfinite(array).all())
        return cls(field, dtype, array.shape, known=array, sized=sized, degree=0, finite=finite)

    @classmethod
    def computed(cls, like: Value, numbers: Array, dtype: ir.DataType | None = None) -> Value:
        return cls(like.field, dtype or like.dtype, numbers.shape[1:], numbers=numbers, degree=like.degree,
                   scale=like.scale, finite=like.finite)  # fmt: skip

    @property
    def lanes(self) -> Array:
        """Its numbers; those of constants and inputs are made when they're first asked for."""
        if self.product is not None and self.numbers is None:
            self.numbers, self.product = self.product.numbers(self.field), None
        if self.outer is not None and self.numbers is None:
            self.numbers = np.broadcast_to(self.field.multiply(*self.outer), (self.field.lanes, *self.shape))
        if self.numbers is None and self.known is None:
            self.numbers = self.field.rounded(self.field.drawn(self.shape), self.dtype)
        if self.numbers is None:
            assert self.known is not None
            if self.known.dtype.kind == "c":
                raise UnprovenError("complex numbers aren't evaluated")
            self.numbers = self.field.constant(self.known)
        return self.numbers

    @property
    def zeros(self) -> Array | None:
        """Mark elements that are 0, of floating point, whatever the inputs are; None: nowhere."""
        if self._zeros is None and not self.waits and self.dtype.is_floating_point():
            if self.known is not None:
                zeros = np.asarray(self.known == 0)
            elif self.outer is not None:
                one, other = (zeros_of(factor) for factor in self.outer)
                zeros = np.broadcast_to(one | other, self.shape) if one.any() or other.any() else NOWHERE
            else:
                zeros = zeros_of(self.lanes)
            self._zeros = zeros if zeros.any() else NOWHERE
        return None if self._zeros is NOWHERE else self._zeros

    @property
    def meets(self) -> Array | None:
        """Of each element, the sum of the numbers that zeros were multiplied by; None: none was."""
        if len(self.met) > 1:
            total = reduce(self.field.add, [term.lanes for term in self.met])
            self.met = (Value(self.field, self.dtype, self.shape, numbers=total),)
        return self.met[0].lanes if self.met else None

    @meets.setter
    def meets(self, numbers: Array | None) -> None:
        self.met = () if numbers is None else (Value(self.field, self.dtype, self.shape, numbers=numbers),)

    @property
    def signs_of_zeros(self) -> Array | None:
        """Return what zeros were multiplied by, whose sign they have; of a constant, a number where it's -0."""
        if self.known is None or not self.dtype.is_floating_point():
            return self.meets
        negative = np.signbit(self.known.astype(np.float64)) & self.zeros if self.zeros is not None else NOWHERE
        return negative * self.field.number("-0", self.shape) if negative.any() else None

    @property
    def largest(self) -> int:
        """Return what no magnitude of whole numbers exceeds."""
        if self.known is not None:
            return max(abs(int(self.known.min())), abs(int(self.known.max()))) if self.known.size else 0
        return 1 << self.dtype.bitwidth if self.bound is None else self.bound

    @property
    def waits(self) -> bool:
        """Return whether its numbers aren't made yet: those of an input, or of a product."""
        return self.known is None and self.numbers is None and self.outer is None

    def moved(self, move: Move) -> Value:
        """The value with its elements moved: where they're known they stay so."""
        known = None if self.known is None else move(self.known, 0)
        if self.outer is not None and known is None:
            return self._moved_outer(self.outer, move)
        numbers = None if known is not None else move(self.lanes, 1)
        met = tuple(term.moved(move) for term in self.met)
        shape = known.shape if known is not None else numbers.shape[1:]  # type: ignore[union-attr]  # one is there
        return replace(self, shape=shape, known=known, numbers=numbers, met=met, factor=None,
                       product=None, counts=False, _zeros=None)  # fmt: skip

    def _moved_outer(self, outer: tuple[Array, Array], move: Move) -> Value:
        shape = (self.field.lanes, *self.shape)
        one, other = (move(np.broadcast_to(factor, shape), 1) for factor in outer)
        met = tuple(term.moved(move) for term in self.met)
        return replace(self, shape=one.shape[1:], numbers=None, met=met, factor=None, product=None, _zeros=None,
                       outer=(narrow(one), narrow(other)))  # fmt: skip

    @property
    def wraps(self) -> bool:
        """Return whether its type may round or wrap its numbers: not whole ones that can't reach its ends."""
        return not self.dtype.is_signed() or self.bound is None or bool(self.bound > self.dtype.max)

    def round(self) -> None:
        """Mark its numbers as rounded or wrapped by its type."""
        if self.field.marks and self.wraps and self.field.marked(self.dtype):
            if self.outer is not None:
                self.numbers, self.outer = self.lanes, None
            if self.numbers is not None:
                self.numbers = self.field.rounded(self.numbers, self.dtype)

    def whole_numbers(self, what: str) -> list[int]:
        """Its elements as integers; UnprovenError where they aren't known."""
        if self.known is None:
            raise UnprovenError(f"{what} isn't known: it comes from the model's inputs or numbers")
        return [int(number) for number in self.known.reshape(-1)]


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
    if all(value.known is not None for value in values):
        known = join([value.known for value in values if value.known is not None], 0)
        sized, finite = max(value.sized for value in values), all(value.finite for value in values)
        return replace(first, shape=known.shape, known=known, numbers=None, met=(), _zeros=None, sized=sized,
                       counts=False, finite=finite)  # fmt: skip
    numbers = join([value.lanes for value in values], 1)
    made = Value.computed(first, numbers)
    made.linear = frozenset[str]().union(*(value.linear for value in values))
    made.degree, made.finite = max(value.degree for value in values), all(value.finite for value in values)
    made.scale = spanned(*(value.scale for value in values))
    if first.dtype.is_integer() or all(value.bound is not None or _is_filler(value) for value in values):
        made.bound = max(value.largest for value in values)  # floats that were cast from whole numbers stay such
    signs = [value.signs_of_zeros for value in values]
    if any(sign is not None for sign in signs):
        pairs = zip(signs, values, strict=True)
        made.meets = join([np.zeros_like(value.lanes) if own is None else own for own, value in pairs], 1)
    return made


def spanned(*ranges: tuple[float, float]) -> tuple[float, float]:
    """The range from the smallest to the largest number of several."""
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _is_filler(value: Value) -> bool:
    """Return whether it's a constant of whole numbers, such as the zeros of a padding."""
    return value.known is not None and value.finite and bool((value.known == np.trunc(value.known)).all())


NOWHERE = np.zeros(0, bool)
"""No zeros."""


def zeros_of(numbers: Array) -> Array:
    """Mark elements where both exact lanes are 0."""
    zeros = np.asarray(numbers[0] == 0)
    return zeros & (numbers[1] == 0) if zeros.any() else zeros
