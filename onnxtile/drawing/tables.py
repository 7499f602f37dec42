"""Tables of a report: sorted by a click on a heading, what needs action first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sympy

from onnxtile.drawing.svg import Element, add, short
from onnxtile.ir.printable import several
from onnxtile.ir.symbolic.amounts import Amount, Range, Unknown, amount_text

MOST_ROWS = 1000
"""Rows of a table; more are counted."""
LONGEST = 64
"""Letters of a name; a longer one's ends, and all of it under the pointer."""


@dataclass(frozen=True)
class Cell:
    """Text of a cell; `sort`: by what it's sorted if that's a number; `kind`: how it looks; `title`: all of it."""

    words: str
    sort: float | None = None
    kind: str = ""
    title: str = ""


def amount_cell(amount: Amount) -> Cell:
    """Return an amount, and why it isn't known; unknown ones are the greatest."""
    if isinstance(amount, Unknown):
        return Cell("?", float("inf"), "number unknown", amount.reason)
    if isinstance(amount, int):
        return Cell(amount_text(amount), amount, "number")
    bound = amount.max if isinstance(amount, Range) and amount.max is not None else amount
    size = float("inf") if isinstance(bound, (Range, sympy.Basic)) else float(bound)
    words = amount_text(amount)
    if (
        isinstance(amount, Range)
        and isinstance(amount.min, int)
        and (amount.max is None or isinstance(amount.max, int))
    ):
        words = f"{amount.min:,} or more" if amount.max is None else f"{amount.min:,} to {amount.max:,}"
    return Cell(short(words, LONGEST), size, "number", words)


def name_cell(name: str) -> Cell:
    """Return a name, shortened in the middle."""
    return Cell(short(name, LONGEST), title=name if len(name) > LONGEST else "")


def add_table(parent: Element, headings: Sequence[str], rows: Sequence[Sequence[Cell]], empty: str = "none") -> None:
    """Add a table of these rows in their order, without columns that say nothing; `empty`: said of no rows."""
    if not rows:
        add(parent, "p", empty, class_="dim")
        return
    told = [at for at in range(len(headings)) if any(row[at].words for row in rows)]
    headings, rows = [headings[at] for at in told], [[row[at] for at in told] for row in rows]
    table = add(add(parent, "div", class_="scroll"), "table", class_="sortable")
    head = add(add(table, "thead"), "tr")
    for at, heading in enumerate(headings):
        numeric = any("number" in row[at].kind for row in rows)
        add(add(head, "th", scope="col", **({"class_": "number"} if numeric else {})), "button", heading, type="button")
    body = add(table, "tbody")
    for row in rows[:MOST_ROWS]:
        line = add(body, "tr")
        for cell in row:
            more = {"data_sort": _sort_text(cell.sort)} if cell.sort is not None else {}
            more |= {"class_": cell.kind} if cell.kind else {}
            add(line, "td", cell.words, **more, **({"title": cell.title} if cell.title else {}))
    if len(rows) > MOST_ROWS:
        add(parent, "p", f"and {several(len(rows) - MOST_ROWS, 'row')} more", class_="dim")


def _sort_text(number: float) -> str:
    return "Infinity" if number == float("inf") else repr(number)


def add_figures(parent: Element, figures: Iterable[tuple[str, Sequence[Cell]]], titles: Sequence[str]) -> None:
    """Add a table of a figure a line, with a column for each model."""
    table = add(add(parent, "div", class_="wide"), "table", class_="figures")
    head = add(add(table, "thead"), "tr")
    for title in ("", *titles):
        add(head, "th", short(title, 32), scope="col")
    body = add(table, "tbody")
    for name, cells in figures:
        line = add(body, "tr")
        add(line, "th", name, scope="row")
        for cell in cells:
            add(line, "td", cell.words, class_=cell.kind or "number", **({"title": cell.title} if cell.title else {}))
