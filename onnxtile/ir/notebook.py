"""Show results as tables: as text, as HTML in notebooks, and as a data frame for pandas."""

from __future__ import annotations

import html
from abc import abstractmethod
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from onnxtile.errors import UsageError
from onnxtile.ir.printable import WORDS, aligned, printable

if TYPE_CHECKING:
    import pandas

MOST_PRINTED = 20
"""Rows of a table of text."""
MOST_ROWS = 100
"""Rows of a table of HTML; a data frame has all."""


@dataclass(frozen=True)
class Sheet:
    """A result as it's shown: lines of text, and below them a table. `right`: the columns that hold numbers."""

    lines: Sequence[str]
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: Container[int] = ()

    def text(self) -> str:
        """Return it as lines: the table, its first rows if there are many, and the lines below."""
        more = len(self.rows) - MOST_PRINTED
        rows = [*([self.headings] if self.headings else ()), *self.rows[:MOST_PRINTED]]
        cut = [f"... and {more:,} more"] if more > 0 else []
        return "\n".join([*(aligned(rows, self.right) if rows else ()), *cut, *map(printable, self.lines)])

    def html(self) -> str:
        """Return it as HTML. All text is escaped: names come from files, and may hold markup."""
        more = len(self.rows) - MOST_ROWS
        lines = [*self.lines, *([f"... and {more:,} more rows; to_pandas() has all"] if more > 0 else ())]
        rows = [_row("th", self.headings, self.right)] if self.headings else []
        rows += [_row("td", row, self.right) for row in self.rows[:MOST_ROWS]]
        table = f"<table>{''.join(rows)}</table>" if self.rows else ""
        return f"<div>{table}<p>{'<br>'.join(map(_escaped, lines))}</p></div>"


def _row(tag: str, cells: Sequence[str], right: Container[int]) -> str:
    sides = ("right" if at in right else "left" for at in range(len(cells)))
    shown = (
        f"<{tag} style='text-align: {side}'>{_escaped(cell)}</{tag}>" for side, cell in zip(sides, cells, strict=True)
    )
    return f"<tr>{''.join(shown)}</tr>"


def _escaped(text: str) -> str:
    return html.escape(printable(text, WORDS))


class Tabular:
    """A result that is a table: it prints as one, notebooks show it as one, and pandas takes it."""

    def __str__(self) -> str:
        return self.sheet().text()

    @abstractmethod
    def sheet(self) -> Sheet:
        """Return what people see."""

    @abstractmethod
    def records(self) -> Sequence[Mapping[str, Any]]:
        """Return the rows as JSON has them: exact, with null where an amount isn't known."""

    def _repr_html_(self) -> str:
        return self.sheet().html()

    def to_pandas(self) -> pandas.DataFrame:
        """Return the rows as a data frame, with the members of JSON as columns; objects in them are spread out.

        Amounts are whole numbers, formulas in free dimensions as text, or None where they aren't known. Raises
        UsageError where pandas isn't installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise UsageError("to_pandas takes pandas, which isn't installed: pip install pandas") from error
        records = self.records()
        spread = {name for record in records for name, value in record.items() if isinstance(value, Mapping)}
        rows = ({name: value for name, value in record.items() if not (name in spread and value is None)}
                for record in records)  # fmt: skip
        return pandas.json_normalize(list(rows), sep="_")
