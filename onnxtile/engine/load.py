"""Read an engine file, or a built-in description by its name."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import ValidationError

from onnxtile.engine.description import Engine
from onnxtile.errors import UsageError, did_you_mean, system_words

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

BUILT_IN = Path(__file__).parent / "builtin"
"""The folder of the built-in descriptions."""
MOST_BYTES = 1_000_000
"""The largest engine file that is read."""


def names() -> list[str]:
    """Return the names of the built-in descriptions."""
    return sorted(path.stem for path in BUILT_IN.glob("*.toml"))


def load(source: str | Path) -> Engine:
    """Return the engine of a file, or the built-in one of that name.

    Raises UsageError with the place, the fact and the cure.
    """
    path = BUILT_IN / f"{source}.toml" if str(source) in names() else Path(source)
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise UsageError(f"{source}: more than {MOST_BYTES:,} bytes aren't an engine file")
        table = tomllib.loads(content.decode())
    except OSError as error:
        words = did_you_mean(source, names()) or f"; built in are {', '.join(names())}"
        raise UsageError(f"engine {str(source)!r}: {system_words(error)}{words}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{source}: {error}") from error
    return engine_of(table, str(source))


def engine_of(table: dict[str, object], source: str) -> Engine:
    """Return the engine of a table that `source` holds. Raises UsageError."""
    try:
        return Engine.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{source}: {place}: {first['msg']}") from error
