"""Describe what `encode` writes as JSON Schema: an object for each class, its members by the types of attributes."""

from __future__ import annotations

import dataclasses
import os
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal, Union

import sympy
from typing_extensions import NotRequired, is_typeddict

from onnxtile.ir.json_encoding import JsonRecord, members_of
from onnxtile.ir.symbolic import amounts
from onnxtile.ir.symbolic.amounts import Range, Unknown

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ALIASES = {
    "Number": int | sympy.Expr,
    "Dim": int | sympy.Expr | None,
    "Amount": int | sympy.Expr | Range | Unknown,
}  # fmt: skip
"""Names of `symbolic/amounts.py`, which says them as text."""
_AMOUNT = {
    "description": "A whole number, a formula in the model's free dimensions, a range, or null where it isn't known.",
    "anyOf": [
        {"type": ["integer", "string", "null"]},
        {
            "type": "object",
            "properties": {
                "min": {"type": ["integer", "string"]},
                "max": {"type": ["integer", "string", "null"], "description": "null: no bound is known"},
            },
            "required": ["min", "max"],
            "additionalProperties": False,
        },
    ],
}


def json_schema(document: type, title: str) -> dict[str, Any]:
    """Return the schema of a document: a JsonRecord, another dataclass, or a TypedDict that says what is printed."""
    made = _Definitions()
    top = made.object_of(document)
    return {"$schema": DIALECT, "title": title, **top, "$defs": dict(sorted(made.definitions.items()))}


class _Definitions:
    """Makes schemas of types; those of classes once each, in `definitions`."""

    def __init__(self) -> None:
        self.definitions: dict[str, Any] = {}
        self._classes: dict[str, type] = {}

    def object_of(self, cls: type) -> dict[str, Any]:
        """Return the schema of an object with the members of a class, and no others."""
        hints = typed_members(cls)
        return {
            "type": "object",
            "description": _first_paragraphs(cls),
            "properties": {name: self.of(_present(hint)) for name, hint in hints.items()},
            "required": [name for name, hint in hints.items() if typing.get_origin(hint) is not NotRequired],
            "additionalProperties": False,
        }

    def of(self, hint: Any) -> dict[str, Any]:
        """Return the schema of a value of this type; TypeError for a type that has no form in JSON."""
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin in (Union, types.UnionType):
            return self._union(arguments)
        if origin is Literal:
            return {"const": arguments[0]} if len(arguments) == 1 else {"enum": list(arguments)}
        if hint in _SIMPLE:
            return {"type": _SIMPLE[hint]}
        if hint is float:
            return {"type": ["number", "null"]}  # null: infinite, or not a number
        if hint is Any:
            return {}
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.of(arguments[1])}
        if origin is tuple and Ellipsis not in arguments:
            items = [self.of(argument) for argument in arguments]
            return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
        if isinstance(origin, type) and issubclass(origin, Sequence):
            return {"type": "array", "items": self.of(arguments[0])}
        if isinstance(hint, type) and issubclass(hint, (os.PathLike, sympy.Basic)):
            return {"type": "string"}
        if is_typeddict(hint) or dataclasses.is_dataclass(hint):
            return self._reference(hint)
        raise TypeError(f"{hint} has no form in JSON")

    def _union(self, choices: Sequence[Any]) -> dict[str, Any]:
        if Unknown in choices:
            self.definitions["Amount"] = _AMOUNT
            return {"$ref": "#/$defs/Amount"}
        schemas = [self.of(choice) for choice in choices]
        if all(schema.keys() == {"type"} for schema in schemas):
            kinds = (one["type"] for one in schemas)
            every = [kind for one in kinds for kind in ([one] if isinstance(one, str) else one)]
            return {"type": list(dict.fromkeys(every))}
        return {"anyOf": schemas}

    def _reference(self, cls: Any) -> dict[str, Any]:
        name = cls.__name__.strip("_")
        if self._classes.setdefault(name, cls) is not cls:
            raise TypeError(f"one document has two classes {name}: {cls} and {self._classes[name]}")
        if name not in self.definitions:
            self.definitions[name] = {}  # it may hold itself
            self.definitions[name] = self.object_of(cls)
        return {"$ref": f"#/$defs/{name}"}


_SIMPLE: dict[Any, str] = {
    int: "integer", bool: "boolean", str: "string", None: "null", type(None): "null", Unknown: "null",
}  # fmt: skip


def typed_members(cls: type) -> dict[str, Any]:
    """Return the members of a class's object, in order, with their types; NotRequired those that may be absent."""
    if is_typeddict(cls):
        return _resolved(cls, dict(_annotations(cls)))
    shapes = cls.shapes if issubclass(cls, JsonRecord) else None
    others = {} if shapes is None else typed_members(shapes)
    return {name: _type_of(cls, attribute) for name, attribute in members_of(cls) if name not in others} | others


def _annotations(cls: Any) -> dict[str, Any]:
    """Return the annotations of a TypedDict, which has those that it inherits."""
    return {name: getattr(hint, "__forward_arg__", hint) for name, hint in cls.__annotations__.items()}


def _type_of(cls: type, attribute: str) -> Any:
    """Return the type of an attribute: of a field, of a constant of the class by its value, or of a property."""
    for owner in cls.__mro__:
        if attribute in vars(owner).get("__annotations__", {}):
            hint = _resolved(owner, {attribute: owner.__annotations__[attribute]})[attribute]
            return Literal[getattr(cls, attribute)] if typing.get_origin(hint) is ClassVar else hint
        found = vars(owner).get(attribute)
        if isinstance(found, (property, cached_property)):
            function = found.fget if isinstance(found, property) else found.func
            return _resolved(owner, {"return": function.__annotations__["return"]})["return"]
    raise TypeError(f"{cls.__name__}.{attribute} has no type")


def _resolved(owner: type, annotations: dict[str, Any]) -> dict[str, Any]:
    """Return annotations that are text as types, read in the module of the class that has them."""
    holder: Any = types.new_class("Holder")
    holder.__annotations__ = annotations
    names = dict(vars(sys.modules[owner.__module__]))
    names |= {name: alias for name, alias in _ALIASES.items() if names.get(name) == getattr(amounts, name)}
    return typing.get_type_hints(holder, names, names, include_extras=True)


def _present(hint: Any) -> Any:
    return typing.get_args(hint)[0] if typing.get_origin(hint) is NotRequired else hint


def _first_paragraphs(cls: type) -> str:
    return " ".join((cls.__doc__ or "").split())
