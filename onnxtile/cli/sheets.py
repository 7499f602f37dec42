"""Write exact tables for spreadsheets and documents."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onnxtile.ir.io.files import replacing
from onnxtile.ir.json_encoding import encode
from onnxtile.ir.printable import printable

LONGEST = 1 << 20
"""Characters of a cell; of a longer one the middle is left out."""
_FORMULA = re.compile(r"(?=[=+@-])(?!-\d[\d.]*(e[+-]?\d+)?$)", re.ASCII)
"""Where a cell of CSV begins that a spreadsheet would compute, though it's no number."""
_MARKS = re.compile(r"[\\|`*<\[\]]")
"""Signs that Markdown takes for more than themselves: a formula has asterisks."""


def write_sheet(path: Path, kind: str, rows: Sequence[object]) -> None:
    """Write JSON objects as `csv` or `markdown`, headings from the members of the first; `-`: to standard output."""
    objects = encode(rows)
    headings = list(objects[0]) if rows else []
    cells = [[_text(row.get(heading)) for heading in headings] for row in objects]
    text = _csv(headings, cells) if kind == "csv" else _markdown(headings, cells)
    if str(path) == "-":
        sys.stdout.write(text)
        return
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def _csv(headings: list[str], rows: list[list[str]]) -> str:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows([f"'{cell}" if _FORMULA.match(cell) else cell for cell in row] for row in rows)
    return written.getvalue()


def _markdown(headings: list[str], rows: list[list[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *([_escaped(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _escaped(cell: str) -> str:
    return " ".join(_MARKS.sub(r"\\\g<0>", cell).split())


def _text(cell: Any) -> str:
    """Return a cell of JSON as text: a range by its ends, a list by its items, '' for null."""
    if isinstance(cell, Mapping):
        if cell.keys() == {"min", "max"}:
            return f"{cell['min']} or more" if cell["max"] is None else f"{cell['min']} to {cell['max']}"
        return "; ".join(f"{name}: {_text(value)}" for name, value in cell.items())
    if isinstance(cell, (list, tuple)):
        return ", ".join(map(_text, cell))
    return "" if cell is None else printable(str(cell), LONGEST)
