"""Check that the fields of an engine agree with each other; ValueError, with the fact and the cure, if they don't."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from onnxtile.engine.description import ConvUnit, Engine, ProductUnit

AXES: tuple[Literal["M", "K", "N"], ...] = ("M", "K", "N")


def check_unit(unit: ProductUnit) -> None:
    """Check that results fit the type that accumulates them, and that the largest call is one that may be made."""
    _check_accumulate(unit)
    for axis in AXES:
        most, multiple = getattr(unit.max, axis), getattr(unit.multiple, axis)
        if most is not None and most % multiple:
            near = [number for number in (most // multiple * multiple, -(-most // multiple) * multiple) if number]
            raise ValueError(
                f"max.{axis} is {most:,}, no multiple of multiple.{axis}, {multiple:,}, so that no call is that large: "
                f"write {' or '.join(map(str, near))}"
            )


def _check_accumulate(unit: ProductUnit) -> None:
    from onnxtile.engine.description import BITS

    kinds = {name: name.rstrip("0123456789") if "float8" not in name else "float" for name in BITS}
    operands, accumulate = " x ".join(unit.types), unit.accumulate
    if any("float" in kinds[name] for name in unit.types) and "float" not in kinds[accumulate]:
        raise ValueError(
            f"accumulate is {accumulate}, whole numbers, and {operands} gives fractions: write one such as float32"
        )
    if kinds[accumulate] == "uint" and "int" in (kinds[name] for name in unit.types):
        raise ValueError(
            f"accumulate is {accumulate}, without a sign, and {operands} has one: write {accumulate.removeprefix('u')}"
        )
    widest = max(BITS[name] for name in unit.types)
    if BITS[accumulate] < widest:
        raise ValueError(
            f"accumulate is {accumulate}, narrower than its operands, {operands}: write a type of {widest} bits or more"
        )


def check_convolutions(conv: ConvUnit) -> None:
    """Check that a halo is kept only where there is one."""
    if conv.halo == "kept" and conv.windows == "memory":
        raise ValueError(
            'halo is "kept", and windows is "memory", where no rows are shared: write windows = "engine", or '
            "leave halo out"
        )


def check_engine(engine: Engine) -> None:
    """Check that a pair of types has one unit, and that local memory holds the smallest call of each."""
    twice = [types for types, count in Counter(unit.types for unit in engine.product).items() if count > 1]
    if twice:
        first, second, *_ = (at + 1 for at, unit in enumerate(engine.product) if unit.types == twice[0])
        raise ValueError(
            f"product {second}: types are {' x '.join(twice[0])}, as those of product {first}: leave one of them out"
        )
    for at, unit in enumerate(engine.product):
        _check_local_memory(f"product {at + 1}", unit, engine)


def _check_local_memory(place: str, unit: ProductUnit, engine: Engine) -> None:
    """Check that the smallest call fits: what stays is there once, A or B or both stream through the buffers."""
    from onnxtile.engine.description import BITS

    m, k, n = (getattr(unit.multiple, axis) for axis in AXES)
    once = {"A": m * k * BITS[unit.types[0]], "B": k * n * BITS[unit.types[1]], "C": m * n * BITS[unit.accumulate]}
    size, buffers = engine.local.size, engine.local.buffers
    ways = [once | {streams: once[streams] * buffers} for streams in ("A", "B")]
    if isinstance(size, int):
        least = -(-min(sum(way.values()) for way in ways) // 8)
        if least > size:
            raise _too_small(place, (m, k, n), f"{least:,} bytes{_with(buffers)}", f"local.size is {size:,}")
        return
    lacking = [{name: bits for name, bits in way.items() if bits > 8 * getattr(size, name)} for way in ways]
    if all(lacking):
        name, bits = next(iter(min(lacking, key=len).items()))
        words = f"{-(-bits // 8):,} bytes of {name}{_with(buffers) if bits > once[name] else ''}"
        raise _too_small(place, (m, k, n), words, f"local.size.{name} is {getattr(size, name):,}")


def _too_small(place: str, call: tuple[int, int, int], taken: str, size: str) -> ValueError:
    return ValueError(
        f"{place}: the smallest call, {' x '.join(map(str, call))}, takes {taken}, and {size}: write more, or a "
        "smaller multiple"
    )


def _with(buffers: int) -> str:
    return " with 2 buffers" if buffers == 2 else ""
