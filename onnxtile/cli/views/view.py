"""A view of a profile, and how views write amounts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import ClassVar

from rich.filesize import decimal

from onnxtile.cli.table import Column, Table, numbers
from onnxtile.errors import UsageError
from onnxtile.ir.json_encoding import JsonRecord
from onnxtile.ir.symbolic.amounts import Amount, Range, Unknown
from onnxtile.profiling.results import Profile


class View(JsonRecord, ABC):
    """A view that the command shows. `accepts`: options that shape a table of its own, beside those of the model."""

    schema: ClassVar[str] = Profile.schema
    accepts: ClassVar[Collection[str]] = ()

    @abstractmethod
    def print(self) -> None:
        """Print the view, rounded."""

    @abstractmethod
    def sheet(self) -> Sequence[object]:
        """Return the rows of a sheet, exact, each of which is a JSON object."""

    @classmethod
    def reject_options(cls, table: str, options: Mapping[str, object]) -> None:
        """Refuse options that are given and that the view has no use for: UsageError. `table`: what asks for it."""
        outside = [option for option, value in options.items() if value and option not in (table, *cls.accepts)]
        if outside:
            raise UsageError(f"{table} is a table of its own and takes no {', '.join(outside)}; leave that out")


@lru_cache(maxsize=4096)
def count_text(amount: Amount) -> str:
    """Return a count of three digits, such as 4.09 G; formulas as they are, `?` where it isn't known."""
    return _rounded(amount, _count)


@lru_cache(maxsize=4096)
def bytes_text(amount: Amount) -> str:
    """Return bytes rounded, such as 102.4 MB."""
    return _rounded(amount, lambda size: decimal(size) if size else "0")


def _rounded(amount: Amount, text: Callable[[int], str]) -> str:
    if isinstance(amount, Unknown):
        return "?"
    if isinstance(amount, Range):
        low = _rounded(amount.min, text)
        return f"{low} or more" if amount.max is None else f"{low} to {_rounded(amount.max, text)}"
    return text(amount) if isinstance(amount, int) else str(amount)


def _count(number: int) -> str:
    for factor, unit in ((10**15, "P"), (10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if abs(number) >= factor:
            return f"{number / factor:.3g} {unit}" if abs(number) < 999.5 * factor else f"{number / factor:.0f} {unit}"
    return str(number)


def amounts_by_name(names: str, *headings: str) -> Table:
    """Return a table of names, and of numbers, or formulas that may be long."""
    return Table([Column(names, shorten="middle"), *numbers(*headings, shorten="end")])
