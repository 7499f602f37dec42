"""Options of passes, typed by the fields of their classes: read from text, and printed as the same text."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, SupportsFloat, SupportsIndex, Union

import onnx_ir as ir

from onnxtile.engine.given import limits_of_text
from onnxtile.errors import UsageError, did_you_mean
from onnxtile.passes.pipelines.syntax import Word
from onnxtile.tiling.limits import Limits, ProductLimits

NOTHING = "none"
"""The word for None, as the value of an option that may be None."""
NO_DEFAULT: Any = inspect.Parameter.empty


@dataclass(frozen=True)
class Option:
    """A parameter by which a pass is made: its name, its type (Any: not told), and what makes its default, if any."""

    name: str
    type: Any
    default: Any = NO_DEFAULT

    @property
    def kinds(self) -> tuple[Any, ...]:
        """The type, or those of a union."""
        union = typing.get_origin(self.type) in (Union, types.UnionType)
        return typing.get_args(self.type) if union else (self.type,)

    @property
    def takes_limits(self) -> bool:
        """Return whether it's limits: by products (ProductLimits), or one size for all (Limits)."""
        return ProductLimits in self.kinds or Limits in self.kinds

    def limits(self, limits: ProductLimits) -> ProductLimits:
        """Return limits as the option takes them. Raises UsageError where it takes one size, and they have several."""
        return limits if ProductLimits in self.kinds else limits.for_all_types()

    @property
    def takes_passes(self) -> bool:
        """Return whether it's a sequence of passes, which are written in the pass's braces."""
        return any(ir.passes.PassBase in typing.get_args(kind) for kind in self.kinds)

    @property
    def takes_any_name(self) -> bool:
        """Return whether it's a mapping, whose names are written as options."""
        return any(typing.get_origin(kind) in (Mapping, dict) for kind in self.kinds)

    @property
    def words(self) -> str:
        """Return what it takes, for people: `whole number or none`, `chain, tree or sum`."""
        return " or ".join(dict.fromkeys(map(_words, self.kinds)))

    def takes(self, value: object) -> bool:
        """Return whether a value in Python is of its type, or its default."""
        return value is self.default or any(_is_of(value, kind) for kind in self.kinds)

    @property
    def as_text(self) -> bool:
        """Return whether text can say it."""
        return self.takes_passes or self.takes_any_name or any(map(_is_readable, self.kinds))

    def read(self, value: Word) -> Any:
        """Return the value of a word. Raises ValueError with what is wrong."""
        kinds = [kind for kind in self.kinds if kind is not type(None)]
        if len(kinds) < len(self.kinds) and value.text == NOTHING and not value.quoted:
            return None
        problems = []
        for kind in filter(_is_readable, kinds):
            try:
                return _read(value.text, kind)
            except ValueError as error:
                problems.append(str(error))
        taken = ", ".join(getattr(kind, "__name__", str(kind)) for kind in kinds)
        words = f"; text can't say what it takes ({taken}): make the pass in Python"
        raise ValueError(f"{self.name} is {value.text!r}{next(iter(problems), words)}")


def check_options(pass_: object) -> None:
    """Raise UsageError for an option of a pass whose value isn't of the type that its class says."""
    for name, option in options_of(type(pass_)).items():
        value = getattr(pass_, name)
        if not option.takes(value):
            raise UsageError(f"{name} is {value!r}: give {option.words}")


def options_of(cls: type) -> dict[str, Option]:
    """Return the parameters by which a class is made, in their order: a dataclass's fields, or those of __init__."""
    if dataclasses.is_dataclass(cls):
        hints = _hints(cls)
        return {
            each.name: Option(each.name, hints.get(each.name, Any), _default(each))
            for each in dataclasses.fields(cls)
            if each.init
        }
    if cls.__init__ is object.__init__:  # type: ignore[misc]  # only compared
        return {}
    hints = _hints(cls.__init__)  # type: ignore[misc]  # only looked at
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {
        name: Option(name, hints.get(name, Any), one.default)
        for name, one in list(inspect.signature(cls.__init__).parameters.items())[1:]  # type: ignore[misc]
        if one.kind in named
    }


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return NO_DEFAULT if field.default is dataclasses.MISSING else field.default


def _hints(thing: Any) -> dict[str, Any]:
    """Return the types that a class or a function says; none of what Python can't find."""
    try:
        return typing.get_type_hints(thing)
    except Exception:  # a hint is anybody's code
        return {}


def value_word(value: Any) -> Word:
    """Return the word that `read` reads as this value."""
    if value is None:
        return Word(NOTHING)
    if isinstance(value, str):
        return Word(value.value if isinstance(value, enum.Enum) else value, quoted=value == NOTHING)
    if isinstance(value, enum.Enum):
        return value_word(value.value)
    if isinstance(value, bool):
        return Word(str(value).lower())
    if isinstance(value, ProductLimits):
        return Word(value.option)
    if isinstance(value, Sequence):
        return Word(",".join(value_word(each).text for each in value))
    return Word(str(value))


def _read(text: str, kind: Any) -> Any:
    """Return text as a value of a type. Raises ValueError with what is said behind `NAME is 'TEXT'`."""
    origin = typing.get_origin(kind)
    if kind in (str, Any):
        return text
    if kind in _READERS:
        return _READERS[kind](text)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        members = {str(each.value): each for each in kind}
        return members[_choice(text, list(members))]
    if origin is Literal:
        by_text = {value_word(each).text: each for each in typing.get_args(kind)}
        return by_text[_choice(text, list(by_text))]
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return _items(text, origin, typing.get_args(kind))
    raise AssertionError(f"{kind} isn't readable")


def _is_readable(kind: Any) -> bool:
    """Return whether text can say a value of a type."""
    origin = typing.get_origin(kind)
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return all(map(_is_readable, (each for each in typing.get_args(kind) if each is not Ellipsis)))
    known = kind in (str, Any) or origin is Literal or (isinstance(kind, type) and issubclass(kind, enum.Enum))
    return known or kind in _READERS


def _words(kind: Any) -> str:
    """Return what a type is called for people."""
    origin, inner = typing.get_origin(kind), [each for each in typing.get_args(kind) if each is not Ellipsis]
    if origin is Literal or (isinstance(kind, type) and issubclass(kind, enum.Enum)):
        *most, last = [value_word(each).text for each in (inner if origin is Literal else kind)]
        return f"{', '.join(most)} or {last}" if most else last
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"NAME={_words(inner[1])}"
    if ir.passes.PassBase in inner:
        return "passes"
    if isinstance(origin, type) and issubclass(origin, Sequence):
        several = ",".join(map(_words, inner))
        return several if origin is tuple and Ellipsis not in typing.get_args(kind) else f"list of {several}"
    return _NAMES.get(kind) or str(getattr(kind, "__name__", kind))


def _is_of(value: object, kind: Any) -> bool:
    """Return whether a value is of a type; of types that can't be asked everything is."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return value in inner
    if isinstance(origin, type) and issubclass(origin, Sequence):
        sequence = isinstance(value, Sequence) and not isinstance(value, str)
        return sequence and all(any(_is_of(each, one) for one in inner if one is not Ellipsis) for each in value)  # type: ignore[attr-defined]  # it's a sequence
    if kind is int:
        return isinstance(value, SupportsIndex) and not isinstance(value, bool)
    if kind is float:
        return isinstance(value, (SupportsIndex, SupportsFloat)) and not isinstance(value, (bool, str))
    if kind is Any or not isinstance(origin or kind, type):
        return True
    try:
        return isinstance(value, origin or kind)
    except TypeError:  # a Protocol, for instance
        return True


def _items(text: str, origin: type, kinds: tuple[Any, ...]) -> Any:
    """Return the values of a sequence, which have commas between."""
    parts = text.split(",") if text else []
    if origin is not tuple or kinds[-1:] == (Ellipsis,):
        kinds = kinds[:1] * len(parts)
    if len(parts) != len(kinds):
        raise ValueError(f": write {len(kinds)} values with commas between")
    read = [_read(part, kind) for part, kind in zip(parts, kinds, strict=True)]
    return read if origin is list else tuple(read)


def _choice(text: str, choices: list[str]) -> str:
    if text not in choices:
        raise ValueError(f": take one of {', '.join(choices)}{did_you_mean(text, choices)}")
    return text


def _bool(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("; write true or false")
    return text == "true"


def _int(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ValueError(", not a whole number") from error


def _float(text: str) -> float:
    try:
        number = float(text)
    except ValueError as error:
        raise ValueError(", not a number") from error
    if math.isnan(number):
        raise ValueError(", not a number")
    return number


def _limits(text: str) -> ProductLimits:
    try:
        return limits_of_text(text)
    except UsageError as error:
        raise ValueError(f": {error}") from error


def _sizes(text: str) -> Limits:
    try:
        return limits_of_text(text).for_all_types()
    except UsageError as error:
        raise ValueError(f": {error}") from error


_NAMES: dict[Any, str] = {
    bool: "true or false", int: "whole number", float: "number", str: "text", Any: "text", Path: "path",
    ProductLimits: "limits", Limits: "limits", type(None): NOTHING,
}  # fmt: skip
_READERS: dict[Any, Any] = {
    bool: _bool, int: _int, float: _float, Path: Path, ProductLimits: _limits, Limits: _sizes,
}  # fmt: skip
