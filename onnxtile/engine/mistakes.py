"""Say in words what is wrong with an engine file: the place, the fact, the cure, and what may have been meant.

What is said of a value follows from its field alone: the type, the bounds and the examples in `description.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from onnxtile.errors import did_you_mean
from onnxtile.ir.io.toml_files import key_text, toml_text
from onnxtile.ir.printable import several

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails


MOST = 100
"""Mistakes that are told one by one."""


def mistakes(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Return a line for each mistake in a table that isn't one of `model`: causes before what may follow from them."""
    found = error.errors(include_url=False)
    listed = {one["loc"][:length] for one in found for length in range(len(one["loc"]))}
    found = [one for one in found if one["type"] != "too_short" or one["loc"] not in listed]  # what's in it is told
    lines = [words for one in sorted(found, key=_rank) for words in _lines(one, model)]
    return lines if len(lines) <= MOST else [*lines[:MOST], several(len(lines) - MOST, "more mistake")]


def _rank(details: ErrorDetails) -> int:
    if details["loc"] == ("version",):
        return 0
    return 1 if details["type"] == "extra_forbidden" else 2


def _lines(details: ErrorDetails, model: type[BaseModel]) -> list[str]:
    """Return a line for each mistake in one place: where fields contradict each other there may be several."""
    if details["type"] != "value_error":
        return [_words(details, model)]
    place, _, _ = _follow(details["loc"], model)
    found = map(str, details["ctx"]["error"].args)
    return [f"{place} {words}" if words.startswith("is ") else _joined(place, words) for words in found]


def _words(details: ErrorDetails, model: type[BaseModel]) -> str:
    kind, loc, value = details["type"], details["loc"], details["input"]
    if kind == "extra_forbidden":
        place, _, field = _follow(loc[:-1], model)
        within = (_table_in(field.annotation) if field else None) or model
        return f"{_joined(place, key_text(loc[-1]))} is unknown{_meant(str(loc[-1]), within, model)}"
    if kind == "missing" and isinstance(loc[-1], int):  # in a list that is too short
        kind, loc = "too_short", loc[:-1]
    place, table, field = _follow(loc, model)
    if kind == "missing" and field is not None:
        return _missing(place, str(loc[-1]), field, top=table is model)
    return f"{place.rstrip(':')} is {toml_text(value)}: {_cure(loc, value, field)}"


def _follow(loc: tuple[int | str, ...], model: type[BaseModel]) -> tuple[str, type[BaseModel], FieldInfo | None]:
    """Return the words for a place, the table that its field is in, and the field; None for the whole file."""
    before, names, table, within = "", list[str](), model, model
    field: FieldInfo | None = None
    for part in loc:
        if isinstance(part, int) and field is not None and _table_in(field.annotation):
            before, names = f"{before}{'.'.join(names)} {part + 1}: ", []
        elif isinstance(part, int):
            names[-1] += f", entry {part + 1},"
        elif part in within.model_fields:  # and not what a choice between types is called
            table, field = within, within.model_fields[part]
            names.append(part)
            within = _table_in(field.annotation) or within
    return (before + ".".join(names)).rstrip(), table, field


def _joined(place: str, name: str) -> str:
    return f"{place}{'' if not place else ' ' if place.endswith(':') else '.'}{name}"


def _meant(name: str, table: type[BaseModel], model: type[BaseModel]) -> str:
    """Return where a field of this name would be right, or which names are right here."""
    homes = ["at the top, before any [table]"] if name in model.model_fields and table is not model else []
    for title, field in model.model_fields.items():
        other = _table_in(field.annotation)
        if other is not None and other is not table and name in other.model_fields:
            homes.append(f"in {_title(title, field)}")
    if homes:
        return f" here: write it {' or '.join(homes)}"
    fields = list(table.model_fields)
    return f": take one of {', '.join(fields)}{did_you_mean(name, fields)}"


def _missing(place: str, name: str, field: FieldInfo, top: bool) -> str:
    table = _table_in(field.annotation)
    if not top or table is None:
        return f"{place} is missing: write {name} = {toml_text(_example(field))}"
    needed = [f"{key} = {toml_text(_example(one))}" for key, one in table.model_fields.items() if one.is_required()]
    return f"{_title(name, field)} is missing: write it, with {', '.join(needed)}"


def _cure(loc: tuple[int | str, ...], value: object, field: FieldInfo | None) -> str:
    """Return what to write instead of a value that isn't one of this field's."""
    if field is None:
        return "write a table of fields"
    name = next(str(part) for part in reversed(loc) if isinstance(part, str))
    if name == "version":
        return "this onnxtile reads version 1: write that, or take the onnxtile that the file is for"
    choices, least, many = _choices(field.annotation), _least(field), get_origin(field.annotation) is tuple
    if choices and (isinstance(loc[-1], int) or not many):
        words = value.lower().replace("fp", "float") if isinstance(value, str) else ""  # as fp16 is called float16
        suggestion = did_you_mean(words, map(str, choices)) if words else ""
        return f"write {', '.join(map(toml_text, choices[:-1]))} or {toml_text(choices[-1])}{suggestion}"
    if field.annotation is bool:
        return "write true or false"
    if least is not None:
        return f"write a whole number, {least} or more"
    if field.examples:
        return f"write it like {' or '.join(map(toml_text, field.examples))}"
    return f"write it as a table, {_title(name, field)}, with its fields below"


def _title(name: str, field: FieldInfo) -> str:
    return f"[[{name}]]" if get_origin(field.annotation) is tuple else f"[{name}]"


def _example(field: FieldInfo) -> object:
    return (field.examples or [""])[0]


def _table_in(annotation: Any) -> type[BaseModel] | None:
    """Return the table that a value of this type is, or is a list of, or may be."""
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        return annotation
    return next((found for part in get_args(annotation) if (found := _table_in(part))), None)


def _choices(annotation: Any) -> list[Any]:
    """Return the values of a field that has a choice of a few, itself or in its list."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return next((found for part in get_args(annotation) if (found := _choices(part))), [])


def _least(field: FieldInfo) -> int | None:
    """Return the least number that a field takes; None where it isn't a number."""
    pending = [*field.metadata, *get_args(field.annotation)]
    while pending:
        one = pending.pop(0)
        if isinstance(least := getattr(one, "ge", None), int):
            return least
        pending += [*getattr(one, "metadata", ()), *get_args(one)]
    return None
