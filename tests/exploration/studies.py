"""Rows and sweeps as they come out, made up, for tests of what is done with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnxtile.exploration.results import Sweep
from onnxtile.exploration.rows import Figures, Row


def figures(cycles: int | None, moved: int = 1000) -> Figures:
    return Figures(cycles, cycles, cycles, 0, moved, 900, 10, 5, 4096, 8192)


def row(
    values: Mapping[str, str], cycles: int | None, macs: int = 64, local: int = 1024, *, model: str = "a.onnx",
    reason: str = "", seconds: float | None = None,
) -> Row:  # fmt: skip
    key = "-".join([model, *values.values()])
    found = None if reason else figures(cycles)
    return Row(model, values, found, reason, macs, local, 0.5 if cycles else None, seconds, 3, 1, key)


def study(rows: Sequence[Row], models: Sequence[str] = ("a.onnx",)) -> Sweep:
    return Sweep(tuple(rows[0].values), tuple(models), tuple(rows), {})
