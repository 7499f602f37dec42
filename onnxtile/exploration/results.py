"""Results of a sweep: its rows, the best engine, and the engines that nothing is better than."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

from onnxtile.exploration.pareto import front
from onnxtile.exploration.rows import Row
from onnxtile.ir.json_encoding import JsonRecord, encode
from onnxtile.ir.notebook import Sheet, Tabular
from onnxtile.ir.printable import aligned, several

Measure = Literal["seconds", "cycles", "bytes"]


@dataclass(frozen=True)
class Point(JsonRecord):
    """One engine, all models together. `cost`: the sweep's measure; `seconds`: None where the engine has no clock."""

    values: Mapping[str, str]
    cost: float
    cycles: int | None
    seconds: float | None
    bytes: int
    macs_a_cycle: int
    local_size: int


@dataclass(frozen=True)
class Sweep(Tabular, JsonRecord, members="schema fields models measure best front left_out rows"):
    """The costs of models on engines: a row an engine and model, in the order of the variations.

    `fields`: those that vary. `left_out`: reasons why products aren't counted, on no engine, and how many these are.
    """

    schema: ClassVar[str] = "onnxtile.sweep/1"
    fields: tuple[str, ...]
    models: tuple[str, ...]
    rows: tuple[Row, ...]
    left_out: Mapping[str, int]

    @property
    def measure(self) -> Measure:
        """Return what engines are compared by: cycles; seconds where clocks vary; bytes where cycles aren't known."""
        if not any(row.figures is not None and row.figures.cycles is not None for row in self.rows):
            return "bytes"
        return "seconds" if "clock" in self.fields else "cycles"

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """Return the engines on which every model's cost is known."""
        size = len(self.models)
        engines = (self.rows[start : start + size] for start in range(0, len(self.rows), size))
        return tuple(point for rows in engines if (point := _point(rows, self.measure)) is not None)

    @property
    def best(self) -> Point | None:
        """Return the engine of least cost; of equal ones the smallest, then the first."""
        return min(self.points, key=lambda point: (point.cost, point.macs_a_cycle, point.local_size), default=None)

    @cached_property
    def front(self) -> tuple[Point, ...]:
        """Return the engines that no other beats in cost, multiply-accumulates a cycle and local memory: the Pareto
        front, of least cost first.
        """
        points = [(point.cost, point.macs_a_cycle, point.local_size) for point in self.points]
        return tuple(sorted((self.points[at] for at in front(points)), key=lambda point: point.cost))

    def sheet(self) -> Sheet:
        """Return the Pareto front; a data frame has all rows."""
        rows = [(*point.values.values(), f"{point.cost:,}") for point in self.front]
        head = str(self).splitlines()[0]
        return Sheet([head], (*self.fields, self.measure), rows, (len(self.fields),))

    def records(self) -> list[dict[str, Any]]:
        return [encode(row) for row in self.rows]

    def __str__(self) -> str:
        head = f"{several(len(self.rows) // max(len(self.models), 1), 'engine')}, {several(len(self.models), 'model')}"
        if self.best is None:
            return head
        lines = [(*point.values.values(), f"{point.cost:,}") for point in self.front]
        return "\n".join([head, *aligned([(*self.fields, self.measure), *lines], right=[len(self.fields)])])


def _point(rows: tuple[Row, ...], measure: Measure) -> Point | None:
    figures = [row.figures for row in rows if row.figures is not None]
    first = rows[0]
    if len(figures) < len(rows) or first.macs_a_cycle is None or first.local_size is None:
        return None
    cycles = [one.cycles for one in figures]
    seconds = [row.seconds for row in rows]
    together = None if None in cycles else sum(one or 0 for one in cycles)
    time = None if None in seconds else sum(one or 0.0 for one in seconds)
    moved = sum(one.bytes for one in figures)
    cost = {"cycles": together, "seconds": time, "bytes": moved}[measure]
    if cost is None:
        return None
    return Point(first.values, cost, together, time, moved, first.macs_a_cycle, first.local_size)
