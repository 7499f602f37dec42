"""The rows of a sweep: what one engine costs on one model; as cells of a table, and read back from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from onnxtile.engine.description import Engine, SplitSize
from onnxtile.ir.json_encoding import JsonRecord
from onnxtile.ir.printable import printable


@dataclass(frozen=True)
class Figures:
    """Costs of a model's products together on one engine; cycles are None where the engine has no such rate.

    `compute_cycles`, `memory_cycles`, `local_cycles`: sums over products of what the array, the main memory and the
    local memory take; `cycles`: the sum of each product's own maximum. `bytes`: to and from main memory, of partial
    sums `partial_bytes`; `least_bytes`: each operand once. `calls`: tiles; `padded_macs`: with the padding of tiles.
    """

    cycles: int | None
    compute_cycles: int | None
    memory_cycles: int | None
    local_cycles: int | None
    bytes: int
    least_bytes: int
    partial_bytes: int
    calls: int
    macs: int
    padded_macs: int


FIGURES = tuple(field.name for field in dataclasses.fields(Figures))


@dataclass(frozen=True)
class Row(JsonRecord):
    """One engine on one model.

    `values`: the text of each field that varies. `figures`: None where there are none, and `reason` says why.
    `macs_a_cycle`, `local_size`: multiply-accumulates a cycle of the largest array, bytes of local memory: they stand
    for the area. `utilization`: the part of the array's multiply-accumulates that compute the model. `seconds`: None
    where the engine has no clock. `products`: those that are counted, repeated ones too; `left_out`: those that can't
    be, the same for all engines. `key`: a hash of the model's products, the engine and what is minimized.
    """

    model: str
    values: Mapping[str, str]
    figures: Figures | None
    reason: str
    macs_a_cycle: int | None
    local_size: int | None
    utilization: float | None
    seconds: float | None
    products: int
    left_out: int
    key: str = field(repr=False)

    def cells(self) -> dict[str, str]:
        """Return the row as text, by heading; '' for what isn't known."""
        figures: Mapping[str, object] = vars(self.figures) if self.figures else dict.fromkeys(FIGURES)
        cells: dict[str, object] = {"model": self.model, **self.values, **figures}
        cells |= {name: getattr(self, name) for name in BEHIND}
        return {heading: "" if cell is None else printable(str(cell)) for heading, cell in cells.items()}


BEHIND = ("utilization", "seconds", "macs_a_cycle", "local_size", "products", "left_out", "reason", "key")
_TEXTS = ("model", "reason", "key")


def headings(fields: Sequence[str]) -> list[str]:
    """Return the headings of a table in which these fields vary."""
    return ["model", *fields, *FIGURES, *BEHIND]


def outcome_of(cells: Mapping[str, str]) -> Figures | str:
    """Return the figures that a row's cells hold, or its reason. Raises ValueError where they hold neither."""
    if cells["reason"]:
        return cells["reason"]
    figures = {name: int(cells[name]) if cells[name] else None for name in FIGURES}
    unsure = ("cycles", "compute_cycles", "memory_cycles", "local_cycles")
    if any(figures[name] is None for name in FIGURES if name not in unsure):
        raise ValueError("a figure is missing")
    return Figures(**figures)  # type: ignore[arg-type]  # those that may not be None aren't


def columns_of(rows: Sequence[Row], fields: Sequence[str]) -> dict[str, list[Any]]:
    """Return the table by columns, with numbers as numbers, for Parquet."""
    columns: dict[str, list[Any]] = {heading: [] for heading in headings(fields)}
    for row in rows:
        for heading, cell in row.cells().items():
            columns[heading].append(_number(cell, heading) if heading not in (*_TEXTS, *fields) else cell)
    return columns


def _number(cell: str, heading: str) -> int | float | None:
    if not cell:
        return None
    return float(cell) if heading in ("utilization", "seconds") else int(cell)


def macs_a_cycle(engine: Engine) -> int:
    """Return the multiply-accumulates of a cycle of the engine's largest array."""
    return max(unit.array.M * unit.array.K * unit.array.N for unit in engine.product)


def local_size(engine: Engine) -> int:
    """Return the bytes of local memory, of all operands."""
    size = engine.local.size
    return size.A + size.B + size.C if isinstance(size, SplitSize) else size
