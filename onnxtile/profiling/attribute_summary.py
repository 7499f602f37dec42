"""Sum up the values that an operator's attributes take, over all of its nodes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir
from typing_extensions import TypedDict

from onnxtile.ir.json_encoding import JsonRecord
from onnxtile.profiling.formatting import attribute_text, dtype_text, item_text, type_text

MOST_VALUES = 12
"""Values of an attribute that are listed, the most frequent ones; `distinct` counts all."""


class CountedValue(TypedDict):
    """A value of an attribute as text, and how many nodes have it."""

    value: str
    nodes: int


class _AttributeShapes(TypedDict):
    min: int | float | str | None
    max: int | float | str | None
    values: list[CountedValue]


@dataclass(frozen=True)
class AttributeFacts(JsonRecord, shapes=_AttributeShapes):
    """An attribute of an operator, over the nodes that give it.

    `kind`: int, floats, tensor, ...; `reference` to an attribute of the function around. `nodes`: how many give it.
    `min`, `max`: of the numbers in it, NaN left out; None without any. `distinct`: how many different values it has.
    `values`: at most MOST_VALUES of them, each as `texts.attribute_text` has it, with its number of nodes; in order.
    """

    name: str
    kind: str
    nodes: int
    min: int | float | None
    max: int | float | None
    distinct: int
    values: tuple[tuple[str, int], ...]

    def to_json(self) -> dict[str, Any]:
        """Return the facts for scripts; an infinite bound is a string."""
        values = [{"value": text, "nodes": count} for text, count in self.values]
        return super().to_json() | {"min": _finite(self.min), "max": _finite(self.max), "values": values}


def attribute_facts(attributes: Iterable[ir.Attr]) -> tuple[AttributeFacts, ...]:
    """Return the attributes of one operator's nodes, by name and kind."""
    seen: dict[tuple[str, str], tuple[Counter[Any], dict[Hashable, ir.Attr]]] = {}
    for attribute in attributes:
        kind = _kind(attribute)
        counts, samples = seen.setdefault((attribute.name, kind), (Counter(), {}))
        key = _key(attribute, kind)
        counts[key] += 1
        samples.setdefault(key, attribute)
    return tuple(_facts(name, kind, *seen[name, kind]) for name, kind in sorted(seen))


def _facts(name: str, kind: str, counts: Counter[Any], samples: dict[Hashable, ir.Attr]) -> AttributeFacts:
    keys = sorted(counts)
    frequent = sorted(keys, key=lambda key: -counts[key])[:MOST_VALUES]  # of equals, those that come first
    numbers = [number for key in keys for number in _numbers(samples[key], kind)]
    low, high = (min(numbers), max(numbers)) if numbers else (None, None)
    values = tuple((attribute_text(samples[key]), counts[key]) for key in sorted(frequent))
    return AttributeFacts(name, kind, sum(counts.values()), _shortest(low), _shortest(high), len(keys), values)


def _kind(attribute: ir.Attr) -> str:
    if attribute.is_ref():
        return "reference"
    return "undefined" if attribute.value is None else attribute.type.name.lower()


def _key(attribute: ir.Attr, kind: str) -> Any:
    """Return a key by which values of one kind differ, and are ordered."""
    if kind == "reference":
        return str(attribute.ref_attr_name)
    key_of = _KEYS.get(kind.removesuffix("s"), item_text)
    return tuple(map(key_of, attribute.value)) if isinstance(attribute.value, tuple) else key_of(attribute.value)


_KEYS: dict[str, Any] = {
    "int": int, "graph": len,
    "float": lambda value: (math.isnan(value), 0.0 if math.isnan(value) else value, math.copysign(1, value)),
    "string": lambda value: value if isinstance(value, bytes) else value.encode(errors="surrogatepass"),
    "tensor": lambda value: (dtype_text(value.dtype), tuple(map(int, value.shape))),
    "type_proto": lambda value: type_text(value.type, value.shape),
}  # fmt: skip


def _numbers(attribute: ir.Attr, kind: str) -> list[int | float]:
    if kind.removesuffix("s") not in ("int", "float"):
        return []
    numbers = attribute.value if isinstance(attribute.value, tuple) else (attribute.value,)
    return [number for number in numbers if not math.isnan(number)]


def _shortest(number: int | float | None) -> int | float | None:
    """Return a float as its text has it: 0.1 for the nearest number of 32 bits."""
    return float(item_text(number)) if isinstance(number, float) else number


def _finite(number: int | float | None) -> int | float | str | None:
    return str(number) if isinstance(number, float) and not math.isfinite(number) else number
