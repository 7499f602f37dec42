"""Write amounts rounded, for people: three digits and a unit; exact text is `amount_text` in amounts."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from onnxtile.ir.symbolic.amounts import Amount, Range, Unknown
from onnxtile.ir.symbolic.formula_text import formula_text


@lru_cache(maxsize=4096)
def count_text(amount: Amount) -> str:
    """Return a count of three digits, such as 4.09 G; formulas as they are, `?` where it isn't known."""
    return rounded(amount, _count)


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
