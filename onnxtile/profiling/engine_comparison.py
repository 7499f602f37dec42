"""Compare what a model takes on an engine with what the lowered one does, product by product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onnxtile.ir.json_encoding import JsonRecord
from onnxtile.ir.symbolic.amounts import Amount, total
from onnxtile.profiling.engine_costs import EngineProfile, EngineTotals, Layer

_TOTALS = (
    "products", "calls", "macs", "padded_macs", "bytes", "least_bytes", "compute_cycles", "memory_cycles",
    "local_cycles", "cycles", "other_bytes", "other_cycles",
)  # fmt: skip


@dataclass(frozen=True)
class LayerChange(JsonRecord):
    """The products of a node: bytes and cycles as it is and as it was lowered, and calls then.

    `beside`: what other nodes of the lowered model move that were made for it.
    """

    name: str
    op: str
    bytes: tuple[Amount, Amount]
    cycles: tuple[Amount, Amount]
    calls: Amount
    beside: Amount


@dataclass(frozen=True)
class EngineComparison(JsonRecord, members="engine totals=both_totals changes"):
    """Two models on an engine: `changes` has the nodes with products, in the first's order."""

    engine: str
    totals: tuple[EngineTotals, EngineTotals]
    changes: tuple[LayerChange, ...]

    @property
    def both_totals(self) -> dict[str, tuple[Amount, Amount]]:
        """Return amounts of both models, by name."""
        before, after = self.totals
        return {name: (getattr(before, name), getattr(after, name)) for name in _TOTALS}


def compare_on_engine(before: EngineProfile, after: EngineProfile) -> EngineComparison:
    """Lay what a lowered model takes beside what the original does, by what nodes say of their origin, or names."""
    lowered: dict[str, list[Layer]] = {}
    for layer in after.layers:
        lowered.setdefault(layer.origin or layer.name, []).append(layer)
    original: dict[str, list[Layer]] = {}
    for layer in before.layers:
        if layer.on == "engine":
            original.setdefault(layer.name, []).append(layer)
    changes = tuple(_change(name, layers, lowered.get(name, [])) for name, layers in original.items())
    return EngineComparison(before.engine, (before.totals, after.totals), changes)


def _change(name: str, before: Sequence[Layer], after: Sequence[Layer]) -> LayerChange:
    products = [layer for layer in after if layer.on == "engine"]
    return LayerChange(
        name, before[0].op, (total(layer.bytes for layer in before), total(layer.bytes for layer in products)),
        (total(layer.cycles for layer in before), total(layer.cycles for layer in products)),
        total(layer.calls for layer in products), total(layer.other_bytes for layer in after),
    )  # fmt: skip
