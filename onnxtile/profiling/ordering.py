"""Which of several formulas is the greatest, or the least, whatever the sizes in them are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import sympy

Terms: TypeAlias = Mapping[Any, Any]
"""Coefficients by monomial: 3*N*M + 2 is {N*M: 3, 1: 2}."""
_TYPICAL = 64
"""A size that sorts formulas about as real ones do, so that what is greater than most comes first."""
_MOST_POWERS = 64


def extreme(numbers: Sequence[Any], greatest: bool) -> Any:
    """The greatest or the least of numbers and formulas; a Max or Min of those that no one of them always is."""
    found = {_terms(each): each for each in sorted(numbers, key=str)}
    sign = -1 if greatest else 1
    kept: list[Any] = []
    for terms in sorted(found, key=lambda terms: sign * terms.typical):
        if any(_covers(other, terms) if greatest else _covers(terms, other) for other in kept):
            continue
        kept = [other for other in kept if not (_covers(terms, other) if greatest else _covers(other, terms))]
        kept.append(terms)
    if len(kept) == 1:
        return found[kept[0]]
    return (sympy.Max if greatest else sympy.Min)(*sorted((found[each] for each in kept), key=str), evaluate=False)


class _Formula:
    """The terms of a number or formula, compared by what they are."""

    def __init__(self, terms: dict[Any, Any]) -> None:
        self.terms = terms
        self._key = frozenset(terms.items())
        self.typical = sum(
            float(count * key.subs(dict.fromkeys(key.free_symbols, _TYPICAL))) for key, count in terms.items()
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Formula) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@lru_cache(maxsize=4096)
def _terms(number: Any) -> _Formula:
    return _Formula(dict(sympy.expand(number).as_coefficients_dict()))


def _covers(left: _Formula, right: _Formula) -> bool:
    """Whether left >= right for all sizes of 1 and more, told by their terms: each that right has more of must be made
    up for by one of left's that is a multiple of it. Sound, and no more than that: it may say no of what is so.
    """
    spare = {key: count - right.terms.get(key, 0) for key, count in left.terms.items()}
    for key, count in right.terms.items():
        spare.setdefault(key, -count)
    for key, count in spare.items():
        if count >= 0:
            continue
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
    """Whether large is small times something that is 1 or more: small's factors, or greater ones, are among large's."""
    left = list(_factors(large))
    for factor in _factors(small):
        found = next((other for other in left if other == factor), None)
        if found is None:
            found = next((other for other in left if _not_less(other, factor)), None)
        if found is None:
            return False
        left.remove(found)
    return all(_not_less(other, sympy.S.One) for other in left)


@lru_cache(maxsize=4096)
def _factors(monomial: Any) -> tuple[Any, ...]:
    """x**2*y is x, x, y."""
    powers = ((base, exponent) for base, exponent in monomial.as_powers_dict().items() if base != 1)
    return tuple(
        each
        for base, exponent in powers
        for each in (
            [base] * int(exponent) if exponent.is_Integer and 0 < exponent < _MOST_POWERS else [base**exponent]
        )
    )


@lru_cache(maxsize=65536)
def _not_less(left: Any, right: Any) -> bool:
    """Whether left >= right for all sizes of 1 and more; floor(a) >= floor(b) where a >= b."""
    if not all(each == 1 or each.is_Symbol or isinstance(each, sympy.floor) for each in (left, right)):
        return False
    (first, second) = (each.args[0] if isinstance(each, sympy.floor) else each for each in (left, right))
    terms = sympy.expand(first - second).as_coefficients_dict()
    rising = all(key == 1 or (count >= 0 and key.is_Symbol) for key, count in terms.items())
    return rising and sum(terms.values()) >= 0  # least where all sizes are 1
