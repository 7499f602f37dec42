"""Compare the profile of a model with that of the lowered one, product by product."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.ir.json_encoding import JsonRecord
from onnxtile.ir.metadata import ORIGIN, TILE
from onnxtile.ir.symbolic.amounts import Amount, difference, ratio, total
from onnxtile.profiling.results import NodeProfile, Profile, Totals

_ADDING = ("Add", "Sum", "ReduceSum")
_TOTALS = (
    "nodes", "macs", "flops", "params", "weight_bytes", "bandwidth", "activation_bytes", "peak_bandwidth",
    "peak_live_bytes", "peak_live_bytes_streamed",
)  # fmt: skip


def adds_partial_products(node: ir.Node, in_body: bool) -> bool:
    """Return whether a node of a lowered model adds up products of tiles.

    All that it adds was made for the same node of the original, as a product of a tile or a sum, or is carried by a
    loop around it.
    """
    origin = node.metadata_props.get(ORIGIN)
    if origin is None or node.op_type not in _ADDING:
        return False
    added = node.inputs[:1] if node.op_type == "ReduceSum" else node.inputs
    return all(value is not None and _comes_from(origin, value, in_body) for value in added)


def _comes_from(origin: str, value: ir.Value, in_body: bool) -> bool:
    producer = value.producer()
    if producer is None:
        return in_body and value.is_graph_input()
    made = TILE in producer.metadata_props or producer.op_type in (*_ADDING, "Cast")
    return made and producer.metadata_props.get(ORIGIN) == origin


@dataclass(frozen=True)
class Change(
    JsonRecord, members="name op nodes calls macs padding utilization bandwidth moved=bytes_beyond partial_sums"
):
    """One node of the original, and what a lowering made of it.

    `nodes`: how many; `calls`: products of tiles that they compute, each of a batch one. `macs`, `bandwidth` (bytes):
    before and after. `partial_sums`: additions that add up products of tiles.
    """

    name: str
    op: str
    nodes: int
    calls: Amount
    macs: tuple[Amount, Amount]
    bandwidth: tuple[Amount, Amount]
    partial_sums: Amount

    @property
    def padding(self) -> Amount:
        """Return the multiply-accumulates that the original hasn't: of zeros that fill tiles; 0 where none are left."""
        return 0 if self.macs[1] == 0 else difference(self.macs[1], self.macs[0])

    @property
    def utilization(self) -> float | None:
        """Return the original's multiply-accumulates over those that tiles compute; None where that's no number."""
        return ratio(*self.macs)

    @property
    def bytes_beyond(self) -> Amount:
        """Return the bytes moved beyond the original's."""
        return difference(self.bandwidth[1], self.bandwidth[0])


@dataclass(frozen=True)
class Comparison(JsonRecord, members="totals=both_totals partial_sums changes unmatched"):
    """Two profiles: `changes` has the nodes that became others, in the original's order; `totals` are before and after.

    `unmatched`: nodes of the second model that belong to no node of the first, by name. `layers`: the changes, and
    between them the nodes with products that are in both models as they are.
    """

    totals: tuple[Totals, Totals]
    changes: tuple[Change, ...]
    unmatched: tuple[str, ...]
    layers: tuple[Change, ...] = ()

    @property
    def both_totals(self) -> dict[str, tuple[Amount, Amount]]:
        """Return nodes and amounts of the models, by name: before and after."""
        before, after = self.totals
        return {name: (getattr(before, name), getattr(after, name)) for name in _TOTALS}

    @property
    def partial_sums(self) -> Amount:
        """Return how many additions add up products of tiles."""
        return total(change.partial_sums for change in self.changes)


def compare(before: Profile, after: Profile) -> Comparison:
    """Lay a lowered model's profile beside the original's, by what its nodes say of their origin, or their names."""
    lowered = _grouped((row.origin or row.name, row) for row in after.nodes)
    original = _grouped((row.name, row) for row in before.nodes)
    changes, layers = [], []
    for name, rows in original.items():
        found = lowered.get(name, [])
        changed = any(row.origin is not None for row in found) and not any(row.origin for row in rows)
        if changed or (found and any(row.macs != 0 for row in rows)):
            layers.append(_change(name, rows, found))
            changes += layers[-1:] if changed else []
    unmatched = tuple(name for name in lowered if name not in original)
    return Comparison((before.totals, after.totals), tuple(changes), unmatched, tuple(layers))


def _grouped(rows: Iterable[tuple[str, NodeProfile]]) -> dict[str, list[NodeProfile]]:
    groups: dict[str, list[NodeProfile]] = {}
    for name, row in rows:
        groups.setdefault(name, []).append(row)
    return groups


def _change(name: str, before: Sequence[NodeProfile], after: Sequence[NodeProfile]) -> Change:
    running = [row for row in after if not row.stored]
    return Change(
        name, before[0].op, len(running), total(row.calls for row in running),
        (total(row.macs for row in before), total(row.macs for row in running)),
        (total(row.bandwidth for row in before), total(row.bandwidth for row in running)),
        total(row.partial_sums for row in running),
    )  # fmt: skip
