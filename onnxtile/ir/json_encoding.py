"""Encode results as JSON: dataclasses by their fields, and what a class declares where JSON differs from them."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

import sympy

from onnxtile.ir.symbolic.amounts import Unknown


class JsonRecord:
    """A dataclass that scripts read as a JSON object, with a member for each field.

    A class that differs says so in its first line: `members="schema name pass=guilty * total"` lists attributes,
    properties among them, in order; `pass=guilty` calls `guilty` `pass`, and `*` stands for the fields not named.
    `shapes=SomeTypedDict` says what schemas can't take from attributes' types: members that `to_json` adds or changes.
    """

    _members: ClassVar[str] = "*"
    shapes: ClassVar[type | None] = None

    def __init_subclass__(cls, members: str = "*", shapes: type | None = None) -> None:
        cls._members = members
        cls.shapes = shapes

    def to_json(self) -> dict[str, Any]:
        """Return the object for scripts; see `encode`."""
        return _object(self)


def _object(record: object) -> dict[str, Any]:
    members = members_of(type(record))  # type: ignore[arg-type]  # mypy takes its instances' __hash__ for the class's
    return {member: encode(getattr(record, attribute)) for member, attribute in members}


@cache
def members_of(cls: type[Any]) -> tuple[tuple[str, str], ...]:
    """Return the members of a class, each with the attribute that it's read from."""
    fields = [field.name for field in dataclasses.fields(cls)]
    if not issubclass(cls, JsonRecord):
        return tuple(zip(fields, fields, strict=True))
    named = [member.partition("=")[::2] for member in cls._members.split()]
    pairs = [(member, attribute or member) for member, attribute in named]
    listed = {attribute for _, attribute in pairs}
    others = [(name, name) for name in fields if name not in listed]
    return tuple(pair for one in pairs for pair in (others if one[0] == "*" else [one]))


def encode(value: object) -> Any:
    """Return a value as `json` takes it: formulas and paths as text, null for unknown amounts and infinite numbers.

    Raises TypeError for a type that has no form in JSON.
    """
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, JsonRecord):
        return value.to_json()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: encode(item) for name, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    if isinstance(value, Unknown):
        return None
    if isinstance(value, (os.PathLike, sympy.Basic)):
        return str(value)
    if dataclasses.is_dataclass(value):
        return _object(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def json_text(value: object) -> str:
    """Return a value as the text of a file or of a report."""
    return json.dumps(encode(value), indent=2) + "\n"
