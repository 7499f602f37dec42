"""Write amounts rounded, for people: three digits and a unit; exact text is `amount_text` in amounts."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import sympy

from onnxtile.ir.symbolic.amounts import Amount, Range, Unknown, amount_text
from onnxtile.ir.symbolic.formula_text import formula_text

LONGEST, FEW = 40, 4
"""Letters of a formula that stands within a line, and names of a longer one's dimensions that are given."""


@lru_cache(maxsize=4096)
def count_text(amount: Amount) -> str:
    """Return a count of three digits, such as 4.09 G; formulas as they are, `?` where it isn't known."""
    return rounded(amount, _count)


def amount_in_line(amount: Amount) -> str:
    """Return an amount exactly; of a formula that's too long for a line the names that it depends on.

    >>> a, b = sympy.symbols("a b")
    >>> amount_in_line(4 * a), amount_in_line(4096 * a**2 + 65536 * a * b**2 + 1024 * b**2 + 512)
    ('4*a', '(a formula in a, b)')
    """
    text = amount_text(amount)
    if len(text) <= LONGEST:
        return text
    ends = (amount.min, amount.max) if isinstance(amount, Range) else (amount,)
    names = sorted({str(one) for end in ends if isinstance(end, sympy.Basic) for one in end.free_symbols})
    more = f" and {len(names) - FEW:,} more" if len(names) > FEW else ""
    return f"(a formula in {', '.join(names[:FEW])}{more})" if names else text


def rounded(amount: Amount, text: Callable[[int], str]) -> str:
    """Return an amount with its numbers written by `text`, both ends of a range."""
    if isinstance(amount, Unknown):
        return "?"
    if isinstance(amount, Range):
        low = rounded(amount.min, text)
        return f"{low} or more" if amount.max is None else f"{low} to {rounded(amount.max, text)}"
    return text(amount) if isinstance(amount, int) else formula_text(amount)


def percent_text(share: float | None) -> str:
    """Return a share of 1 as `12.3%`; `?` where it isn't known, and never 100.0% of what isn't all.

    >>> percent_text(1.0), percent_text(0.99999), percent_text(0.12345)
    ('100%', '99.9%', '12.3%')
    """
    if share is None:
        return "?"
    if share in (0, 1):
        return f"{share:.0%}"
    tenths = min(max(round(1000 * share), 1), 999) if share < 1 else round(1000 * share)
    return f"{tenths / 10:.1f}%"


def _count(number: int) -> str:
    for factor, unit in ((10**15, "P"), (10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if abs(number) >= factor:
            return f"{number / factor:.3g} {unit}" if abs(number) < 999.5 * factor else f"{number / factor:.0f} {unit}"
    return str(number)
