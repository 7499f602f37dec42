"""Write the table of operators into docs/proof.md from the list that the proof has: `python docs/proof.py`."""

from __future__ import annotations

import sys
from pathlib import Path

from onnxtile.verification import evaluator
from onnxtile.verification.semantics.entry import OPERATORS, Entry

PAGE = Path(__file__).with_suffix(".md")
BEGIN, END = "<!-- operators: written by docs/proof.py -->", "<!-- end of operators -->"
WORDS = {"takes": "number", "-": "none"}


def table() -> str:
    """The table as it should be: a row for operators that are evaluated alike and take the same."""
    assert evaluator  # it puts operators on the list
    rows: dict[tuple[str, str, str, str], list[str]] = {}
    for (domain, name), entry in OPERATORS.items():
        key = (_file(entry), _takes(entry), ", ".join(sorted(entry.attributes)), domain)
        rows.setdefault(key, []).append(name)
    lines = ["| operators | inputs are taken as | attributes | what they do |", "|---|---|---|---|"]
    for (file, takes, attributes, domain), names in sorted(rows.items(), key=lambda row: (row[0][0], row[1])):
        shown = ", ".join(names) + (f" ({domain})" if domain else "")
        lines.append(f"| {shown} | {takes} | {attributes} | {_says(file)} |")
    return "\n".join(lines)


def page() -> str:
    """The page with the table in it."""
    text = PAGE.read_text()
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{table()}\n\n{END}{rest.partition(END)[2]}"


def _file(entry: Entry) -> str:
    return entry.evaluate.__module__


def _says(file: str) -> str:
    """The first sentence of a module's docstring."""
    words = " ".join((sys.modules[file].__doc__ or "").split())
    return words.split(". ")[0].rstrip(".")


def _takes(entry: Entry) -> str:
    return ", ".join(entry.takes)


if __name__ == "__main__":
    PAGE.write_text(page())
