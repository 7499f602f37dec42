"""Read an engine file, or a built-in description by its name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

from onnxtile.engine.description import Engine
from onnxtile.errors import BrokenPluginError, UsageError
from onnxtile.ir.io.toml_files import table_of_text, text_of_file
from onnxtile.ir.plugins import broken, leave_out, plugins
from onnxtile.ir.plugins import load as load_plugin

BUILT_IN = Path(__file__).parent / "builtin"
"""The folder of the built-in descriptions."""
ENTRY_POINTS = "onnxtile.engines"
"""The group of paths of engine files that other packages have."""
KIND = "engine file"
QUOTES = "text and amounts with a unit are in quotes, and each field has a line of its own"


def names() -> list[str]:
    """Return the names of the built-in descriptions, and those of plugins behind them."""
    own = _built_in()
    return [*own, *plugins(ENTRY_POINTS, own)]


def engines() -> Iterator[Engine]:
    """Yield the engine of each name; a plugin that is broken is named and left out."""
    own = _built_in()
    yield from map(load, own)
    for name in plugins(ENTRY_POINTS, own):
        try:
            yield load(name)
        except UsageError as error:
            leave_out(error)


def load(source: str | Path) -> Engine:
    """Return the engine of a file, or the built-in or a plugin's one of that name.

    Raises UsageError, a line for each mistake with the place, the fact and the cure; for a plugin's file it names the
    plugin.
    """
    point = _plugin(str(source))
    try:
        return engine_of(table_of(source), str(source))
    except UsageError as error:
        if point is None or isinstance(error, BrokenPluginError):
            raise
        raise broken(point, "; ".join(error.lines)) from error


def table_of(source: str | os.PathLike[str]) -> dict[str, object]:
    """Return the content of an engine file, or of the built-in one of that name. Raises UsageError."""
    return read(path_of(source), str(source))


def text_of(source: str | os.PathLike[str]) -> str:
    """Return the text of an engine file, or of the built-in one of that name. Raises UsageError."""
    return _text(path_of(source), str(source))


def path_of(source: str | os.PathLike[str]) -> Path:
    """Return the path of a built-in description, or a plugin's, by its name; any other text is a path itself."""
    name = str(source)
    if name in _built_in():
        return BUILT_IN / f"{name}.toml"
    if point := _plugin(name):
        path = load_plugin(point)
        if not isinstance(path, (str, os.PathLike)) or not Path(path).is_file():
            raise broken(point, f"{path} isn't the path of an engine file")
        return Path(path)
    return Path(source)


def _plugin(name: str) -> EntryPoint | None:
    """Return the plugin of that name, if there is one."""
    own = _built_in()
    return None if name in own else plugins(ENTRY_POINTS, own).get(name)


def _built_in() -> list[str]:
    return sorted(path.stem for path in BUILT_IN.glob("*.toml"))


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
        raise UsageError(*(f"{source}: {words}" for words in error.lines)) from error
