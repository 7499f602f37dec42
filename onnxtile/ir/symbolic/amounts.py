"""Amounts: whole numbers, formulas in the model's free dimensions, ranges, and what can't be told."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias, TypeGuard

import onnx_ir as ir
import sympy

from onnxtile.ir.symbolic.comparison import extreme
from onnxtile.ir.symbolic.formula_text import formula_text
from onnxtile.ir.symbolic.simplification import shortened

Number: TypeAlias = "int | sympy.Expr"
"""A whole number, or an exact formula: its symbols are sizes, positive whole numbers."""
Dim: TypeAlias = "int | sympy.Expr | None"
"""A size: a number or formula, or None where it isn't known."""

_BEYOND = 2**512
_TOO_LARGE = "it's a number beyond all measure"


@dataclass(frozen=True)
class Range:
    """From `min` to `max`, both possible; `max` None: no bound is known."""

    min: Number
    max: Number | None

    def __str__(self) -> str:
        low = formula_text(self.min)
        return f"{low} or more" if self.max is None else f"{low} to {formula_text(self.max)}"


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
        formula = shortened(ir.SymbolicDim(text)._expr)
    except (TypeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"{text!r} is no formula: {error}") from error
    if formula.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo):
        raise ValueError(f"{text!r} divides by 0")
    return _plain(formula)


def symbol(name: str) -> Number:
    """Return a symbol for a size of that name."""
    return sympy.Symbol(name, integer=True, positive=True)


def _plain(formula: Any) -> Number:
    return int(formula) if formula.is_Integer else formula


def are_numbers(amounts: Sequence[Amount | ir.SymbolicDim]) -> TypeGuard[Sequence[int]]:
    """Return whether all are whole numbers: mostly, and quick to tell."""
    return set(map(type, amounts)) <= {int}


def product(amounts: Iterable[Amount]) -> Amount:
    """Multiply amounts: nothing times anything is nothing, and what isn't known keeps the product unknown.

    So does a number beyond all measure, which no sizes of a real model give.
    """
    factors = list(amounts)
    if are_numbers(factors):
        whole = math.prod(factors)
        return whole if whole <= _BEYOND else Unknown(_TOO_LARGE)
    if any(isinstance(factor, int) and factor == 0 for factor in factors):
        return 0
    if math.prod(factor for factor in factors if isinstance(factor, int)) > _BEYOND:
        return Unknown(_TOO_LARGE)
    if (unknown := _first_unknown(factors)) is not None:
        return unknown
    if not any(isinstance(factor, Range) for factor in factors):
        return multiplied(factors)
    highs = [_high(factor) for factor in factors]
    return _range(multiplied(list(map(_low, factors))), None if None in highs else multiplied(highs))


def _first_unknown(amounts: Iterable[Amount]) -> Unknown | None:
    return next((amount for amount in amounts if isinstance(amount, Unknown)), None)


def multiplied(numbers: Sequence[Number]) -> Number:
    """Multiply numbers, formulas at once, as one by one they take time by their square."""
    if are_numbers(numbers):
        return math.prod(numbers)
    whole = math.prod(number for number in numbers if isinstance(number, int))
    formulas = [number for number in numbers if not isinstance(number, int)]
    return _plain(sympy.Mul(whole, *formulas)) if formulas else whole


def total(amounts: Iterable[Amount]) -> Amount:
    """Add amounts up; what is unknown makes the sum a range without an upper end."""
    amounts = list(amounts)
    if are_numbers(amounts):
        return sum(amounts)
    whole, formulas, high = 0, [], []
    bounded, ranged = True, False
    for amount in amounts:
        if isinstance(amount, int):
            whole += amount
        elif isinstance(amount, Unknown):
            bounded = False
        elif isinstance(amount, Range):
            ranged = True
            formulas.append(amount.min)
            bounded &= amount.max is not None
            high.append(0 if amount.max is None else amount.max - amount.min)
        else:
            formulas.append(amount)
    low = _sum(whole, formulas)
    if not bounded:
        return Range(low, None)
    return _range(low, _sum(low, high)) if ranged else low


def known_total(amounts: Iterable[Amount]) -> Amount:
    """Return the sum, or the first amount that isn't known."""
    summands = list(amounts)
    return _first_unknown(summands) or total(summands)


def _sum(whole: Number, formulas: list[Any]) -> Number:
    return _plain(sympy.Add(whole, *map(expanded, formulas))) if formulas else whole


def expanded(formula: Any) -> Any:
    """Multiply a formula out; one that is so already is told quickly."""
    for term in sympy.Add.make_args(formula):
        for factor in sympy.Mul.make_args(term):
            if factor.is_Add or (factor.is_Pow and factor.base.is_Add):
                return sympy.expand(formula)
    return formula


def difference(left: Amount, right: Amount) -> Amount:
    """Return left - right; unknown where either is, or no number or formula."""
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return left if isinstance(left, Unknown) else right
    if isinstance(left, Range) or isinstance(right, Range):
        return Unknown("it depends on the run")
    return left - right if isinstance(left, int) and isinstance(right, int) else _sum(0, [left, -right])


def either(amounts: Iterable[Amount]) -> Amount:
    """Return the range of amounts of which one holds, it isn't known which; unknown if one is."""
    choices = list(amounts)
    if (unknown := _first_unknown(choices)) is not None:
        return unknown
    highs = [_high(amount) for amount in choices]
    return _range(_extreme(map(_low, choices), False), None if None in highs else _extreme(highs, True))


def largest(amounts: Iterable[Amount]) -> Amount:
    """Return the greatest; where one is unknown, the greatest of the others is a lower bound."""
    different = set(amounts)
    known = [amount for amount in different if not isinstance(amount, Unknown)]
    low: Number = _extreme(map(_low, known), True) if known else 0
    highs = [_high(amount) for amount in known]
    if len(known) < len(different) or None in highs:
        return Range(low, None)
    return _range(low, _extreme(highs, True)) if any(isinstance(amount, Range) for amount in known) else low


def _extreme(numbers: Iterable[Any], greatest: bool) -> Number:
    """Return the greatest or least number or formula; a formula of several where no one of them is so for all sizes."""
    different = list(numbers)
    formulas = [number for number in different if not isinstance(number, int)]
    plain = [number for number in different if isinstance(number, int)]
    plain = [max(plain) if greatest else min(plain)] if plain else []
    return _plain(sympy.sympify(extreme([*formulas, *plain], greatest))) if formulas else plain[0]


def _low(amount: Amount) -> Number:
    assert not isinstance(amount, Unknown)
    return amount.min if isinstance(amount, Range) else amount


def _high(amount: Amount) -> Number | None:
    assert not isinstance(amount, Unknown)
    return amount.max if isinstance(amount, Range) else amount


def _range(low: Number, high: Number | None) -> Amount:
    return low if high is not None and low == high else Range(low, high)


def fill(size: Number, whole: int | None) -> Number:
    """Return the size rounded up to a multiple of `whole` (None: as it is)."""
    if whole is None:
        return size
    if isinstance(size, int):
        return -(-size // whole) * whole
    return _plain(whole * shortened(sympy.ceiling(size / whole)))


def pieces(size: Number, length: int | None) -> Number:
    """Return how many pieces of `length` (None: of any length) the size is cut into; what is empty is one, too."""
    if length is None:
        return 1
    if isinstance(size, int):
        return max(1, -(-size // length))
    return _plain(shortened(sympy.ceiling(size / length)))


def ratio(part: Amount, whole: Amount) -> float | None:
    """Return part over whole; None where that depends on free dimensions, isn't known, or whole is 0."""
    if isinstance(part, (Range, Unknown)) or isinstance(whole, (Range, Unknown)) or whole == 0:
        return None
    share = sympy.sympify(part) / whole if not (isinstance(part, int) and isinstance(whole, int)) else part / whole
    return float(share) if isinstance(share, float) or share.is_Rational else None


def bytes_of(elements: Amount, bits: int) -> Amount:
    """Return the whole bytes of elements packed without gaps."""
    if isinstance(elements, Unknown):
        return elements
    if isinstance(elements, Range):
        return _at_both_ends(elements, lambda end: bytes_of(end, bits))
    if bits % 8 == 0:
        return elements * (bits // 8)
    if isinstance(elements, int):
        return -(-elements * bits // 8)
    return sympy.ceiling(elements * sympy.Rational(bits, 8))


def is_known(amount: Amount) -> bool:
    """Return whether it's one number or formula."""
    return not isinstance(amount, (Range, Unknown))


def with_sizes(amount: Amount, sizes: Mapping[str, int]) -> Amount:
    """Return the amount with sizes put in for symbols."""
    if isinstance(amount, (int, Unknown)):
        return amount
    if isinstance(amount, Range):
        return _at_both_ends(amount, lambda end: with_sizes(end, sizes))
    return _plain(amount.subs({name: sizes[name.name] for name in amount.free_symbols if name.name in sizes}))


def _at_both_ends(ends: Range, change: Callable[[Number], Any]) -> Amount:
    return _range(change(ends.min), None if ends.max is None else change(ends.max))


def names_in(amount: Amount) -> set[str]:
    """Return the symbols of a formula, or of both ends of a range."""
    if isinstance(amount, Range):
        return names_in(amount.min) | (set() if amount.max is None else names_in(amount.max))
    return set() if isinstance(amount, (int, Unknown)) else set(map(str, amount.free_symbols))


def amount_text(amount: Amount) -> str:
    """Return an amount with its thousands set apart; formulas and ranges in words."""
    if isinstance(amount, int):
        return f"{amount:,}"
    return str(amount) if isinstance(amount, (Range, Unknown)) else formula_text(amount)
