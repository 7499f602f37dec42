"""Read an engine file, or a built-in description by its name."""

from __future__ import annotations

import os
from pathlib import Path

from onnxtile.engine.description import Engine
from onnxtile.errors import UsageError
from onnxtile.ir.io.toml_files import table_of_text, text_of_file

BUILT_IN = Path(__file__).parent / "builtin"
"""The folder of the built-in descriptions."""
KIND = "engine file"
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
    if not (table := table_of_text(_text(path, source), source, KIND, QUOTES)):
        raise UsageError(f"{source} is empty: `onnxtile engine new` writes an engine file to start from")
    return table


def _text(path: Path, source: str) -> str:
    """Return the text of a file. Raises UsageError."""
    return text_of_file(path, source, KIND, names())


def engine_of(table: dict[str, object], source: str) -> Engine:
    """Return the engine of a table that `source` holds. Raises UsageError."""
    try:
        return Engine(**table)
    except UsageError as error:
        raise UsageError(f"{source}: {error}") from error
