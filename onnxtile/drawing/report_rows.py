"""The rows of a report's tables: products by urgency, costs a layer, verdicts a region."""

from __future__ import annotations

from collections.abc import Container, Sequence

from onnxtile.drawing.facts import Facts
from onnxtile.drawing.tables import Cell, amount_cell, name_cell
from onnxtile.ir.printable import in_scope
from onnxtile.ir.symbolic.amounts import Amount
from onnxtile.lowering.report import Report, Row, Status
from onnxtile.profiling.comparison import Change
from onnxtile.profiling.headings import ENGINE_TOTALS, TOTALS
from onnxtile.verification.verdict import STATUSES, Verdict

PRODUCTS = ("product", "operator", "M", "K", "N", "batch", "type", "status", "why", "MACs")
LAYERS = ("layer", "operator", "MACs", "padding", "calls", "partial sums", "bytes moved", "lowered", "beyond", "nodes")
NODES = ("layer", "operator", "MACs", "parameters", "weight bytes", "bytes moved", "bytes alive")
ENGINE = ("layer", "operator", "calls", "bytes moved", "lowered", "cycles", "lowered")
ON_ENGINE = ("layer", "operator", "calls", "bytes moved", "cycles", "bound", "utilization")
REGIONS = ("region", "operator", "products", "status", "why")
ERRORS = ("max error", "allowed")
_BAD = {"over": "bad", "refused": "bad", "unknown": "warn", "different": "bad", "tested": "warn"}


NEEDING: tuple[Status, ...] = ("over", "refused", "unknown")
"""Statuses of products that need action."""


def product_rows(report: Report, made: Sequence[Change] = (), left: Report | None = None) -> list[list[Cell]]:
    """Return the products of a check, those that need action first.

    `made`: nodes of the original that became others; one of them is lowered where nothing that's named after it needs
    action in `left`, the check of the lowered model.
    """
    changed = set() if left is None else {change.name for change in made}
    for row in left.having(*NEEDING) if left is not None else ():
        name = row.origin or row.name
        changed -= {name, *(name[:at] for at, letter in enumerate(name) if letter == "/")}
    order = {"lowered": 1, "fits": 2, "not-asked": 3}
    return sorted((_product(row, changed) for row in report.by_urgency), key=lambda cells: order.get(cells[7].words, 0))


def left_rows(report: Report) -> list[list[Cell]]:
    """Return the products of a lowered model that still need action."""
    return [_product(row, ()) for row in report.by_urgency if row.status in NEEDING]


def _product(row: Row, changed: Container[str]) -> list[Cell]:
    status, why = str(row.status), row.reason or ""
    if row.name in changed and row.status in NEEDING:
        status, why = "lowered", f"was {row.status}"
    sizes = [Cell("?" if side is None else f"{side:,}" if isinstance(side, int) else side,
                  float(side) if isinstance(side, int) else float("inf"), "number")
             for side in (row.m, row.k, row.n, row.batch)]  # fmt: skip
    return [
        name_cell(in_scope(row.scope, row.name)), Cell(f"{row.op} {row.part}".strip()), *sizes, Cell(row.dtype or "?"),
        Cell(status, kind=_BAD.get(status, "good")), Cell(why, kind="why"), amount_cell(row.macs),
    ]  # fmt: skip


def layer_rows(facts: Facts) -> tuple[Sequence[str], list[list[Cell]]]:
    """Return the headings and rows of costs: before and after by layer, or by node where there's one model."""
    if facts.comparison is not None:
        return LAYERS, [_change(change) for change in facts.comparison.layers]
    nodes = [node for node in facts.before.nodes if not node.stored]
    return NODES, [
        [name_cell(in_scope(node.scope, node.name)), Cell(node.op),
         *map(amount_cell, (node.macs, node.params, node.weight_bytes, node.bandwidth, node.live_bytes))]
        for node in nodes
    ]  # fmt: skip


def _change(change: Change) -> list[Cell]:
    amounts: tuple[Amount, ...] = (
        change.macs[1], change.padding, change.calls, change.partial_sums, *change.bandwidth, change.bytes_beyond,
        change.nodes,
    )  # fmt: skip
    return [name_cell(change.name), Cell(change.op), *map(amount_cell, amounts)]


def engine_rows(facts: Facts) -> tuple[Sequence[str], list[list[Cell]]]:
    """Return the headings and rows of what products take on the engine: before and after, or in the one model."""
    if facts.on_engine is not None:
        return ENGINE, [
            [name_cell(one.name), Cell(one.op), *map(amount_cell, (one.calls, *one.bytes, *one.cycles))]
            for one in facts.on_engine.changes
        ]
    layers = () if facts.before.engine is None else facts.before.engine.layers
    return ON_ENGINE, [
        [name_cell(in_scope(layer.scope, layer.name)), Cell(f"{layer.op} {layer.part}".strip()),
         *map(amount_cell, (layer.calls, layer.bytes, layer.cycles)), Cell(layer.bound or "-"),
         _share(layer.utilization)]
        for layer in layers if layer.on == "engine"
    ]  # fmt: skip


def _share(part: float | None) -> Cell:
    return Cell("?" if part is None else f"{part:.1%}", part, "number")


def region_rows(verdict: Verdict) -> tuple[Sequence[str], list[list[Cell]]]:
    """Return the headings and the verdicts of regions, the wrong ones first; errors where there are any."""
    rows = sorted(verdict.regions, key=lambda region: -STATUSES.index(region.status))
    rounded = any(number for region in rows for number in (region.max_abs_error, region.allowed))
    return (*REGIONS, *(ERRORS if rounded else ())), [
        [name_cell(in_scope(region.scope, region.name)), Cell(region.op), amount_cell(region.tiles),
         Cell(region.status, kind=_BAD.get(region.status, "good")),
         Cell(region.reason or region.note or (f"as {region.same_as}" if region.same_as else ""), kind="why"),
         *(Cell(f"{number:.3g}", number, "number") for number in (region.max_abs_error, region.allowed) if rounded)]
        for region in rows
    ]  # fmt: skip


_ON_ENGINE = {"bytes": "bytes of products", "cycles": "cycles of products"}
"""Totals on an engine that are called otherwise beside those of the whole model."""
_OF_MODEL = {**TOTALS, "peak_live_bytes_streamed": "peak memory, weights streamed"}


def total_figures(facts: Facts) -> list[tuple[str, list[Cell]]]:
    """Return the totals of each model, with those on the engine."""
    profiles = [facts.before] if facts.after is None else [facts.before, facts.after]
    figures = [
        (words, [amount_cell(getattr(one.totals, name)) for one in profiles]) for name, words in _OF_MODEL.items()
    ]
    engines = [one.engine for one in profiles if one.engine is not None]
    if engines:
        figures += [
            (_ON_ENGINE.get(name, ENGINE_TOTALS[name]), [amount_cell(getattr(one.totals, name)) for one in engines])
            for name in ("products", "calls", "bytes", "least_bytes", "cycles", "total_cycles")
        ]
        shares = [one.totals.utilization for one in engines]
        figures.append(("utilization", list(map(_share, shares))))
    return figures
