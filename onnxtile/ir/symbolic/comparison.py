"""Find which of several formulas is the greatest, or the least, whatever the sizes in them are."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any, TypeAlias

import sympy

Terms: TypeAlias = dict[Any, Any]
"""Coefficients by monomial: 3*N*M + 2 is {N*M: 3, 1: 2}."""
_SIZES: tuple[Callable[[str], int], ...] = (
    lambda name: 64,  # sorts formulas about as real sizes do, so that what is greater than most comes first
    lambda name: 1,
    lambda name: 1 + zlib.crc32(name.encode()) % 97,
    lambda name: 1 + zlib.crc32(name.encode()) // 97 % 997,
)
"""Sizes by name, for which most formulas that aren't greater show it."""
_MOST_POWERS = 64
_LARGEST = 1e300


def extreme(numbers: Sequence[Any], greatest: bool) -> Any:
    """Return the greatest or the least of numbers and formulas; a Max or Min of those that no one of them always is."""
    covers = _covers if greatest else lambda left, right: _covers(right, left)
    kept: list[_Formula] = []
    for formula in _sorted(set(map(_formula, numbers)), greatest):
        if any(covers(other, formula) for other in kept):
            continue
        kept = [other for other in kept if not covers(formula, other)]
        kept.append(formula)
    if len(kept) == 1:
        return kept[0].expanded
    return (sympy.Max if greatest else sympy.Min)(
        *sorted((formula.expanded for formula in kept), key=str), evaluate=False
    )


def _sorted(formulas: Collection[_Formula], greatest_first: bool) -> Iterator[_Formula]:
    """Sort by samples, and by text where those are the same, as text takes long."""
    for _, same in groupby(sorted(formulas, key=_samples_of, reverse=greatest_first), _samples_of):
        several = list(same)
        yield from several if len(several) == 1 else sorted(several, key=lambda formula: str(formula.expanded))


def _samples_of(formula: _Formula) -> tuple[float, ...]:
    return formula.samples


class _Formula:
    """The terms of a number or formula, compared by what they are. `samples`: what it is for some sizes."""

    def __init__(self, expanded: Any) -> None:
        self.expanded = expanded
        self.terms: Terms = dict(expanded.as_coefficients_dict())
        self._key = frozenset(self.terms.items())
        samples = [[float(count) * sample for sample in _samples(key)] for key, count in self.terms.items()]
        self.samples = tuple(map(_sum, zip(*samples, strict=True))) or (0.0,) * len(_SIZES)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Formula) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@lru_cache(maxsize=4096)
def _formula(number: Any) -> _Formula:
    return _Formula(sympy.expand(number))


@lru_cache(maxsize=4096)
def _samples(monomial: Any) -> tuple[float, ...]:
    factors = [[_power(value, float(exponent)) for value in _values(base)] for base, exponent in _powers(monomial)]
    return tuple(math.prod(values) for values in zip(*factors, strict=True)) or (1.0,) * len(_SIZES)


def _powers(monomial: Any) -> list[tuple[Any, Any]]:
    """Return factors and exponents: x**2*y is x with 2, y with 1."""
    return [(base, exponent) for base, exponent in monomial.as_powers_dict().items() if base != 1]


@lru_cache(maxsize=4096)
def _values(factor: Any) -> tuple[float, ...]:
    values = (factor.subs({symbol: size(symbol.name) for symbol in factor.free_symbols}) for size in _SIZES)
    return tuple(float(value) if value.is_real else math.inf for value in values)


def _power(value: float, exponent: float) -> float:
    """Raise to a power; infinity for what isn't a real number of moderate size."""
    try:
        power = value**exponent
    except (OverflowError, ZeroDivisionError):
        return math.inf
    return power if isinstance(power, float) else math.inf


def _sum(values: Sequence[float]) -> float:
    """Add values; 0 where there's no sum: such samples tell nothing."""
    return math.fsum(values) if all(abs(value) < _LARGEST for value in values) else 0.0


def _covers(left: _Formula, right: _Formula) -> bool:
    """Return whether left >= right for all sizes of 1 and more, by their terms.

    What right has more of must be made up for by a term of left's that is a multiple of it. Sound, and no more than
    that: it may say no of what is so.
    """
    if any(mine < its for mine, its in zip(left.samples, right.samples, strict=True)):
        return False
    keys = left.terms | right.terms
    spare = {key: more for key in keys if (more := left.terms.get(key, 0) - right.terms.get(key, 0))}
    for key in [key for key, count in spare.items() if count < 0]:
        for other, more in spare.items():
            if more > 0 and _divides(key, other):
                used = min(more, -spare[key])
                spare[other] -= used
                spare[key] += used
                if spare[key] == 0:
                    break
        if spare[key] < 0:
            return False
    return True


@lru_cache(maxsize=65536)
def _divides(small: Any, large: Any) -> bool:
    """Return whether large is small times something of 1 or more: it has small's factors, or greater ones."""
    left = list(_factors(large))
    for factor in _factors(small):
        match = factor if factor in left else next((other for other in left if _not_less(other, factor)), None)
        if match is None:
            return False
        left.remove(match)
    return all(_not_less(other, sympy.S.One) for other in left)


@lru_cache(maxsize=4096)
def _factors(monomial: Any) -> tuple[Any, ...]:
    """Return the factors of a monomial: x**2*y is x, x, y."""
    factors: list[Any] = []
    for base, exponent in _powers(monomial):
        whole = exponent.is_Integer and 0 < exponent < _MOST_POWERS
        factors += [base] * int(exponent) if whole else [base**exponent]
    return tuple(factors)


@lru_cache(maxsize=65536)
def _not_less(left: Any, right: Any) -> bool:
    """Return whether left >= right for all sizes of 1 and more; floor(a) >= floor(b) where a >= b."""
    if not all(side == 1 or side.is_Symbol or isinstance(side, sympy.floor) for side in (left, right)):
        return False
    (first, second) = (side.args[0] if isinstance(side, sympy.floor) else side for side in (left, right))
    terms = sympy.expand(first - second).as_coefficients_dict()
    rising = all(key == 1 or (count >= 0 and key.is_Symbol) for key, count in terms.items())
    return rising and sum(terms.values()) >= 0  # least where all sizes are 1
