"""Print products, costs of forms and what passes did; or JSON on standard output."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from onnxtile.cli.screen import console, in_scope, progress, reasons_with_names, several, styled
from onnxtile.cli.table import MOST_ROWS, Cell, Column, Name, Table, numbers
from onnxtile.ir.json_encoding import encode, json_text

if TYPE_CHECKING:
    from onnxtile.ir.symbolic.amounts import Amount
    from onnxtile.lowering.form_costs import Cost
    from onnxtile.lowering.report import Report, Row
    from onnxtile.passes.instrument import Step

__all__ = ["console", "progress"]  # for the commands, beside what is here
_STYLES = {"tiled": "green", "fits": "green", "over": "red", "refused": "red", "unknown": "yellow", "not-asked": "dim"}
_ORDER = {"over": 0, "refused": 0, "unknown": 0, "tiled": 1, "fits": 2, "not-asked": 3}
"""What needs action comes first; else the rows are in the model's order."""


def print_json(document: object) -> None:
    """Print one JSON object; see `encode` for what it may hold."""
    sys.stdout.write(json_text(document))


def print_report(report: Report, words: str, everything: bool = False) -> None:
    """Print the products, then `words`, which sum up; those that fit are counted, or listed with `everything`."""
    screen = console()
    asked = [row for row in report.contractions if row.status != "not-asked"]
    listed = report.contractions if everything else [row for row in asked if row.status != "fits"]
    rows = sorted(listed, key=lambda row: _ORDER[row.status])
    last = Column("tile, or reason", shorten="end")
    sizes = numbers("M", "K", "N", shorten="end")
    table = Table([Column("product", shorten="middle"), *sizes, Column("type"), Column("status"), last])
    table.print_first(rows, _product_cells, len(rows) if everything else MOST_ROWS, "--all lists them")
    for line in reasons_with_names((row.reason, row.name) for row in asked if row.reason).values():
        screen.print(line)
    if not everything and (fitting := len(report.having("fits"))):
        verb, them = ("fits", "it") if fitting == 1 else ("fit", "them")
        screen.print(f"{several(fitting, 'product')} {verb}; --all lists {them}", style="dim")
    left_out = Counter(row.family for row in report.having("not-asked"))
    if left_out:
        counts = ", ".join(f"{count:,} {family}" for family, count in left_out.items())
        screen.print(f"not asked: {counts} (--ops)", style="dim")
    screen.print(words, style="green" if report.ok else "red")


def _product_cells(row: Row) -> Sequence[Cell]:
    tile = "" if row.tiles is None else " x ".join("*" if size is None else str(size) for size in row.tiles)
    return (
        Name(in_scope(row.scope, row.name), f"{row.op} {row.part}".strip()),
        *("?" if size is None else str(size) for size in (row.m, row.k, row.n)),
        row.dtype or "?", styled((row.status, _STYLES[row.status])),
        row.reason.partition(":")[0] if row.reason else tile,
    )  # fmt: skip


def print_costs(costs: Sequence[Cost]) -> None:
    """Print what each form would cost, for all tiled products together."""
    table = Table([Column("form"), *numbers("nodes", "MB of nodes", "MB of tiles", "MACs, padded")])
    for cost in costs:
        megabytes = (f"{size / 1e6:,.1f}" for size in (cost.node_bytes, cost.weight_bytes))
        figures = (f"{cost.nodes:,}", *megabytes, amount_text(cost.macs))
        table.add(cost.form, *(["-"] * len(figures) if cost.impossible else figures))
    table.print()
    for cost in costs:
        if cost.impossible:
            console().print(f"{cost.form}: {cost.impossible}")


def print_steps(steps: Sequence[Step]) -> None:
    """Print what each pass took, its share of all, and nodes before and after it."""
    table = Table([Column("pass", shorten="middle"), *numbers("seconds", "share", "nodes before", "after"), Column()])
    for row in steps_to_json(steps):
        nodes = (f"{row[key]:,}" for key in ("nodes_before", "nodes_after"))
        changed = styled(("changed", "") if row["modified"] else ("changed nothing", "dim"))
        table.add(row["name"], f"{row['seconds']:.4f}", f"{row['share']:.0%}", *nodes, changed)
    table.print()


def steps_to_json(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Return what each pass did, for scripts; `share` is of the time of all passes."""
    total = sum(step.seconds for step in steps) or 1.0
    return [encode(step) | {"share": step.seconds / total} for step in steps]


def amount_text(amount: Amount) -> str:
    """Return an amount with its thousands set apart; formulas and ranges in words."""
    return f"{amount:,}" if isinstance(amount, int) else str(amount)


def summary(report: Report) -> str:
    """Return a line that says how many products there are, and what became of them."""
    counts = {status: len(report.having(status)) for status in ("tiled", "fits", "over", "refused", "unknown")}
    words = {"fits": "fit"} if counts["fits"] != 1 else {}
    said = ", ".join(f"{count:,} {words.get(status, status)}" for status, count in counts.items() if count) or "none"
    return f"{several(sum(counts.values()), 'product')} at {report.limits}: {said}"
