"""Shorten formulas of rounded quotients: what strides leave of a length, what fills it up to whole tiles."""

from __future__ import annotations

from typing import Any

import sympy

_ROUNDED = (sympy.floor, sympy.ceiling, sympy.Mod, sympy.Min, sympy.Max)


def shortened(formula: Any) -> Any:
    """Return the formula with quotients of quotients as one, and remainders and upper ends as quotients.

    floor(floor((x - 1)/2)/2) + 1 is floor((x + 3)/4), and so is (x + Mod(-x, 4))/4. Lengths become single terms so, and
    products of them stay short when they are multiplied out.
    """
    if not formula.has(*_ROUNDED):
        return formula
    return formula.replace(lambda inner: isinstance(inner, _ROUNDED), _short).replace(
        lambda inner: inner.is_Add, _gathered
    )


def _short(formula: Any) -> Any:
    if isinstance(formula, sympy.floor):
        return _floor(formula.args[0])
    if isinstance(formula, sympy.ceiling):
        return -_floor(-formula.args[0])
    return _remainder(*formula.args) if isinstance(formula, sympy.Mod) else _extreme(formula)


def _floor(inner: Any) -> Any:
    """Shorten a floor: floor((floor(a) + m)/n) = floor((a + m)/n) for whole m and n, n > 0.

    Source: Concrete Mathematics, 3.10 and 3.11.
    """
    if any(sympy.denom(term).free_symbols for term in sympy.Add.make_args(inner)):
        inner = sympy.cancel(inner)
    inner = sympy.expand(inner)
    terms = inner.as_coefficients_dict()
    for term, share in terms.items():
        whole = 1 / share if share else share
        if not isinstance(term, sympy.floor) or not (whole.is_Integer and whole > 0):
            continue
        rest = sympy.expand((inner - share * term) * whole)
        if rest.is_integer and not rest.has(sympy.floor):
            return sympy.floor(sympy.expand((term.args[0] + rest) / whole))
    if all(count < 0 for term, count in terms.items() if term != 1):  # rounded up, with the sign in front
        step = _step(terms)
        numbers = sympy.expand(inner * step)
        if numbers.is_integer:
            return -sympy.floor(sympy.expand((step - 1 - numbers) / step))
    return sympy.floor(inner)


def _remainder(of: Any, by: Any) -> Any:
    """Write Mod(a, n) as a - n floor(a/n), factors of a being as small as they can be: Mod(3 x, 4) is Mod(-x, 4)."""
    if not (by.is_Integer and by > 0 and of.is_integer):
        return sympy.Mod(of, by)
    terms = sympy.expand(of).as_coefficients_dict()
    if not all(count.is_Integer for count in terms.values()):
        return sympy.Mod(of, by)
    small = sympy.Add(
        *(term * (count % by if 2 * (count % by) <= by else count % by - by) for term, count in terms.items())
    )
    return sympy.expand(small - by * _floor(small / by))


def _extreme(formula: Any) -> Any:
    """Return a Min or Max without what another of its arguments always is."""
    kept: list[Any] = []
    sign = 1 if isinstance(formula, sympy.Min) else -1
    for argument in sorted(formula.args, key=sympy.default_sort_key):
        if any(_not_less(sign * argument, sign * other) for other in kept):
            continue
        kept = [other for other in kept if not _not_less(sign * other, sign * argument)]
        kept.append(argument)
    return formula.func(*kept)


def _not_less(left: Any, right: Any) -> bool:
    """Return whether left >= right for all sizes of 1 and more, by how far a floor is from what it rounds."""
    difference = sympy.expand(left - right)
    least = sympy.Add(*(_least(term, count) for term, count in difference.as_coefficients_dict().items()))
    terms = sympy.expand(least).as_coefficients_dict()
    rising = all(term == 1 or (count >= 0 and term.is_Symbol) for term, count in terms.items())
    return rising and sum(terms.values()) >= 0  # least where all sizes are 1


def _least(term: Any, count: Any) -> Any:
    """Return no more than count * term: a - (n - 1)/n <= floor(a) <= a for n-ths of whole numbers."""
    if not isinstance(term, sympy.floor):
        return count * term
    inner = term.args[0]
    step = _step(inner.as_coefficients_dict())
    exact = sympy.expand(inner * step).is_integer
    return count * (inner - (step - 1) / step if count > 0 and exact else inner - 1 if count > 0 else inner)


def _step(terms: dict[Any, Any]) -> Any:
    """Return the least common denominator of the terms' factors."""
    return sympy.ilcm(1, *(count.q for count in terms.values()))


def _gathered(added: Any) -> Any:
    """Take n floor(a) + n m together as n floor(a + m)."""
    number, rest = added.as_coeff_Add()
    times, term = rest.as_coeff_Mul()
    if isinstance(term, sympy.floor) and times.is_Integer and (number / times).is_Integer:
        return times * sympy.floor(sympy.expand(term.args[0] + number / times))
    return added
