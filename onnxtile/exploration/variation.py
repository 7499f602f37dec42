"""Variations of a sweep: fields of an engine file, each with its values, and the engines that all combinations are."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from onnxtile.engine.description import Engine
from onnxtile.engine.load import engine_of
from onnxtile.errors import UsageError, did_you_mean
from onnxtile.exploration.values import CURE, MOST_ENGINES, Value, parse_values
from onnxtile.ir.printable import several

Table = Mapping[str, Any]
"""An engine file's content, as TOML reads it."""
_FIXED = ("version", "name", "product.types", "operators.supported")
"""Fields that say which engine it is, and aren't varied."""


@dataclass(frozen=True)
class Variation:
    """A field of an engine file, such as `local.size` or `product.1.array`, and the values that it takes."""

    path: str
    values: tuple[Value, ...]

    @classmethod
    def parse(cls, text: str) -> Variation:
        """Read `FIELD=VALUES`; raises UsageError.

        >>> [value.text for value in Variation.parse("local.size=256KiB:1MiB:x2").values]
        ['256 KiB', '512 KiB', '1 MiB']
        """
        path, equals, values = (part.strip() for part in text.partition("="))
        if not equals or not path or not values:
            raise UsageError(f"--vary {text}: {CURE}")
        _check_path(path)
        found = list(parse_values(values, path))
        for text, times in Counter(value.text for value in found).items():
            if times > 1:
                raise UsageError(f"--vary {path}: {text} is there twice")
        return cls(path, tuple(found))

    @property
    def parts(self) -> list[str]:
        return self.path.split(".")

    def put(self, table: Table, value: Value) -> Table:
        """Return the table with this value in this field; the table itself stays."""
        varied: Table = _put(table, self.parts, value.content, self.path)
        return varied


@dataclass(frozen=True)
class Variant:
    """One combination: the texts of its values, and its engine, or why it's none."""

    values: tuple[str, ...]
    engine: Engine | None
    reason: str = ""


def variants(table: Table, variations: Sequence[Variation], source: str = "engine") -> Iterator[Variant]:
    """Yield the engines of all combinations, the last field's values changing first.

    A combination that isn't an engine is yielded with the reason. Raises UsageError where fields overlap, can't be put
    into `table`, or give too many engines.
    """
    _check_apart(variations)
    count = math.prod(len(variation.values) for variation in variations)
    if count > MOST_ENGINES:
        raise UsageError(f"{count:,} engines are more than {MOST_ENGINES:,}: vary fewer fields, or in larger steps")
    for values in itertools.product(*(variation.values for variation in variations)):
        varied = table
        for variation, value in zip(variations, values, strict=True):
            varied = variation.put(varied, value)
        texts = tuple(value.text for value in values)
        try:
            yield Variant(texts, engine_of(dict(varied), source))
        except UsageError as error:
            first, *others = (words.removeprefix(f"{source}: ") for words in error.lines)
            yield Variant(texts, None, first + (f" (and {several(len(others), 'mistake')} more)" if others else ""))


def _check_path(path: str) -> None:
    """Raise UsageError where an engine file has no such field, or it isn't one to be varied."""
    kind: type[BaseModel] | None = Engine
    known: list[str] = []
    for part in path.split("."):
        if part.isdigit() and known == ["product"]:  # which of them
            continue
        fields = {} if kind is None else kind.model_fields
        if part not in fields:
            where = ".".join(known) or "an engine"
            words = (
                f"there is no field {part!r}{f' in {where}' if where else ''}" if fields else f"{where} has no fields"
            )
            raise UsageError(f"--vary {path}: {words}{did_you_mean(part, fields) or _listed(fields)}")
        kind = _table_in(fields[part].annotation)
        known.append(part)
    name = ".".join(known)
    if name in _FIXED or (kind is not None and not {"M", "A"} & kind.model_fields.keys()):
        raise UsageError(f"--vary {path}: {name} isn't varied; name a field such as product.array or local.size")


def _listed(fields: Iterable[str]) -> str:
    names = ", ".join(fields)
    return f": take one of {names}" if names else ""


def _table_in(annotation: Any) -> type[BaseModel] | None:
    """Return the table that a field holds, also in a list or as one of several kinds; None where it holds none."""
    if get_origin(annotation) is None and isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for found in map(_table_in, get_args(annotation)) if found is not None), None)


def _check_apart(variations: Sequence[Variation]) -> None:
    """Raise UsageError where two variations set the same field."""
    for one, other in itertools.combinations(variations, 2):
        short, long = sorted((one.parts, other.parts), key=len)
        places = [part for parts in (short, long) for part in parts[1:2] if part.isdigit()]
        if len(set(places)) > 1:
            continue  # of different units
        bare = [[part for part in parts if not part.isdigit()] for parts in (short, long)]
        short, long = sorted(bare, key=len)
        if long[: len(short)] == short:
            raise UsageError(f"--vary {one.path} and --vary {other.path} set the same field; give one of them")


def _put(table: Any, parts: Sequence[str], content: Any, path: str) -> Any:
    if isinstance(table, Sequence) and not isinstance(table, str):  # the products: one of them, or all
        if not parts[0].isdigit():
            return [_put(entry, parts, content, path) for entry in table]
        at = int(parts[0]) - 1
        if not 0 <= at < len(table):
            raise UsageError(f"--vary {path}: the engine has products 1 to {len(table)}")
        return [_put(entry, parts[1:], content, path) if index == at else entry for index, entry in enumerate(table)]
    if not isinstance(table, Mapping):
        raise UsageError(f"--vary {path}: the engine has {table!r} there, without fields; vary that as a whole")
    name, *rest = parts
    inner = table.get(name)
    if rest:
        return {**table, name: _put({} if inner is None else inner, rest, content, path)}
    if isinstance(content, dict):  # axes that aren't named stay, and * takes a limit out
        axes = {**(inner if isinstance(inner, Mapping) else {}), **content}
        content = {axis: size for axis, size in axes.items() if size is not None}
    return {**table, name: content}
