"""Write formulas for people: quotients rounded up as such, and what is taken away behind what it's taken from."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import sympy
from sympy.printing.str import StrPrinter


@lru_cache(maxsize=4096)
def formula_text(formula: Any) -> str:
    """Return a formula as text; what JSON has is its `str`, which sympy reads.

    >>> batch = sympy.Symbol("batch", integer=True, positive=True)
    >>> formula_text(32 * sympy.floor(batch / 32 + sympy.Rational(31, 32)) - 40 * batch)
    '32*ceil(batch/32) - 40*batch'
    """
    text: str = _Printer().doprint(formula)
    return text


class _Printer(StrPrinter):  # type: ignore[misc]  # sympy has no types
    """Formulas are kept with floor alone, for which there are rules (`simplification.py`)."""

    def _as_ordered_terms(self, added: Any, order: str | None = None) -> list[Any]:
        return sorted(super()._as_ordered_terms(added, order), key=lambda term: bool(term.could_extract_minus_sign()))

    def _print_floor(self, rounded: Any) -> str:
        number, rest = rounded.args[0].as_coeff_Add()
        terms = rest.as_coefficients_dict()
        step = sympy.ilcm(1, *(count.q for count in terms.values()))
        whole = all(term.is_integer for term in terms)  # so that the rest is a number of n-ths
        if step > 1 and whole and number == sympy.Rational(step - 1, step):
            return f"ceil({self._print(rest)})"
        return f"floor({self._print(rounded.args[0])})"

    def _print_ceiling(self, rounded: Any) -> str:
        return f"ceil({self._print(rounded.args[0])})"
