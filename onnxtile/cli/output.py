"""Print products, costs of forms and what passes did; or JSON on standard output."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from onnxtile import __version__
from onnxtile.cli.options import Listed
from onnxtile.cli.screen import console, progress, reasons_with_names, say, styled
from onnxtile.cli.standard_streams import name_of
from onnxtile.cli.table import MOST_ROWS, Cell, Column, Name, Table, numbers
from onnxtile.ir.json_encoding import encode, json_text
from onnxtile.ir.printable import several
from onnxtile.ir.symbolic.amounts import Range, amount_text
from onnxtile.ir.symbolic.rounded import percent_text

if TYPE_CHECKING:
    from pathlib import Path

    from onnxtile.lowering.convolution_costs import ConvolutionCost
    from onnxtile.lowering.form_costs import Cost
    from onnxtile.lowering.report import Report, Row
    from onnxtile.passes.instrument import Step

__all__ = ["amount_text", "console", "progress"]  # for the commands, beside what is here
_STYLES = {
    "tiled": "green",
    "split": "green",
    "vector": "green",
    "fits": "green",
    "over": "red",
    "refused": "red",
    "unknown": "yellow",
    "not-asked": "dim",
}


def print_json(document: object) -> None:
    """Print one JSON object; see `encode` for what it may hold."""
    sys.stdout.write(json_text(document))


def provenance(model: Path) -> dict[str, str]:
    """Return which program reports on which file, for scripts."""
    return {"version": __version__, "input": name_of(model)}


def print_report(report: Report, listed: Listed, outcome: str = "") -> None:
    """Print the products that are listed, what sums them up, and what was written; those that fit are counted."""
    rows = [row for row in report.by_urgency if listed.includes(row.status)]
    of_formulas = any(not isinstance(row.macs, int) for row in rows)
    columns = [_column(heading, of_formulas) for heading in report.headings]
    shown = MOST_ROWS if listed == Listed() else len(rows)
    Table(columns).print_first(rows, lambda row: _product_cells(report, row), shown, "--all lists them")
    screen = console()
    asked = [row for row in rows if row.status != "not-asked"]
    for line in reasons_with_names((row.reason, row.name) for row in asked if row.reason):
        say(line)
    if listed.only and not rows:
        screen.print(f"no product has status {' or '.join(listed.only)}", style="dim")
    if listed == Listed() and (fitting := len(report.having("fits"))):
        verb, them = ("fits", "it") if fitting == 1 else ("fit", "them")
        screen.print(f"{several(fitting, 'product')} {verb}; --all lists {them}", style="dim")
    left_out = Counter(row.family for row in report.having("not-asked"))
    if left_out:
        counts = ", ".join(f"{count:,} {family}" for family, count in left_out.items())
        screen.print(f"not asked for: {counts} (--ops)", style="dim")
    style = "green" if report.ok else "red"
    say(report.summary, style)
    if report.contractions:
        say(report.engine_summary)
    if outcome:
        screen.print(outcome, style=style)


def _column(heading: str, of_formulas: bool) -> Column:
    from onnxtile.lowering.report import NUMBERS, TILE

    if heading in ("M", "K", "N", "batch"):
        return Column(heading, right=True, shorten="end", least=10)
    if heading == "product":
        return Column(heading, shorten="middle")
    left_out = {"type": 1, "padding": 2, "moved": 2, "share": 2, TILE: 3, "reason": 3}.get(heading, 0)
    if of_formulas and heading in ("MACs", "calls"):
        left_out = 2  # their beginnings tell nothing
    return Column(heading, right=heading in NUMBERS, shorten="end", least=10, left_out=left_out)


def _product_cells(report: Report, row: Row) -> Sequence[Cell]:
    name, operator, *others = report.cells(row)
    cells: list[Cell] = [Name(name, operator), *others]
    cells[report.headings.index("status")] = styled((row.status, _STYLES[row.status]))
    return cells


def print_costs(costs: Sequence[Cost]) -> None:
    """Print what each form would cost, for all tiled products together."""
    from onnxtile.cli.views.view import bytes_text

    table = Table([Column("form"), *numbers("nodes", "size of nodes", "size of tiles", "MACs, padded")])
    for cost in costs:
        macs = "?" if cost.macs == Range(0, None) else amount_text(cost.macs)
        figures = (f"{cost.nodes:,}", bytes_text(cost.node_bytes), bytes_text(cost.weight_bytes), macs)
        table.add(cost.form, *(["-"] * len(figures) if cost.impossible else figures))
    table.print()
    for cost in costs:
        if cost.impossible:
            say(f"form {cost.form} can't be taken: {cost.impossible}")


def print_convolution_costs(costs: Sequence[ConvolutionCost]) -> None:
    """Print what each way to write convolutions would cost, where there are any to write."""
    if not costs:
        return
    table = Table([Column("convolutions"), *numbers("how many", "left over", "nodes", "calls", "MACs, padded")])
    for cost in costs:
        nodes, counts = "-" if cost.nodes is None else f"{cost.nodes:,}", (cost.convolutions, cost.left)
        table.add(cost.words, *(f"{count:,}" for count in counts), nodes, *map(amount_text, (cost.calls, cost.macs)))
    table.print()


def print_steps(steps: Sequence[Step]) -> None:
    """Print what each pass took that changed something, its share of all, and nodes before and after; then the rest."""
    table = Table([Column("pass", shorten="middle"), *numbers("seconds", "share", "nodes before", "after")])
    rows = steps_to_json(steps)
    for row in rows:
        if row["modified"]:
            nodes = (f"{row[key]:,}" for key in ("nodes_before", "nodes_after"))
            table.add(row["name"], f"{row['seconds']:.4f}", percent_text(row["share"]), *nodes)
    if table.rows:
        table.print()
    if idle := [row for row in rows if not row["modified"]]:
        names = ", ".join(row["name"] for row in idle)
        count, seconds = several(len(idle), "pass", "passes"), sum(row["seconds"] for row in idle)
        say(f"{count} changed nothing, in {seconds:.4f} seconds: {names}", "dim")


def steps_to_json(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Return what each pass did, for scripts; `share` is of the time of all passes."""
    total = sum(step.seconds for step in steps) or 1.0
    return [encode(step) | {"share": step.seconds / total} for step in steps]
