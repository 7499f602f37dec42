"""Read an engine file, or a built-in description by its name."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from onnxtile.engine.description import Engine
from onnxtile.engine.mistakes import toml_text
from onnxtile.errors import UsageError, did_you_mean, system_words

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

BUILT_IN = Path(__file__).parent / "builtin"
"""The folder of the built-in descriptions."""
MOST_BYTES = 100_000
"""The largest engine file that is read."""

QUOTES = "text and amounts with a unit are in quotes, and each field has a line of its own"


def names() -> list[str]:
    """Return the names of the built-in descriptions."""
    return sorted(path.stem for path in BUILT_IN.glob("*.toml"))


def load(source: str | Path) -> Engine:
    """Return the engine of a file, or the built-in one of that name.

    Raises UsageError with the place, the fact and the cure.
    """
    return engine_of(table_of(source), str(source))


def table_of(source: str | os.PathLike[str]) -> dict[str, object]:
    """Return the content of an engine file, or of the built-in one of that name. Raises UsageError."""
    return read(_path(source), str(source))


def text_of(source: str | os.PathLike[str]) -> str:
    """Return the text of an engine file, or of the built-in one of that name. Raises UsageError."""
    return _text(_path(source), str(source))


def _path(source: str | os.PathLike[str]) -> Path:
    return BUILT_IN / f"{source}.toml" if str(source) in names() else Path(source)


def read(path: Path, source: str) -> dict[str, object]:
    """Return the table of a file that users call `source`. Raises UsageError for what is no file, or no TOML."""
    if not (table := _parsed(_text(path, source), source)):
        raise UsageError(f"{source} is empty: `onnxtile engine new` writes an engine file to start from")
    return table


def _text(path: Path, source: str) -> str:
    """Return the text of a file. Raises UsageError."""
    try:
        if path.exists() and not path.is_file():  # reading a pipe would wait for ever
            raise UsageError(f"engine {source!r} is no file: give the path of one, or one of {', '.join(names())}")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        words = did_you_mean(source, names()) or f"; built in are {', '.join(names())}"
        raise UsageError(f"engine {source!r}: {system_words(error)}{words}") from error
    if len(content) > MOST_BYTES:
        raise UsageError(f"{source}: more than {MOST_BYTES:,} bytes aren't an engine file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{source} isn't text in UTF-8: give an engine file, or save it as UTF-8") from error


def _parsed(text: str, source: str) -> dict[str, object]:
    """Return the table of TOML text. Raises UsageError with the line."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        words, line, column = _where(str(error), text)
        lines = text.splitlines()
        shown = f", in {toml_text(lines[line - 1].strip())}" if line <= len(lines) else ""
        cure = "each field is written once" if "overwrite" in words or "twice" in words else QUOTES
        raise UsageError(f"{source}: line {line}, column {column} isn't TOML: {words}{shown}; {cure}") from error
    except ValueError as error:  # of Python, for a number of thousands of digits
        raise UsageError(f"{source}: a number has too many digits: write amounts with a unit") from error
    except RecursionError as error:
        raise UsageError(f"{source} isn't an engine file: lists or tables are nested too deeply") from error


def _where(words: str, text: str) -> tuple[str, int, int]:
    """Return what the parser says, with the line and the column, from 1."""
    if place := re.search(r" \(at line (\d+), column (\d+)\)$", words):
        line, column = int(place[1]), int(place[2])
    else:
        line, column = text.count("\n") + 1, len(text) - text.rfind("\n")
    return re.sub(r" \(at [^()]*\)$", "", words)[:100].lower(), line, column


def engine_of(table: dict[str, object], source: str) -> Engine:
    """Return the engine of a table that `source` holds. Raises UsageError."""
    try:
        return Engine(**table)
    except UsageError as error:
        raise UsageError(f"{source}: {error}") from error
