"""A view of a profile, and how views write amounts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import ClassVar

from rich.filesize import decimal

from onnxtile.cli.table import Column, Table
from onnxtile.errors import UsageError
from onnxtile.ir.json_encoding import JsonRecord
from onnxtile.ir.symbolic.amounts import Amount
from onnxtile.ir.symbolic.rounded import rounded
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
def bytes_text(amount: Amount) -> str:
    """Return bytes rounded, such as 102.4 MB."""
    return rounded(amount, lambda size: decimal(size) if size else "0")


def amounts_by_name(names: str, *headings: str, left_out: Sequence[str] = ()) -> Table:
    """Return a table of names, and of numbers, or formulas that may be long; `left_out`: in narrow ones, in order."""
    order = {heading: at for at, heading in enumerate(left_out, 1)}
    columns = [Column(heading, right=True, shorten="end", left_out=order.get(heading, 0)) for heading in headings]
    return Table([Column(names, shorten="middle"), *columns])
