"""Describe an engine in a few lines: what its file says, and what that is at most."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from onnxtile.engine.consistency import AXES
from onnxtile.engine.quantities import bytes_text, hertz_text, number_text
from onnxtile.ir.printable import aligned, several

if TYPE_CHECKING:
    from onnxtile.engine.description import Axes, Engine, MostOfACall, ProductUnit

Line = tuple[str, str]
"""The subject of a line, and its text."""


@dataclass(frozen=True)
class Peak:
    """The most that an engine does with one pair of types."""

    types: tuple[str, str]
    macs: int
    """MACs of a cycle."""
    tops: float | None
    """10**12 operations a second, two a MAC; None without a clock."""
    balance: float | None
    """MACs a byte of memory at which the array and the memory take the same time; None without a bandwidth."""


def peak(unit: ProductUnit, engine: Engine) -> Peak:
    """Return the most that a unit of this engine does."""
    tops = None if engine.clock is None else _number(2 * unit.macs * engine.clock / 10**12)
    bandwidth = engine.memory.bandwidth
    return Peak(unit.types, unit.macs, tops, None if bandwidth is None else _number(unit.macs / bandwidth))


def _number(amount: Fraction) -> float:
    return int(amount) if amount.denominator == 1 else float(amount)


def sections(engine: Engine) -> list[list[Line]]:
    """Return what describes an engine: lines for each unit, and lines for what they share."""
    units: dict[ProductUnit, list[ProductUnit]] = {}
    for unit in engine.product:
        units.setdefault(unit.model_copy(update={"types": ()}), []).append(unit)
    return [*(_unit_lines(same, engine) for same in units.values()), _memory_lines(engine)]


def _unit_lines(units: Sequence[ProductUnit], engine: Engine) -> list[Line]:
    """Return the lines of units that are alike but for their types."""
    unit = units[0]
    most = peak(unit, engine)
    padded = "" if unit.multiple == type(unit.multiple)() else f"; in multiples of {axes_text(unit.multiple)}"
    call = f"; {several(unit.call, 'cycle')} beyond MACs" if unit.call else ""
    tops = "" if most.tops is None else f", {number_text(most.tops)} TOPS"
    fill = f"; {several(unit.fill, 'cycle')} to fill" if unit.fill else ""
    behind = ", while the block before is multiplied" if unit.fill and unit.fill_overlaps else ""
    balance = "unknown without memory.bandwidth" if most.balance is None else f"{number_text(most.balance)} MACs a byte"
    return [
        ("types", ", ".join(" x ".join(one.types) for one in units)),
        ("sums", unit.accumulate),
        ("call", f"at most {axes_text(unit.max)}{padded}{call}"),
        ("array", f"{axes_text(unit.array)}: {several(unit.macs, 'MAC')} a cycle{tops}"),
        ("held", f"{unit.held}{fill}{behind}"),
        ("results", "any number a cycle" if unit.results is None else f"{unit.results:,} a cycle"),
        ("balance", balance),
    ]


def _memory_lines(engine: Engine) -> list[Line]:
    local, memory, conv, others = engine.local, engine.memory, engine.conv, engine.operators
    windows = "formed in memory"
    if conv.windows == "engine":
        rows = "kept" if conv.halo == "kept" else "read again"
        windows = f"formed by the engine; rows that blocks share are {rows}"
    behind = [f"bursts of {bytes_text(memory.burst)}"] if memory.burst > 1 else []
    behind += [f"{several(memory.latency, 'cycle')} of latency"] if memory.latency else []
    more = [("", "; ".join(behind))] if behind else []
    return [
        ("local", f"{local_text(engine)}; {several(local.buffers, 'buffer')}"),
        ("", _rate(local.bandwidth, engine, "any bandwidth")),
        ("memory", _rate(memory.bandwidth, engine, "bandwidth unknown: bytes only")),
        *more,
        ("windows", windows),
        ("Conv", "run by the engine itself" if conv.native else "not run by the engine itself"),
        ("others", "not asked which run here" if others.supported is None else ", ".join(others.supported) or "none"),
        ("vector", _rate(others.vector, engine, "as memory")),
        ("host", _rate(others.host, engine, "unknown")),
    ]


def local_text(engine: Engine) -> str:
    """Return the sizes of local memory."""
    size = engine.local.size
    if isinstance(size, int):
        return f"{bytes_text(size)} shared"
    return ", ".join(f"{operand} {bytes_text(getattr(size, operand))}" for operand in ("A", "B", "C"))


def types_text(engine: Engine) -> str:
    """Return the pairs of types that an engine multiplies."""
    return ", ".join(" x ".join(unit.types) for unit in engine.product)


def axes_text(axes: Axes | MostOfACall) -> str:
    """Return `64 x 64 x 64`, M, K and N; `*` where there is no limit."""
    return " x ".join("*" if (size := getattr(axes, axis)) is None else f"{size:,}" for axis in AXES)


def _rate(rate: Fraction | None, engine: Engine, otherwise: str) -> str:
    if rate is None:
        return otherwise
    second = "" if engine.clock is None else f" ({number_text(rate * engine.clock / 10**9)} GB/s)"
    return f"{number_text(rate)} bytes a cycle{second}"


def heading(engine: Engine) -> str:
    """Return the name and the clock."""
    return f"{engine.name}, {'no clock: cycles, no times' if engine.clock is None else hertz_text(engine.clock)}"


def text(engine: Engine) -> str:
    """Return the description as lines."""
    blocks = ["\n".join(aligned(lines)) for lines in sections(engine)]
    return "\n\n".join([heading(engine), *blocks])


def html_table(engine: Engine) -> str:
    """Return the description as a table for notebooks."""
    rows = "".join(
        f"<tr><th style='text-align: left'>{html.escape(about)}</th>"
        f"<td style='text-align: left'>{html.escape(words)}</td></tr>"
        for lines in sections(engine)
        for about, words in lines
    )
    return f"<table><caption>{html.escape(heading(engine))}</caption>{rows}</table>"
