"""Amounts in a profile: whole numbers, formulas in the model's free dimensions, ranges, and what can't be told."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import onnx_ir as ir
import sympy

from onnxtile.ir.symbolic.comparison import extreme
from onnxtile.ir.symbolic.simplification import shortened

Number: TypeAlias = "int | sympy.Expr"
"""A whole number, or an exact formula: its symbols are sizes, positive whole numbers."""
Dim: TypeAlias = "int | sympy.Expr | None"
"""A size: a number or formula, or None where it isn't known."""

_BEYOND = 2**512


@dataclass(frozen=True)
class Range:
    """From `min` to `max`, both possible; `max` None: no bound is known."""

    min: Number
    max: Number | None

    def __str__(self) -> str:
        return f"{self.min} or more" if self.max is None else f"{self.min} to {self.max}"


@dataclass(frozen=True)
class Unknown:
    """It can't be told; `reason` says why."""

    reason: str

    def __str__(self) -> str:
        return f"unknown: {self.reason}"


Amount: TypeAlias = "int | sympy.Expr | Range | Unknown"


def size_of(dim: int | str | ir.SymbolicDim | None) -> Dim:
    """Read a dimension of a model; None where it has no name. Raises ValueError for a malformed formula."""
    if dim is None or isinstance(dim, int):
        return dim
    text = dim if isinstance(dim, str) else dim.value
    return None if text is None else _formula(text)


def dimension(size: Dim) -> int | ir.SymbolicDim:
    """Return a size as a dimension of a model."""
    return size if isinstance(size, int) else ir.SymbolicDim(size)


def text_of(size: Dim) -> int | str | None:
    """Return a size for people and scripts: a formula as text."""
    return size if size is None or isinstance(size, int) else str(size)


def amount_of(what: str, size: Dim) -> Amount:
    """Return a size; Unknown, with `what` it is a size of, where it isn't known."""
    return Unknown(f"{what} isn't known before run time") if size is None else size


@lru_cache(maxsize=4096)
def _formula(text: str) -> Number:
    # onnx_ir reads formulas with a grammar of its own; sympy's own reader would run them as code
    try:
        found = shortened(ir.SymbolicDim(text)._expr)
    except (TypeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"{text!r} is no formula: {error}") from error
    if found.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo):
        raise ValueError(f"{text!r} divides by 0")
    return _plain(found)


def symbol(name: str) -> Number:
    """A symbol for a size of that name."""
    return sympy.Symbol(name, integer=True, positive=True)


def _plain(formula: Any) -> Number:
    return int(formula) if formula.is_Integer else formula


def product(amounts: Iterable[Amount]) -> Amount:
    """Nothing times anything is nothing; otherwise what isn't known keeps the product unknown, and so does a number
    beyond all measure, which no sizes of a real model give.
    """
    found = list(amounts)
    if any(isinstance(each, int) and each == 0 for each in found):
        return 0
    if math.prod(each for each in found if isinstance(each, int)) > _BEYOND:
        return Unknown("it's a number beyond all measure")
    unknown = next((each for each in found if isinstance(each, Unknown)), None)
    if unknown is not None:
        return unknown
    if not any(isinstance(each, Range) for each in found):
        return multiplied(found)
    highs = [_high(each) for each in found]
    high = None if None in highs else multiplied(highs)
    return _range(multiplied([_low(each) for each in found]), high)


def multiplied(numbers: Sequence[Number]) -> Number:
    """The product; formulas at once, as one by one they take time by their square."""
    whole = math.prod(each for each in numbers if isinstance(each, int))
    formulas = [each for each in numbers if not isinstance(each, int)]
    return _plain(sympy.Mul(whole, *formulas)) if formulas else whole


def total(amounts: Iterable[Amount]) -> Amount:
    """The sum; what is unknown makes it a range without an upper end."""
    whole, formulas, high = 0, [], []
    bounded, ranged = True, False
    for each in amounts:
        if isinstance(each, int):
            whole += each
        elif isinstance(each, Unknown):
            bounded = False
        elif isinstance(each, Range):
            ranged = True
            formulas.append(each.min)
            bounded &= each.max is not None
            high.append(0 if each.max is None else each.max - each.min)
        else:
            formulas.append(each)
    low = _sum(whole, formulas)
    if not bounded:
        return Range(low, None)
    return _range(low, _sum(low, high)) if ranged else low


def _sum(whole: Number, formulas: list[Any]) -> Number:
    return _plain(sympy.Add(whole, *map(expanded, formulas))) if formulas else whole


def expanded(formula: Any) -> Any:
    """The formula multiplied out; one that is so already is told quickly."""
    for term in sympy.Add.make_args(formula):
        for factor in sympy.Mul.make_args(term):
            if factor.is_Add or (factor.is_Pow and factor.base.is_Add):
                return sympy.expand(formula)
    return formula


def difference(left: Amount, right: Amount) -> Amount:
    """Left - right; unknown where either is, or no number or formula."""
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return left if isinstance(left, Unknown) else right
    if isinstance(left, Range) or isinstance(right, Range):
        return Unknown("it depends on the run")
    return left - right if isinstance(left, int) and isinstance(right, int) else _sum(0, [left, -right])


def either(amounts: Iterable[Amount]) -> Amount:
    """One of them, it isn't known which: from the least to the greatest; unknown if any is."""
    found = list(amounts)
    unknown = next((each for each in found if isinstance(each, Unknown)), None)
    if unknown is not None:
        return unknown
    highs = [_high(each) for each in found]
    high = None if None in highs else _extreme(highs, True)
    return _range(_extreme([_low(each) for each in found], False), high)


def largest(amounts: Iterable[Amount]) -> Amount:
    """The greatest; where one is unknown, the greatest of the others is a lower bound."""
    found = set(amounts)
    known = [each for each in found if not isinstance(each, Unknown)]
    low: Number = _extreme([_low(each) for each in known], True) if known else 0
    if len(known) < len(found):
        return Range(low, None)
    if not any(isinstance(each, Range) for each in known):
        return low
    highs = [_high(each) for each in known]
    return Range(low, None) if None in highs else _range(low, _extreme(highs, True)) if highs else 0


def _extreme(numbers: list[Number], greatest: bool) -> Number:
    """The greatest or least number or formula; a formula of several where no one of them is so for all sizes."""
    plain = [each for each in numbers if isinstance(each, int)]
    formulas = [each for each in numbers if not isinstance(each, int)]
    if not formulas:
        return max(plain) if greatest else min(plain)
    found = extreme([*formulas, *([max(plain) if greatest else min(plain)] if plain else [])], greatest)
    return found if isinstance(found, int) else _plain(found)


def _low(amount: Amount) -> Number:
    assert not isinstance(amount, Unknown)
    return amount.min if isinstance(amount, Range) else amount


def _high(amount: Amount) -> Number | None:
    assert not isinstance(amount, Unknown)
    return amount.max if isinstance(amount, Range) else amount


def _range(low: Number, high: Number | None) -> Amount:
    return low if high is not None and low == high else Range(low, high)


def fill(size: Number, whole: int | None) -> Number:
    """The size rounded up to a multiple of `whole` (None: as it is)."""
    if whole is None:
        return size
    if isinstance(size, int):
        return -(-size // whole) * whole
    return _plain(whole * shortened(sympy.ceiling(size / whole)))


def bytes_of(elements: Amount, bits: int) -> Amount:
    """Whole bytes of so many elements packed without gaps."""
    if isinstance(elements, Unknown):
        return elements
    if isinstance(elements, Range):
        low, high = (None if end is None else bytes_of(end, bits) for end in (elements.min, elements.max))
        return _range(low, high)
    if bits % 8 == 0:
        return elements * (bits // 8)
    if isinstance(elements, int):
        return -(-elements * bits // 8)
    return sympy.ceiling(elements * sympy.Rational(bits, 8))


def is_known(amount: Amount) -> bool:
    """Whether it's one number or formula."""
    return not isinstance(amount, (Range, Unknown))


def with_sizes(amount: Amount, sizes: Mapping[str, int]) -> Amount:
    """The amount with sizes put in for symbols."""
    if isinstance(amount, (int, Unknown)):
        return amount
    if isinstance(amount, Range):
        low, high = (None if end is None else with_sizes(end, sizes) for end in (amount.min, amount.max))
        return _range(low, high)
    return _plain(amount.subs({each: sizes[each.name] for each in amount.free_symbols if each.name in sizes}))


def names_in(amount: Amount) -> set[str]:
    """The symbols of a formula, or of both ends of a range."""
    if isinstance(amount, Range):
        return names_in(amount.min) | (set() if amount.max is None else names_in(amount.max))
    return set() if isinstance(amount, (int, Unknown)) else {str(each) for each in amount.free_symbols}


def amount_text(amount: Amount) -> str:
    """Return an amount with its thousands set apart; formulas and ranges in words."""
    return f"{amount:,}" if isinstance(amount, int) else str(amount)
