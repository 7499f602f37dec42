"""Numbers that stand for a model's: residues modulo secret primes, a few lanes of them at once.

Lanes 0 to 2 are exact: sums and products are those of the real numbers, in whatever order they are taken. Lanes 3 to
5 are the majorant: magnitudes, with Sub as Add, so that terms that cancel don't. Further lanes are 0 to 2 with a mark
on whatever a type, or one whose numbers that type holds, has rounded or wrapped: marked again, it's the same; marked
where it wasn't, another number. A mark is a function of the exact number, so sums may be rounded in parts; a type that
is `strict` has pairs of lanes: one of what is rounded, roundings before it included, in the second, and that itself in
the first.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import cast

import numpy as np
import onnx_ir as ir

from onnxtile.ir.arrays import MOST_AXES

Array = np.ndarray
BITS = 22
"""Primes lie between 2^22 and 2^23, so that residues are at most 2^22 in magnitude."""
BLOCK = 1 << (53 - 2 * BITS)
"""Products that are summed in float64 before they're reduced: each is 2^44 at most, and 2^53 is exact."""
DRAWN = 21
"""Bits of a number that's drawn; three are taken from one hash."""
MAJORANT, MARKS = 3, 6
"""The first lane of the majorant, and the first of those with marks."""
STEPS = 256
"""Constants that are a multiple of 1/256, and below 2^23, are themselves; others are numbers drawn by their bits."""
LARGEST = 2.0**31
CHUNK = 1 << 14
"""Numbers that are worked on at a time, so that they stay in the processor's cache."""
MOST_OF_AN_ALIAS = 1 << 16


class Field:
    """The lanes' primes and keys, drawn from a seed; and arithmetic on arrays [lane, *shape] of residues."""

    def __init__(
        self, seed: int, marks: Sequence[ir.DataType] = (), strict: frozenset[ir.DataType] = frozenset()
    ) -> None:
        """`marks`: types that have lanes for what they round or wrap."""
        self.seed, self.marks, self.strict = seed, tuple(marks), strict
        exact = range(MAJORANT)
        marking = [(dtype, lane) for dtype in marks for lane in exact for _ in range(1 + (dtype in strict))]
        self._types = [dtype for dtype, _ in marking]
        self._of_lane = [*range(MARKS), *(lane for _, lane in marking)]
        """The exact lane, or that of the majorant, that a lane has the prime of."""
        self.lanes = len(self._of_lane)
        self._rng = np.random.default_rng(seed)
        primes = [self._prime() for _ in range(MARKS)]
        self.primes = [primes[lane] for lane in self._of_lane]
        self._keys = [np.uint64(key) for key in self._rng.integers(1 << 62, 1 << 63, 8, np.uint64) | np.uint64(1)]
        p = np.array(self.primes, np.float64)
        self._moduli = [(p.reshape(-1, *[1] * axes), 1 / p.reshape(-1, *[1] * axes)) for axes in range(MOST_AXES)]
        signs = np.where([MAJORANT <= lane < MARKS for lane in range(self.lanes)], 1.0, -1.0)
        self._signs = [signs.reshape(-1, *[1] * axes) for axes in range(MOST_AXES)]
        self._aliases: dict[tuple[str, bytes], Array] = {}

    def _prime(self) -> int:
        while True:
            number = int(self._rng.integers(1 << BITS, 1 << (BITS + 1))) | 1
            if all(number % divisor for divisor in range(3, 2900, 2)):
                return number

    # arithmetic

    def reduce(self, array: Array) -> Array:
        """Reduce in place to the residues nearest to 0."""
        if array.size > 8 * CHUNK and array.flags.c_contiguous:
            self._reduce_large(array)
            return array
        p, inverse = self._moduli[array.ndim - 1]
        whole = array * inverse
        np.rint(whole, out=whole)
        whole *= p
        array -= whole
        return array

    def _reduce_large(self, array: Array) -> None:
        """The same, a part at a time."""
        whole = np.empty(CHUNK)
        for lane, prime in zip(array.reshape(len(array), -1), self.primes, strict=True):
            for at in range(0, len(lane), CHUNK):
                part = lane[at : at + CHUNK]
                of_part = whole[: len(part)]
                np.multiply(part, 1 / prime, out=of_part)
                np.rint(of_part, out=of_part)
                of_part *= prime
                part -= of_part

    def add(self, a: Array, b: Array) -> Array:
        return self.reduce(a + b)

    def negative(self, a: Array) -> Array:
        """-a; of the majorant, a."""
        return np.asarray(a * self._signs[a.ndim - 1])

    def multiply(self, a: Array, b: Array) -> Array:
        return self.reduce(a * b)

    def matmul(self, a: Array, b: Array) -> Array:
        """Products as numpy has them of arrays that both have two axes or more besides the lanes."""
        length = a.shape[-1]
        a, b = _for_blas(a), _for_blas(b)
        if length <= BLOCK:
            return self.reduce(np.matmul(a, b))
        total: Array = np.zeros(())
        for at in range(0, length, BLOCK):
            total = total + self.reduce(np.matmul(a[..., at : at + BLOCK], b[..., at : at + BLOCK, :]))
        return self.reduce(total)

    def sum(self, a: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
        """Sum over axes, counted without the lanes."""
        return self.reduce(np.asarray(a.sum(tuple(axis + 1 for axis in axes), keepdims=keepdims)))

    def inverse(self, a: Array) -> Array:
        """1 / a, and 0 where that is 0: a to the power of p - 2."""
        result = np.ones_like(a)
        for lane, prime in enumerate(self.primes):
            base, exponent = self._lane(a, lane).astype(np.int64), prime - 2
            power = np.ones_like(base)
            while exponent:
                if exponent & 1:
                    power = power * base % prime
                base, exponent = base * base % prime, exponent >> 1
            result[lane] = power
        return self.reduce(result)

    def rounded(self, a: Array, dtype: ir.DataType, name: str = "") -> Array:
        """Return the same numbers, rounded or wrapped by a type: a function of them, otherwise unknown."""
        marked = self.marked(dtype)
        if marked:
            a = a.copy()
            for lane in marked:
                mark = self.mark_of(lane)
                if mark not in self.strict:
                    a[lane] = self._mark(a[self._of_lane[lane]], lane, name)
                elif (lane - MARKS - self._types.index(mark)) % 2 == 0:
                    before, now = a[lane], a[lane + 1].copy()
                    is_rounded = now == self._mark(before, lane, name)
                    a[lane] = np.where(is_rounded, before, now)
                    a[lane + 1] = np.where(is_rounded, now, self._mark(now, lane, name))
        return a

    def _mark(self, numbers: Array, lane: int, name: str) -> Array:
        """The mark of a lane's type on numbers: rounding is an odd function; wrapping isn't, at the ends of a type."""
        mark = self.mark_of(lane)
        sizes = np.abs(numbers) if mark.is_floating_point() else numbers + (numbers < 0) * float(self.primes[lane])
        states = self._mixed(sizes.astype(np.uint64) ^ self._named(mark.name + name))
        bits = (states >> np.uint64(1) & _MASK) | _EXPONENT
        return np.asarray((bits.view(np.float64) - _OFFSET) * np.where(numbers < 0, -1.0, numbers != 0))

    def mark_of(self, lane: int) -> ir.DataType:
        """Return the type whose marks a lane has."""
        return self._types[lane - MARKS]

    def marked(self, dtype: ir.DataType) -> list[int]:
        """Return the lanes in which a type leaves marks."""
        return [lane for lane in range(MARKS, self.lanes) if holds(self.mark_of(lane), dtype)]

    def magnitudes(self, a: Array) -> Array:
        """Numbers whose majorant is drawn anew: a function of their magnitude."""
        a = a.copy()
        made = self.numbers(self.states("magnitude", [np.abs(a[:MAJORANT])]))
        a[MAJORANT:MARKS] = np.where(np.any(a[:MAJORANT], 0), made[MAJORANT:MARKS], 0)
        return a

    def equal(self, a: Array, b: Array) -> Array:
        """Return where each lane agrees."""
        if np.array_equal(a, b):
            return np.ones(a.shape, bool)
        return np.asarray(self.reduce(a - b) == 0)

    # numbers

    def constant(self, array: Array) -> Array:
        """Numbers for constants: whole ones are themselves, others are drawn by the bits of their magnitude."""
        if self._aliases and array.size <= MOST_OF_AN_ALIAS:
            alias = self._aliases.get(_bits(array))
            if alias is not None:
                return alias.reshape(self.lanes, *array.shape)
        flat = np.ascontiguousarray(array).reshape(-1)
        if array.dtype.kind in "biu" and array.dtype.itemsize <= 2:  # below all primes
            numbers = np.broadcast_to(array.astype(np.float64), (self.lanes, *array.shape))
            return (
                numbers if array.dtype.kind != "i" else np.where(self._signs[array.ndim] > 0, np.abs(numbers), numbers)
            )
        if array.dtype.kind in "biu":
            whole = self.reduce(np.stack([self._whole(flat, lane) for lane in range(self.lanes)]).astype(np.float64))
            whole[MAJORANT:MARKS] *= np.where(flat < 0, -1.0, 1.0)
            return whole.reshape(self.lanes, *array.shape)
        if array.dtype.kind in "OSU":
            words = [self._named(f"text {word!r}") for word in flat.tolist()]
            return self.numbers(np.array(words, np.uint64).reshape(array.shape))
        made = np.empty((self.lanes, flat.size))
        with np.errstate(all="ignore"):
            for at in range(0, flat.size, CHUNK):
                self._floats(flat[at : at + CHUNK].astype(np.float64), made[:, at : at + CHUNK])
        return made.reshape(self.lanes, *array.shape)

    def alias(self, array: Array, numbers: Array) -> None:
        """Let a constant stand for the exact result of the arithmetic that it's the rounded result of."""
        self._aliases[_bits(array)] = numbers

    def _whole(self, flat: Array, lane: int) -> Array:
        wide = flat.astype(np.uint64 if flat.dtype == np.uint64 else np.int64)
        return np.asarray(wide % wide.dtype.type(self.primes[lane])).astype(np.int64)

    def _floats(self, numbers: Array, made: Array) -> None:
        sign = np.copysign(1.0, numbers)
        size = np.abs(numbers, out=numbers)
        self._spread(self._mixed(size.view(np.uint64) ^ self._keys[0]), made)
        size *= STEPS
        exact = (size == np.rint(size)) & (size < LARGEST)
        if exact.any():
            steps = size[exact].astype(np.int64)
            for lane, prime in enumerate(self.primes):
                made[lane, exact] = steps * pow(STEPS, -1, prime) % prime
            made[:, exact] = self.reduce(made[:, exact])
        for lane in range(self.lanes):
            if not MAJORANT <= lane < MARKS:
                made[lane] *= sign

    def drawn(self, shape: tuple[int, ...]) -> Array:
        """Numbers for an input, all independent of each other."""
        half = 1 << (DRAWN - 1)
        numbers = self._rng.integers(-half, half, (MARKS, *shape), np.int32).astype(np.float64)
        return numbers[self._of_lane]

    # uninterpreted functions

    def states(self, name: str, operands: Sequence[Array]) -> Array:
        """A hash of a function's name and the element's operands, which are broadcast against each other."""
        state: Array = np.asarray(self._named(name))
        for a in operands:
            for lane in range(0, len(a), 2):  # two of them fit into one word
                word = self._lane(a, lane)
                if lane + 1 < len(a):
                    word = word + self._lane(a, lane + 1) * 2.0 ** (BITS + 1)
                state = self._mixed(state * self._keys[1] ^ word.astype(np.uint64))
        return state

    def line(self, states: Array, axes: tuple[int, ...]) -> Array:
        """Hashes of whole lines along axes, and of an element's place in its line, out of hashes of elements."""
        places = np.zeros((), np.uint64)
        for axis in axes:
            shape = [1] * states.ndim
            shape[axis] = -1
            here = np.arange(states.shape[axis], dtype=np.uint64).reshape(shape)
            places = self._mixed(places * self._keys[2] + here)
        placed = self._mixed(states + places * self._keys[3])
        whole = np.add.reduce(placed, axes, keepdims=True)
        return self._mixed(self._mixed(whole) + np.broadcast_to(places, states.shape) * self._keys[4])

    def filled(self, state: Array, shape: tuple[int, ...], which: int) -> Array:
        """Hashes for all elements of output number `which` of a function of whole arrays."""
        size = int(np.prod(shape, dtype=np.int64))
        places = np.arange(size, dtype=np.uint64) * self._keys[5] + np.uint64(which)
        return self._mixed(self._mixed(places) ^ state.reshape(-1)[:1]).reshape(shape)

    def hashed(self, states: Array) -> Array:
        return self._mixed(states)

    def numbers(self, states: Array) -> Array:
        """The numbers that hashes stand for."""
        made = np.empty((self.lanes, *states.shape))
        self._spread(states, made)
        return made

    def number(self, name: str, shape: tuple[int, ...]) -> Array:
        """A number of this name, as often as a shape has elements."""
        return np.broadcast_to(self.numbers(np.full((1,) * len(shape), self._named(name))), (self.lanes, *shape))

    def _named(self, name: str) -> np.uint64:
        digest = hashlib.sha256(f"{self.seed} {name}".encode()).digest()
        return cast(np.uint64, np.uint64(int.from_bytes(digest[:8], "little")))

    def _lane(self, a: Array, lane: int) -> Array:
        """Residues of a lane from 0 on."""
        return np.asarray(a[lane] + (a[lane] < 0) * float(self.primes[lane]))

    def _mixed(self, states: Array) -> Array:
        with np.errstate(over="ignore"):
            states = states * self._keys[6]
            states ^= states >> np.uint64(32)
            states = states * self._keys[7]
            states ^= states >> np.uint64(29)
            return np.asarray(states * self._keys[6])

    def _spread(self, states: Array, made: Array) -> None:
        """Take a number for each lane from hashes: as the last bits of a float of 2^52 and more, which is quick."""
        for lane in range(MARKS):
            if lane == 3:
                states = self._mixed(states)
            bits = np.asarray(states >> np.uint64(1 + DRAWN * (lane % 3)))
            bits &= _MASK
            bits |= _EXPONENT
            np.subtract(bits.view(np.float64), _OFFSET, out=made[lane, ...])
        for lane in range(MARKS, self.lanes):
            made[lane] = made[self._of_lane[lane]]


_MASK, _EXPONENT = np.uint64((1 << DRAWN) - 1), np.uint64(0x433 << 52)
_OFFSET = 2.0**52 + 2.0 ** (DRAWN - 1)


def _bits(array: Array) -> tuple[str, bytes]:
    """A constant's type and bytes; its shape doesn't matter, as long as its numbers are in their order."""
    return array.dtype.name, array.tobytes()


DIGITS = {"FLOAT16": (11, 5), "BFLOAT16": (8, 8), "FLOAT": (24, 8), "DOUBLE": (53, 11)}
"""Binary digits of types of floating point, and of their exponents."""
NARROW = {
    "FLOAT8E4M3FN": (4, 4), "FLOAT8E4M3FNUZ": (4, 5), "FLOAT8E5M2": (3, 5), "FLOAT8E5M2FNUZ": (3, 6),
    "FLOAT8E8M0": (1, 8), "FLOAT4E2M1": (2, 2),
}  # fmt: skip
"""Those of types that are only cast to and from; a cast to one is a function, since it may saturate."""


def holds(to: ir.DataType, dtype: ir.DataType) -> bool:
    """Return whether a type has all the numbers of another."""
    if to == dtype or dtype == ir.DataType.BOOL:
        return to == dtype or to.is_integer() or to.name in DIGITS
    if dtype.is_floating_point():
        digits = (DIGITS | NARROW).get(dtype.name, (math.inf, 0))
        return to.name in DIGITS and all(own >= other for own, other in zip(DIGITS[to.name], digits, strict=True))
    if not dtype.is_integer():
        return False
    signed, width = dtype.is_signed(), dtype.bitwidth
    if to.is_integer():
        return to.bitwidth > width and (to.is_signed() or not signed)
    return to.name in DIGITS and DIGITS[to.name][0] >= width - signed and DIGITS[to.name][1] > 5


def _for_blas(a: Array) -> Array:
    """An array that a fast product takes: one of the last two axes runs through memory without a gap."""
    return a if a.itemsize in a.strides[-2:] else np.ascontiguousarray(a)
