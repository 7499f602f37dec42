"""Costs of a model on an engine: of its products and its other operators, one by one, in groups, and all together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from onnxtile.ir.json_encoding import JsonRecord
from onnxtile.ir.notebook import Sheet, Tabular
from onnxtile.ir.printable import aligned, in_scope
from onnxtile.ir.symbolic.amounts import Amount, Unknown, amount_text, difference, total
from onnxtile.ir.symbolic.rounded import count_text, percent_text

SUMMED = (
    "calls", "macs", "padded_macs", "a_bytes", "b_bytes", "c_bytes", "partial_bytes", "least_bytes", "compute_cycles",
    "memory_cycles", "local_cycles", "cycles", "other_bytes", "other_cycles",
)  # fmt: skip
"""The amounts that add up."""
AMOUNTS = """calls macs padded_macs a_bytes b_bytes c_bytes partial_bytes bytes least_bytes extra_bytes compute_cycles
    memory_cycles local_cycles cycles utilization other_bytes other_cycles total_cycles seconds"""
"""The amounts of a row in order."""
Unit = Literal["engine", "vector", "host", "unknown"]


@dataclass(frozen=True, kw_only=True)
class EngineCosts(JsonRecord, members=AMOUNTS):
    """Costs in one run of the model. docs/engine.md derives the formulas.

    `calls`: of the matrix unit; `macs`: multiply-accumulates; `padded_macs`: with sizes of calls rounded up to the
    unit's multiples. `a_bytes`, `b_bytes`, `c_bytes`: moved between memory and local memory, `partial_bytes` of partial
    sums that leave and come back; `bytes`: all of them, `extra_bytes` of them beyond `least_bytes`, which any order
    moves. `compute_cycles`, `memory_cycles`, `local_cycles`: of the array, of transfers from and to memory, and between
    local memory and array; `cycles`: of the products, by what takes longest in each. `other_bytes`, `other_cycles`: of
    the other operators, which move their inputs and outputs. `utilization`: multiply-accumulates over those that the
    array could do in `cycles`. `seconds`: of `total_cycles`, where the engine has a clock. `lanes_cycles`: cycles that
    the multiply-accumulates take where no lane of the array idles.
    """

    calls: Amount = 0
    macs: Amount = 0
    padded_macs: Amount = 0
    a_bytes: Amount = 0
    b_bytes: Amount = 0
    c_bytes: Amount = 0
    partial_bytes: Amount = 0
    least_bytes: Amount = 0
    compute_cycles: Amount = 0
    memory_cycles: Amount = 0
    local_cycles: Amount = 0
    cycles: Amount = 0
    other_bytes: Amount = 0
    other_cycles: Amount = 0
    lanes_cycles: Fraction = Fraction(0)
    clock: Fraction | None = None

    @property
    def bytes(self) -> Amount:
        """Return what the products move."""
        parts = (self.a_bytes, self.b_bytes, self.c_bytes, self.partial_bytes)
        return next((part for part in parts if isinstance(part, Unknown)), None) or total(parts)

    @property
    def extra_bytes(self) -> Amount:
        """Return what they move beyond the least possible."""
        return difference(self.bytes, self.least_bytes)

    @property
    def moved(self) -> Amount:
        """Return what is moved at all."""
        return total([self.bytes, self.other_bytes])

    @property
    def total_cycles(self) -> Amount:
        """Return the cycles of products and other operators, which run one after another."""
        if isinstance(self.cycles, Unknown) and self.other_cycles == 0:
            return self.cycles
        if isinstance(self.other_cycles, Unknown) and self.cycles == 0:
            return self.other_cycles
        return total([self.cycles, self.other_cycles])

    @property
    def utilization(self) -> float | None:
        """Return the share of the array's lanes that work while products run; None where that can't be told."""
        whole = isinstance(self.cycles, int) and self.cycles
        return float(self.lanes_cycles / self.cycles) if whole and isinstance(self.cycles, int) else None

    @property
    def seconds(self) -> float | None:
        """Return the time of all cycles; None without a clock, and where they aren't a number."""
        cycles = self.total_cycles
        return float(cycles / self.clock) if self.clock is not None and isinstance(cycles, int) else None


@dataclass(frozen=True, kw_only=True)
class Layer(
    EngineCosts,
    members=f"""name op scope module origin part on m k n batch types tile schedule times nodes {AMOUNTS}
        bound mean_bandwidth peak_bandwidth reason""",
):
    """One product, or one other operator (`on`: where it runs).

    `tile`: of a call; `schedule`: how its tiles run, as SCHEDULE in `ir/metadata.py`. `nodes`: of the file that are the
    product: more than one where it's cut. `bound`: what takes longest. `mean_bandwidth`, `peak_bandwidth`: bytes a
    cycle, of all its cycles, and the most that a call asks for while it's computed. `reason`: why amounts are unknown.
    """

    name: str
    op: str
    scope: str = ""
    module: str = ""
    origin: str | None = None
    part: str = ""
    on: Unit = "engine"
    m: int | str | None = None
    k: int | str | None = None
    n: int | str | None = None
    batch: int | str | None = None
    types: tuple[str, str] | None = None
    tile: tuple[int, int, int] | None = None
    schedule: str | None = None
    times: Amount = 1
    nodes: int = 1
    bound: str | None = None
    peak: Fraction | None = None
    reason: str | None = None

    @property
    def mean_bandwidth(self) -> float | None:
        moved, cycles = self.bytes, self.cycles
        return moved / cycles if isinstance(moved, int) and isinstance(cycles, int) and cycles else None

    @property
    def peak_bandwidth(self) -> float | None:
        return None if self.peak is None else float(self.peak)


@dataclass(frozen=True, kw_only=True)
class LayerGroup(EngineCosts, members=f"name layers {AMOUNTS}"):
    """Layers that have something in common."""

    name: str
    layers: int


@dataclass(frozen=True, kw_only=True)
class EngineTotals(EngineCosts, members=f"products {AMOUNTS} activation_bytes local_activation_bytes"):
    """All layers together. An amount that is unknown for some layer is a range without an upper end: a lower bound.

    `activation_bytes`: values that nodes give to others; `local_activation_bytes` of them each fit local memory by
    themselves, which would save moving them out and in. They aren't saved in the other amounts.
    """

    products: int = 0
    activation_bytes: Amount = 0
    local_activation_bytes: Amount = 0


@dataclass(frozen=True)
class EngineProfile(Tabular, JsonRecord, members="engine minimize assumptions totals layers"):
    """Costs of a model on an engine. `assumptions`: what isn't known of the engine, and what follows."""

    engine: str
    minimize: str
    layers: tuple[Layer, ...]
    totals: EngineTotals
    assumptions: tuple[str, ...] = ()

    def __str__(self) -> str:
        totals = self.totals
        figures: dict[str, Amount] = {
            "products": totals.products, "calls": totals.calls, "MACs": totals.macs, "bytes moved": totals.bytes,
            "least bytes": totals.least_bytes, "cycles": totals.cycles, "other bytes": totals.other_bytes,
        }  # fmt: skip
        lines = [("engine", self.engine), *((name, amount_text(amount)) for name, amount in figures.items())]
        return "\n".join(aligned(lines, right=[1]))

    def sheet(self) -> Sheet:
        amounts = {"calls": "calls", "moved": "moved", "extra": "extra_bytes", "cycles": "total_cycles"}
        rows = [
            (
                f"{in_scope(layer.scope, layer.name)} {layer.op} {layer.part}".rstrip(),
                *(count_text(getattr(layer, name)) for name in amounts.values()),
                layer.bound or "",
                "" if layer.utilization is None else percent_text(layer.utilization),
            )
            for layer in self.layers
        ]
        headings = ("node", *amounts, "bound", "utilization")
        return Sheet([*str(self).splitlines(), *self.assumptions], headings, rows, (1, 2, 3, 4, 6))

    def records(self) -> list[dict[str, Any]]:
        return [layer.to_json() for layer in self.layers]

    def by(self, what: str, depth: int | None = None, layers: Sequence[Layer] | None = None) -> tuple[LayerGroup, ...]:
        """Return the layers (None: all) in groups: by `op`, `module` (`depth` names of its path), `origin`, `scope`."""
        groups: dict[str, list[Layer]] = {}
        for layer in self.layers if layers is None else layers:
            name = getattr(layer, what) or ""
            if what == "module" and depth is not None:
                mark = "/" if "/" in name else "."
                name = mark.join(name.split(mark)[:depth])
            groups.setdefault(name, []).append(layer)
        return tuple(LayerGroup(name=name, layers=len(some), **sums_of(some)) for name, some in groups.items())


def sums_of(layers: Sequence[Layer]) -> dict[str, Any]:
    """Return the amounts of layers together."""
    sums: dict[str, Any] = {name: total(getattr(layer, name) for layer in layers) for name in SUMMED}
    lanes = sum((layer.lanes_cycles for layer in layers), Fraction(0))
    return sums | {"lanes_cycles": lanes, "clock": next((layer.clock for layer in layers if layer.clock), None)}
