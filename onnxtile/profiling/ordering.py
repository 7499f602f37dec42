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


def extreme(numbers: Sequence[Any], greatest: bool) -> Any:
    """The greatest or the least of numbers and formulas; a Max or Min of those that no one of them always is."""
    found = {_terms(each): each for each in numbers}
    sign = 1 if greatest else -1
    kept: list[Any] = []
    for terms in sorted(found, key=lambda terms: sign * terms.typical, reverse=True):
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


@lru_cache(maxsize=4096)
def _divides(small: Any, large: Any) -> bool:
    """Whether large is small times sizes; other factors, such as quotients, may be 0."""
    rest = (large / small).as_powers_dict()
    return all(
        base == 1 or (base.is_Symbol and exponent.is_Integer and exponent > 0) for base, exponent in rest.items()
    )
