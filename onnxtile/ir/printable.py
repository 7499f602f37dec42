"""Text that is safe to print: names come from files, and a file may hold what steers a terminal."""

from __future__ import annotations

from collections.abc import Container, Sequence

from onnxtile.errors import spelled_out

LONGEST = 4096
"""Characters of one text that are shown; of a longer one its beginning, its end and its length."""
SHORT = 120
"""Characters of a name or string among others."""
WORDS = 300
"""Letters of another program's error that are shown; of a longer one its beginning."""


def printable(text: str, longest: int = LONGEST) -> str:
    r"""Return the text on one line, with control and formatting characters and lone surrogates spelled out.

    All that people see goes through here where it's printed: messages, cells of tables, lines of reports. Longer text
    loses its middle.

    >>> print(printable("a\nb \x1b[31m \u202e"), printable("x" * 1000 + "y", 4))
    a\nb \x1b[31m \u202e xx...xy (1,001 characters)
    """
    if len(text) > longest:
        text = f"{text[: longest - longest // 2]}...{text[-(longest // 2) :]} ({len(text):,} characters)"
    return spelled_out(text)


def beginning(words: str, longest: int = WORDS) -> str:
    """Return the words, or so many letters of them and an ellipsis."""
    return words if len(words) <= longest else f"{words[:longest]}..."


def several(count: int, noun: str, plural: str = "") -> str:
    """Return `1 node`, `2,000 nodes`; `plural`: where that isn't the noun with an s."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def in_scope(scope: str, name: str) -> str:
    """Return a node's name behind that of the graph that it's in, '' for the main one."""
    return f"{scope}: {name}" if scope else name


def aligned(rows: Sequence[Sequence[str]], right: Container[int] = ()) -> list[str]:
    """Return rows of cells as lines, each column as wide as its widest cell; those in `right` hold numbers.

    >>> aligned([("node", "MACs"), ("fc", "9")], right=[1])
    ['node  MACs', 'fc       9']
    """
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
