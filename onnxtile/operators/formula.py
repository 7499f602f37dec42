"""Formulas: sums of products of measures, which are read off a node where they're wanted, and their words."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias, TypeVar

import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import UnsizedError
from onnxtile.ir.symbolic.amounts import Amount, Unknown, known_total, product

Read: TypeAlias = Callable[[ir.Node, "int | None"], Amount]
"""Reads a measure off a node that is written in a version of the default operator set."""


@dataclass(frozen=True, eq=False)
class Measure:
    """Something to count by. `words`: in formulas; `meaning`: in the legend. A `condition` is 1 where it holds, else 0.

    `read` may raise UnsizedError or ModelError: then it isn't known, for that reason.
    """

    words: str
    meaning: str
    read: Read
    condition: bool = False

    def at(self, node: ir.Node, opset: int | None) -> Amount:
        try:
            return self.read(node, opset)
        except (UnsizedError, ModelError) as why:
            return Unknown(str(why))


Factors: TypeAlias = tuple[Measure, ...]
Known: TypeAlias = dict[Measure, Amount]
"""Measures of one node that were read already."""


class Formula:
    """A sum of products of measures, each so many times; formulas add, subtract and multiply as numbers do."""

    __slots__ = ("terms",)

    def __init__(self, terms: Mapping[Factors, int]) -> None:
        self.terms = tuple((times, factors) for factors, times in terms.items() if times)

    def amount(self, node: ir.Node, opset: int | None, known: Known) -> Amount:
        """Evaluate the formula at a node, never below 0 (of nothing there's no largest element); unknown if a term is.

        A condition that doesn't hold makes its term 0, whatever else is in it.
        """
        whole, rest = 0, []
        for times, factors in self.terms:
            others: list[Amount] = []
            for factor in factors:
                amount = known.get(factor)
                if amount is None:
                    amount = known[factor] = factor.at(node, opset)
                if amount.__class__ is int:
                    times *= amount
                else:
                    others.append(amount)
                if not times:
                    break
            if others and times:
                rest.append((times, *others))
            else:
                whole += times
        result = _sum(whole, tuple(rest)) if rest else whole
        return max(result, 0) if isinstance(result, int) else result

    def __add__(self, other: Formula | int) -> Formula:
        terms: Counter[Factors] = Counter()
        for times, factors in (*self.terms, *_formula(other).terms):
            terms[factors] += times
        return Formula(terms)

    def __mul__(self, other: Formula | int) -> Formula:
        if not isinstance(other, (Formula, int)):
            return NotImplemented
        terms: Counter[Factors] = Counter()
        for (times, factors), (more, others) in itertools.product(self.terms, _formula(other).terms):
            terms[_ordered((*factors, *others))] += times * more
        return Formula(terms)

    def __sub__(self, other: Formula | int) -> Formula:
        return self + _formula(other) * -1

    __rmul__ = __mul__
    __radd__ = __add__

    def __str__(self) -> str:
        text = " ".join(f"{'-' if times < 0 else '+'} {_words(abs(times), factors)}" for times, factors in self.terms)
        return text.removeprefix("+ ")

    def measures(self) -> Iterator[Measure]:
        for _, factors in self.terms:
            yield from factors


def _formula(of: Formula | int) -> Formula:
    return of if isinstance(of, Formula) else Formula({(): of})


def _ordered(factors: Factors) -> Factors:
    """Put conditions first, once: where they don't hold, nothing else is read."""
    conditions = dict.fromkeys(factor for factor in factors if factor.condition)
    return (*conditions, *(factor for factor in factors if not factor.condition))


def _words(times: int, factors: Factors) -> str:
    counted = [factor.words for factor in factors if not factor.condition]
    numbers = [] if times == 1 and counted else [str(times)]
    return " ".join([" x ".join(numbers + counted), *(factor.words for factor in factors if factor.condition)])


@lru_cache(maxsize=4096)
def _sum(whole: int, products: tuple[tuple[Amount, ...], ...]) -> Amount:
    """Return the sum of products of which some factors aren't numbers; a formula is worked out once."""
    return known_total([whole, *map(product, products)])


def measure(words: str, meaning: str) -> Callable[[Read], Formula]:
    """Return a decorator that makes a function, which reads a measure off a node, the formula of that measure."""
    return lambda read: Formula({(Measure(words, meaning, read),): 1})


def condition(words: str) -> Callable[[Callable[[ir.Node, int | None], bool]], Formula]:
    """Return a decorator as `measure` does, for a condition: it stands behind what's counted only where it holds."""

    def formula(holds: Callable[[ir.Node, int | None], bool]) -> Formula:
        return Formula({(Measure(f"[{words}]", "", lambda node, opset: int(holds(node, opset)), condition=True),): 1})

    return formula


def unknown(reason: str) -> Formula:
    """Return the formula of what can't be told from shapes."""
    return measure(f"unknown: {reason}", "")(lambda node, opset: Unknown(reason))


Count = TypeVar("Count", int, Formula)
"""How many there are: a number, or the formula of it."""
NOTHING = Formula({})
ONE = Formula({(): 1})
