"""Check that the fields of an engine agree with each other.

Where they don't, ValueError has an argument for each mistake: the fact and the cure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from onnxtile.engine.description import ConvUnit, Engine, ProductUnit

AXES: tuple[Literal["M", "K", "N"], ...] = ("M", "K", "N")


def check_unit(unit: ProductUnit) -> None:
    """Check that results fit the type that accumulates them, and that the largest call is one that may be made."""
    _raise(_accumulate(unit), _largest_call(unit))


def _raise(*mistakes: Iterator[str]) -> None:
    """Raise ValueError with all mistakes, if there are any."""
    if found := [words for of_a_kind in mistakes for words in of_a_kind]:
        raise ValueError(*found)


def _largest_call(unit: ProductUnit) -> Iterator[str]:
    for axis in AXES:
        most, multiple = getattr(unit.max, axis), getattr(unit.multiple, axis)
        if most is not None and most % multiple:
            near = [number for number in (most // multiple * multiple, -(-most // multiple) * multiple) if number]
            yield (
                f"max.{axis} is {most:,}, no multiple of multiple.{axis}, {multiple:,}, so that no call is that large: "
                f"write {' or '.join(map(str, near))}"
            )


def _accumulate(unit: ProductUnit) -> Iterator[str]:
    from onnxtile.engine.description import BITS

    kinds = {name: name.rstrip("0123456789") if "float8" not in name else "float" for name in BITS}
    operands, accumulate = " x ".join(unit.types), unit.accumulate
    if any("float" in kinds[name] for name in unit.types) and "float" not in kinds[accumulate]:
        yield f"accumulate is {accumulate}, whole numbers, and {operands} gives fractions: write one such as float32"
    elif kinds[accumulate] == "uint" and "int" in (kinds[name] for name in unit.types):
        signed = accumulate.removeprefix("u")
        yield f"accumulate is {accumulate}, without a sign, and {operands} has one: write {signed}"
    elif BITS[accumulate] < (widest := max(BITS[name] for name in unit.types)):
        what = f"narrower than its operands, {operands}"
        yield f"accumulate is {accumulate}, {what}: write a type of {widest} bits or more"


def check_convolutions(conv: ConvUnit) -> None:
    """Check that a halo is kept only where there is one."""
    if conv.halo == "kept" and conv.windows == "memory":
        raise ValueError(
            'halo is "kept", and windows is "memory", where no rows are shared: write windows = "engine", or '
            "leave halo out"
        )


def check_engine(engine: Engine) -> None:
    """Check that a pair of types has one unit, whose smallest call and full array local memory holds."""
    units = list(enumerate(engine.product, 1))
    calls = (words for at, unit in units if (words := _local_memory(f"product {at}", unit, engine)))
    _raise(_twice(engine), calls)


def _twice(engine: Engine) -> Iterator[str]:
    first: dict[tuple[str, str], int] = {}
    for at, unit in enumerate(engine.product, 1):
        if first.setdefault(unit.types, at) != at:
            yield (
                f"product {at}: types are {' x '.join(unit.types)}, as those of product {first[unit.types]}: leave one "
                "of them out"
            )


def _local_memory(place: str, unit: ProductUnit, engine: Engine) -> str | None:
    """Say where the smallest call doesn't fit, or one that fills the array as far as a call may."""
    smallest = [getattr(unit.multiple, axis) for axis in AXES]
    widths = [(getattr(unit.array, axis), getattr(unit.max, axis)) for axis in AXES]
    full = [width if most is None else min(width, most) for width, most in widths]
    full = [-(-width // multiple) * multiple for width, multiple in zip(full, smallest, strict=True)]
    return _call_held(f"{place}: the smallest call", smallest, "multiple", unit, engine) or _call_held(
        f"{place}: a call that fills the array", full, "array", unit, engine
    )


def _call_held(call: str, sizes: list[int], field: str, unit: ProductUnit, engine: Engine) -> str | None:
    """Say where a call doesn't fit: what stays is there once, A or B or both stream through the buffers."""
    from onnxtile.engine.description import BITS

    m, k, n = sizes
    once = {"A": m * k * BITS[unit.types[0]], "B": k * n * BITS[unit.types[1]], "C": m * n * BITS[unit.accumulate]}
    size, buffers = engine.local.size, engine.local.buffers
    ways = [once | {streams: once[streams] * buffers} for streams in ("A", "B")]
    if isinstance(size, int):
        least = -(-min(sum(way.values()) for way in ways) // 8)
        if least > size:
            return _too_small(call, sizes, f"{least:,} bytes{_with(buffers)}", f"local.size is {size:,}", field)
        return None
    lacking = [{name: bits for name, bits in way.items() if bits > 8 * getattr(size, name)} for way in ways]
    if all(lacking):
        name, bits = next(iter(min(lacking, key=len).items()))
        taken = f"{-(-bits // 8):,} bytes of {name}{_with(buffers) if bits > once[name] else ''}"
        return _too_small(call, sizes, taken, f"local.size.{name} is {getattr(size, name):,}", field)
    return None


def _too_small(call: str, sizes: list[int], taken: str, size: str, field: str) -> str:
    return f"{call}, {' x '.join(map(str, sizes))}, takes {taken}, and {size}: write more, or a smaller {field}"


def _with(buffers: int) -> str:
    return " with 2 buffers" if buffers == 2 else ""
