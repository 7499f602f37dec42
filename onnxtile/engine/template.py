"""Write an engine file to start from."""

from __future__ import annotations

import json
import re
from pathlib import Path

from onnxtile.engine.description import Engine
from onnxtile.engine.load import names, path_of, read
from onnxtile.errors import wrong_name

_ALL_FIELDS = Path(__file__).parent / "template.toml"
_NAME = re.compile(r'^name = "[^"]*"', re.MULTILINE)


def template(name: str, built_in: str | None = None) -> str:
    """Return the text of an engine file of that name: one with all fields and what they mean, or a built-in one's.

    Raises UsageError for a name that no engine may have, and for a built-in engine that there isn't.
    """
    if built_in is not None and built_in not in names():
        raise wrong_name(f"built-in engine {built_in!r} is unknown", built_in, names())
    source = _ALL_FIELDS if built_in is None else path_of(built_in)
    Engine(**read(source, source.name) | {"name": name})
    return _NAME.sub(lambda _: f"name = {json.dumps(name, ensure_ascii=False)}", source.read_text("utf-8"), count=1)
