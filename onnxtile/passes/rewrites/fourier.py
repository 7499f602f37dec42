"""The matrices of discrete Fourier transforms, every number rounded once from its exact value."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import onnx_ir as ir

BITS = 160
"""Binary places of the fixed-point numbers that cosines are computed in."""
_PI = 4591442807048218921384805199743311128454155024418  # pi * 2^160
_DIGITS = {
    ir.DataType.BFLOAT16: 8, ir.DataType.FLOAT16: 11, ir.DataType.FLOAT: 24, ir.DataType.DOUBLE: 53
}  # fmt: skip


@dataclass(frozen=True)
class Fourier:
    """A transform of `length` points by the matrix [taken * parts, given * parts].

    `inverse`: exp(+i), over the length. `onesided`: of a spectrum that's its own mirror image only the first half is
    given (or, `inverse`, taken, and real numbers given). `taken`: how many numbers there are, at most those that count.
    `parts`: 1 where they're real, 2 where imaginary parts stand behind them.
    """

    length: int
    taken: int
    parts: int
    inverse: bool
    onesided: bool

    @property
    def given(self) -> int:
        return self.length // 2 + 1 if self.onesided and not self.inverse else self.length

    @property
    def given_parts(self) -> int:
        return 1 if self.onesided and self.inverse else 2

    @property
    def rows(self) -> int:
        return self.taken * self.parts

    @property
    def columns(self) -> int:
        return self.given * self.given_parts

    def matrix(self, dtype: ir.DataType) -> np.ndarray:
        """Return the matrix in the type."""
        cosines, sines = _circle(self.length, dtype, self.inverse)
        turns = np.outer(np.arange(self.taken), np.arange(self.given)) % self.length
        cosine, sine = cosines[turns], sines[turns] * cosines.dtype.type(1 if self.inverse else -1)
        numbers = np.zeros((self.taken, self.parts, self.given, self.given_parts), cosines.dtype)
        numbers[:, 0, :, 0] = cosine
        if self.given_parts == 2:
            numbers[:, 0, :, 1] = sine
        if self.parts == 2:
            numbers[:, 1, :, 0] = -sine
        if self.parts == self.given_parts == 2:
            numbers[:, 1, :, 1] = cosine
        if self.onesided and self.inverse:  # the other half is its mirror image
            numbers[1 : (self.length + 1) // 2] *= cosines.dtype.type(2)
        positive: np.ndarray = numbers + cosines.dtype.type(0)  # without -0
        return positive.reshape(self.rows, self.columns)


@lru_cache(maxsize=16)
def _circle(length: int, dtype: ir.DataType, divided: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return cosines and sines of the parts of a circle, over the length where they're `divided`."""
    by = length if divided else 1
    points = [_point(turn, length) for turn in range(length)]
    return tuple(  # type: ignore[return-value]  # they're two
        np.array([_rounded(point[which], by, _DIGITS[dtype]) for point in points]).astype(dtype.numpy())
        for which in range(2)
    )


def _point(turn: int, length: int) -> tuple[int, int]:
    """Return cosine and sine of turn / length of a circle, in fixed point; exact where they're 0, 1 or a half."""
    eighth, rest = divmod(8 * turn, length)  # eighth of a circle, and the angle in it
    angle = rest if eighth % 2 == 0 else length - rest
    c, s = _first_eighth(angle, 8 * length)
    c, s = ((c, s), (s, c), (s, c), (c, s))[eighth % 4]
    return (c if eighth in (0, 1, 6, 7) else -c), (s if eighth < 4 else -s)


def _first_eighth(part: int, of: int) -> tuple[int, int]:
    """Return cosine and sine of 2 pi * part / of, an angle of an eighth of a circle at most, by their series."""
    x = 2 * _PI * part // of
    if 12 * part == of:  # 30 degrees, whose sine is a half
        return _series(x, 0), 1 << (BITS - 1)
    return _series(x, 0), _series(x, 1)


def _series(x: int, first: int) -> int:
    term = x if first else 1 << BITS
    total, index, square = term, first, (x * x) >> BITS
    while term:
        term = -((term * square) >> BITS) // ((index + 1) * (index + 2)) if term > 0 else (
            (-term * square >> BITS) // ((index + 1) * (index + 2))
        )  # fmt: skip
        index += 2
        total += term
    return total


def _rounded(numerator: int, by: int, digits: int) -> float:
    """Return numerator / (by * 2^BITS), rounded once to so many binary digits, halves to even."""
    sign, size = (-1, -numerator) if numerator < 0 else (1, numerator)
    if not size:
        return 0.0
    exponent = size.bit_length() - by.bit_length() - digits  # the quotient has digits or digits + 1 of them
    scaled = size << -exponent if exponent < 0 else size
    divisor = by << max(exponent, 0)
    if scaled // divisor >= 1 << digits:
        exponent, divisor = (exponent + 1, divisor << 1)
    quotient, rest = divmod(scaled, divisor)
    quotient += 2 * rest > divisor or (2 * rest == divisor and quotient % 2)
    return sign * float(quotient) * 2.0 ** (exponent - BITS)
