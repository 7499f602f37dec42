"""Text that is safe to print: names come from files, and a file may hold what steers a terminal."""

from __future__ import annotations

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
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def beginning(words: str, longest: int = WORDS) -> str:
    """Return the words, or so many letters of them and an ellipsis."""
    return words if len(words) <= longest else f"{words[:longest]}..."
