"""Report what was captured: a row a value, for people and as JSON; and the values themselves by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from onnxtile.ir.json_encoding import JsonRecord
from onnxtile.ir.notebook import Sheet, Tabular
from onnxtile.ir.printable import SHORT, printable

SCHEMA, INDEX_SCHEMA = "onnxtile.capture/1", "onnxtile.capture-index/1"
Number = int | float | None


@dataclass(frozen=True)
class CapturedValue(JsonRecord):
    """A captured value.

    `node` gives it, an `op`; or `nodes` nodes that a lowering made for the original's `node` put it together, the last
    of them an `op`. `bytes`: numbers of fewer than 8 bits packed. `min`, `max` and `mean` are of the numbers
    that are finite, None where there are none; `nan` and `infinite` count the others. `first`: the first few elements.
    `stored`: how a file holds it where numpy has no such type, such as `bits in uint16`. `place`: its member of the
    .npz file, or its file in the folder.
    """

    value: str
    node: str
    op: str
    nodes: int
    dtype: str
    shape: tuple[int, ...]
    bytes: int
    min: Number
    max: Number
    mean: Number
    nan: int
    infinite: int
    first: tuple[str, ...]
    stored: str | None = None
    place: str | None = None


@dataclass(frozen=True)
class Skipped:
    """A node, or a value of it, that was asked for and isn't there; `reason` goes on from its name."""

    node: str
    op: str
    reason: str


@dataclass(frozen=True)
class Fed(JsonRecord):
    """The inputs that the model was run on: `given` ones, or `random` ones from `seed`.

    `sizes`: those of free dimensions, as bound, as the given inputs have them, or as made up.
    """

    source: str
    seed: int | None
    sizes: Mapping[str, int]
    made_up: tuple[str, ...] = ()


@dataclass(frozen=True)
class CaptureReport(Tabular, JsonRecord, members="schema output inputs *"):
    """The values that were captured, and the nodes of which none were; `output`: where it was written.

    `unmatched`: what was asked for that nothing in the model fits, in words. `warnings`: what to know of the engine.
    """

    schema: ClassVar[str] = SCHEMA
    values: tuple[CapturedValue, ...]
    skipped: tuple[Skipped, ...]
    unmatched: tuple[str, ...]
    inputs: Fed
    output: Path | None = None
    warnings: tuple[str, ...] = ()

    def sheet(self) -> Sheet:
        figures = ("min", "max", "mean")
        rows = [
            (
                value.value, f"{value.node} {value.op}", f"{value.dtype} {'x'.join(map(str, value.shape))}",
                *("" if (figure := getattr(value, name)) is None else f"{figure:.4g}" for name in figures),
            )
            for value in self.values
        ]  # fmt: skip
        lines = [*(f"{one.node} {one.op} {one.reason}" for one in self.skipped), *self.unmatched, *self.warnings]
        return Sheet(lines, ("value", "operator", "type, shape", *figures), rows, (3, 4, 5))

    def records(self) -> list[dict[str, Any]]:
        return [value.to_json() for value in self.values]


class Captured(Mapping[str, np.ndarray]):
    """The captured values by name, in the model's order; `report` has the rest.

    Types that numpy lacks are those of ml_dtypes (bfloat16, float8, int4, ...); text is a numpy array of str.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], report: CaptureReport) -> None:
        self._arrays, self.report = dict(arrays), report

    def _repr_html_(self) -> str:
        return self.report.sheet().html()

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{printable(name, SHORT)}: {array.dtype}{list(array.shape)}" for name, array in list(self.items())[:5]
        )
        return f"Captured({shown}{', ...' if len(self) > 5 else ''})"
