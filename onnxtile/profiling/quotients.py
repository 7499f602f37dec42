"""Formulas of rounded quotients in a short form: what strides leave of a length, layer after layer."""

from __future__ import annotations

from typing import Any

import sympy


def shortened(formula: Any) -> Any:
    """The same formula with quotients of quotients as one: floor(floor((x - 1)/2)/2) + 1 is floor((x + 3)/4).

    Lengths become single terms so, and products of them stay short when they are multiplied out.
    """
    if not formula.has(sympy.floor):
        return formula
    return formula.replace(sympy.floor, _of_one).replace(lambda part: part.is_Add, _gathered)


def _of_one(inner: Any) -> Any:
    """floor((floor(a) + m)/n) = floor((a + m)/n) for whole m and n, n > 0 (Concrete Mathematics, 3.10 and 3.11)."""
    if any(sympy.denom(part).free_symbols for part in sympy.Add.make_args(inner)):
        inner = sympy.cancel(inner)
    for term, share in inner.as_coefficients_dict().items():
        whole = 1 / share if share else share
        if not isinstance(term, sympy.floor) or not (whole.is_Integer and whole > 0):
            continue
        rest = sympy.expand((inner - share * term) * whole)
        if rest.is_integer and not rest.has(sympy.floor):
            return sympy.floor(sympy.expand((term.args[0] + rest) / whole))
    return sympy.floor(inner)


def _gathered(added: Any) -> Any:
    """N floor(a) + n m as n floor(a + m)."""
    number, rest = added.as_coeff_Add()
    times, term = rest.as_coeff_Mul()
    if isinstance(term, sympy.floor) and times.is_Integer and (number / times).is_Integer:
        return times * sympy.floor(sympy.expand(term.args[0] + number / times))
    return added
