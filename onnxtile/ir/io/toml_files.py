"""Read files in TOML: text of a bounded size, its table, and the line of what isn't TOML."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from onnxtile.errors import UsageError, did_you_mean, unreadable

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MOST_BYTES = 100_000
"""The largest file that is read."""
LONGEST = 60
"""Characters of a value that are shown."""


def text_of_file(path: Path, source: str, kind: str, instead: Sequence[str] = ()) -> str:
    """Return the text of a file that users call `source`; `kind`: what it's meant to be, such as `engine file`.

    `instead`: names that may be given instead of a path. Raises UsageError.
    """
    named, others = f"{kind.partition(' ')[0]} {source!r}", ", ".join(instead)
    try:
        if path.exists() and not path.is_file():  # reading a pipe would wait for ever
            raise UsageError(f"{named} is no file: give the path of one{others and f', or one of {others}'}")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        words = did_you_mean(source, instead) or (others and f"; built in are {others}")
        raise UsageError(f"{named}: {unreadable(path, error, words).removeprefix(f'{path}: ')}") from error
    if len(content) > MOST_BYTES:
        raise UsageError(f"{source}: more than {MOST_BYTES:,} bytes aren't {_a(kind)}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{source} isn't text in UTF-8: give {_a(kind)}, or save it as UTF-8") from error


def table_of_text(text: str, source: str, kind: str, cure: str) -> dict[str, object]:
    """Return the table of TOML text. Raises UsageError with the line, and `cure` for what isn't TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        words, line, column = _where(str(error), text)
        lines = text.splitlines()
        shown = f", in {toml_text(lines[line - 1].strip())}" if line <= len(lines) else ""
        cure = "each field is written once" if "overwrite" in words or "twice" in words else cure
        raise UsageError(f"{source}: line {line}, column {column} isn't TOML: {words}{shown}; {cure}") from error
    except ValueError as error:  # of Python, for a number of thousands of digits
        raise UsageError(f"{source}: a number has too many digits: write amounts with a unit") from error
    except RecursionError as error:
        raise UsageError(f"{source} isn't {_a(kind)}: lists or tables are nested too deeply") from error


def toml_text(value: object, depth: int = 2) -> str:
    """Return a value as a file has it; of a long, large or deep one its beginning, its bits, or dots.

    >>> print(toml_text({"M": 1, "on": [True, "a"]}), toml_text(1 << 100), toml_text("x" * 100))
    { M = 1, on = [true, "a"] } a number of 101 bits "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...
    """
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, int) and value.bit_length() > 64:  # Python itself refuses to write out the largest
        text = f"a number of {value.bit_length():,} bits"
    elif isinstance(value, str):
        text = json.dumps(value[: LONGEST + 1], ensure_ascii=False)
    elif not isinstance(value, (dict, list, tuple)):
        text = str(value)
    elif not depth:
        text = "..."
    elif isinstance(value, dict):
        items = [f"{key_text(key)} = {toml_text(item, depth - 1)}" for key, item in islice(value.items(), LONGEST)]
        text = f"{{ {', '.join(items)} }}"
    else:
        text = f"[{', '.join(toml_text(item, depth - 1) for item in islice(value, LONGEST))}]"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def key_text(name: object) -> str:
    """Return the name of a field as a file has it."""
    text = str(name)[: LONGEST + 1]
    return text if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", text) else toml_text(text)


def _where(words: str, text: str) -> tuple[str, int, int]:
    """Return what the parser says, with the line and the column, from 1."""
    if place := re.search(r" \(at line (\d+), column (\d+)\)$", words):
        line, column = int(place[1]), int(place[2])
    else:
        line, column = text.count("\n") + 1, len(text) - text.rfind("\n")
    return re.sub(r" \(at [^()]*\)$", "", words)[:100].lower(), line, column


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
