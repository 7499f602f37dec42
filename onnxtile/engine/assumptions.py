"""Say what is assumed of an engine where its file has no field, and what in it is more often a mistake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from pydantic import BaseModel

from onnxtile.engine.consistency import AXES
from onnxtile.engine.description import BITS, Unset
from onnxtile.engine.quantities import BYTES, number_text
from onnxtile.errors import did_you_mean
from onnxtile.ir.io.toml_files import toml_text
from onnxtile.operators.table import OPERATORS

if TYPE_CHECKING:
    from onnxtile.engine.description import Engine, ProductUnit


@dataclass(frozen=True)
class Assumed:
    """A field that isn't given, what is taken for it, and what it is."""

    field: str
    value: str
    meaning: str


def assumed(engine: Engine) -> list[Assumed]:
    """Return the fields that aren't given, each with what is assumed; what several units lack once."""
    found: dict[Assumed, list[int]] = {}
    for unit, one in _not_given(engine):
        found.setdefault(one, []).append(unit)
    return [
        Assumed(_place(units, len(engine.product)) + one.field, one.value, one.meaning) for one, units in found.items()
    ]


def _place(units: list[int], of: int) -> str:
    if units == [0]:
        return ""
    return "each product: " if len(units) == of > 1 else f"product {', '.join(map(str, units))}: "


def _not_given(engine: Engine) -> Iterator[tuple[int, Assumed]]:
    """Yield each field that isn't given, with the number of its unit; 0 where it's in no unit."""
    for name in type(engine).model_fields:
        value = getattr(engine, name)
        if name == "product":
            for number, unit in enumerate(engine.product, 1):
                yield from ((number, one) for one in _absent(unit, "", unit.model_fields_set))
        elif isinstance(value, BaseModel):
            given = value.model_fields_set if name in engine.model_fields_set else set()
            yield from ((0, one) for one in _absent(value, f"{name}.", given))
        elif name not in engine.model_fields_set:
            yield from ((0, one) for one in _absent(engine, "", set(type(engine).model_fields) - {name}))


def _absent(table: BaseModel, before: str, given: set[str]) -> Iterator[Assumed]:
    for name, field in type(table).model_fields.items():
        if name not in given:
            words = next((one.words for one in field.metadata if isinstance(one, Unset)), None)
            value = words if words is not None else toml_text(getattr(table, name))
            yield Assumed(before + name, value, (field.description or "").rstrip("."))


def remarks(engine: Engine) -> list[str]:
    """Return a line for each thing that an engine may have, and that is more often a mistake."""
    found = []
    for number, unit in enumerate(engine.product, 1):
        for axis in AXES:
            most, width = getattr(unit.max, axis), getattr(unit.array, axis)
            words = f"product {number}: max.{axis} is {most}, and array.{axis} {width}: the array is"
            if most is not None and most < width:
                found.append(f"{words} never full")
            elif most is not None and most % width:
                found.append(f"{words} partly empty in the last pass of the largest call")
    found += _amounts(engine)
    known = {name for _, name in OPERATORS}
    for name in engine.operators.supported or ():
        if name not in known:
            found.append(f"operators.supported: {name} is no operator that onnxtile knows{did_you_mean(name, known)}")
    if not any("float32" in unit.types for unit in engine.product):
        found.append("no [[product]] has float32: products of models that aren't quantized have no unit")
    return found


def _amounts(engine: Engine) -> Iterator[str]:
    """Yield a line for each amount that more often has another unit than an engine with that much."""
    size, bandwidth = engine.local.size, engine.memory.bandwidth
    parts = {"": size} if isinstance(size, int) else {f".{name}": part for name, part in size}
    for name, part in parts.items():
        if part < BYTES["KiB"]:
            yield f'local.size{name} is {part} bytes: a number is bytes; write "{part} KiB" where that is meant'
    most = max(_bytes_a_cycle(unit) for unit in engine.product)
    if bandwidth is not None and bandwidth > most:
        yield (
            f"memory.bandwidth is {number_text(bandwidth)} bytes a cycle, and the array takes {number_text(most)} at "
            "most: no product waits for memory"
        )


def _bytes_a_cycle(unit: ProductUnit) -> Fraction:
    """Return what all operands of a cycle are, none of which is held."""
    m, k, n = (getattr(unit.array, axis) for axis in AXES)
    bits = m * k * BITS[unit.types[0]] + k * n * BITS[unit.types[1]] + m * n * BITS[unit.accumulate]
    return Fraction(bits, 8)
