"""Keep what zeros are multiplied by: a zero that meets an infinity is NaN, and has the sign of any other number."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from onnxtile.verification.value import Value, zeros_of


def met(a: Value, b: Value, multiply: Callable[[Value, Value], Value]) -> tuple[Value, ...]:
    """Terms of what zeros of either operand meet in the other, constants aside, and what either has met before.

    What was met stays where it's multiplied by 0.
    """
    terms: list[Value] = []
    if a.zeros is not None and not _is_never_infinite(b):
        terms += [multiply(ones, b) for ones in _where_zero(a)]
    if b.zeros is not None and not _is_never_infinite(a):
        terms += [multiply(a, ones) for ones in _where_zero(b)]
    terms += [multiply(term, _without_zeros(b)) for term in a.met]
    terms += [multiply(_without_zeros(a), term) for term in b.met]
    return tuple(term for term in terms if term.outer is None or all(factor.any() for factor in term.outer))


def _is_never_infinite(value: Value) -> bool:
    """Return whether it's a constant, or was cast from whole numbers."""
    return value.known is not None or value.bound is not None


def _where_zero(value: Value) -> Iterator[Value]:
    """Yield ones where a value is 0, of an outer product as a sum of outer ones: 1 - (1 where it isn't)."""
    assert value.zeros is not None
    if value.outer is None:
        numbers = np.broadcast_to(value.zeros.astype(np.float64), (value.field.lanes, *value.shape))
        yield Value(value.field, value.dtype, value.shape, numbers=numbers)
        return
    one, other = (np.ones_like(factor) for factor in value.outer)
    yield Value(value.field, value.dtype, value.shape, outer=(one, other))
    outer = zeros_of(value.outer[0]) - one, other - zeros_of(value.outer[1])
    yield Value(value.field, value.dtype, value.shape, outer=outer)


def _without_zeros(value: Value) -> Value:
    return value if value.zeros is None else Value.computed(value, np.where(value.zeros, 1.0, value.lanes))
