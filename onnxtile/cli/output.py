"""What commands show of products, costs and passes; as JSON on standard output where that's asked for."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from onnxtile.cli.screen import console, first, progress, styled
from onnxtile.cli.table import Column, Name, Table
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
MOST_ROWS = 60
"""Rows of a table on a terminal; files, pipes, --json and --report get all."""


def print_json(document: object) -> None:
    """Print one JSON object; see `encode` for what it may hold."""
    sys.stdout.write(json_text(document))


def print_report(report: Report, words: str, everything: bool = False) -> None:
    """The products as a table, then a line that sums up; those that fit are counted, or listed with `everything`."""
    screen = console()
    asked = [row for row in report.contractions if row.status != "not-asked"]
    listed = report.contractions if everything else [row for row in asked if row.status != "fits"]
    rows = sorted(listed, key=lambda row: _ORDER[row.status])
    shown = rows if everything else first(rows, MOST_ROWS)
    if shown:
        _table(shown).print()
    if len(rows) > len(shown):
        screen.print(f"... and {len(rows) - len(shown):,} more; --all lists them", style="dim")
    for reason, names in _reasons(asked).items():
        screen.print(f"{reason}  ({names[0]}{f' and {len(names) - 1:,} more' if len(names) > 1 else ''})")
    if not everything and len(fitting := report.having("fits")):
        many = len(fitting) != 1
        screen.print(
            f"{_several(len(fitting), 'product')} fit{'' if many else 's'}; --all lists {'them' if many else 'it'}",
            style="dim",
        )
    left_out = Counter(row.family for row in report.having("not-asked"))
    if left_out:
        counts = ", ".join(f"{count:,} {family}" for family, count in left_out.items())
        screen.print(f"not asked: {counts} (--ops)", style="dim")
    screen.print(words, style="green" if report.ok else "red")


def _reasons(rows: Sequence[Row]) -> dict[str, list[str]]:
    """The products' names by reason."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.reason:
            found.setdefault(row.reason, []).append(row.name)
    return found


def _table(rows: Sequence[Row]) -> Table:
    sizes = [Column(heading, right=True, shorten="end") for heading in ("M", "K", "N")]
    last = Column("tile, or reason", shorten="end")
    table = Table([Column("product", shorten="middle"), *sizes, Column("type"), Column("status"), last])
    for row in rows:
        place = f"{row.scope}: {row.name}" if row.scope else row.name
        what = (
            row.reason.partition(":")[0]
            if row.reason
            else ("" if row.tiles is None else " x ".join("*" if t is None else str(t) for t in row.tiles))
        )
        table.add(
            Name(place, f"{row.op} {row.part}".strip()),
            *("?" if size is None else str(size) for size in (row.m, row.k, row.n)),
            row.dtype or "?", styled((row.status, _STYLES[row.status])), what,
        )  # fmt: skip
    return table


def print_costs(found: list[Cost]) -> None:
    """What each form would cost, for all tiled products together."""
    headings = ("nodes", "MB of nodes", "MB of tiles", "MACs, padded")
    table = Table([Column("form"), *(Column(heading, right=True) for heading in headings)])
    for cost in found:
        if cost.impossible:
            table.add(cost.form, "-", "-", "-", "-")
            continue
        megabytes = (f"{size / 1e6:,.1f}" for size in (cost.node_bytes, cost.weight_bytes))
        table.add(cost.form, f"{cost.nodes:,}", *megabytes, amount_text(cost.macs))
    table.print()
    for cost in found:
        if cost.impossible:
            console().print(f"{cost.form}: {cost.impossible}")


def print_steps(steps: Sequence[Step]) -> None:
    """What each pass took, its share of all, and nodes before and after it."""
    headings = ("seconds", "share", "nodes before", "after")
    numbers = [Column(heading, right=True) for heading in headings]
    table = Table([Column("pass", shorten="middle"), *numbers, Column()])
    for row in steps_to_json(steps):
        nodes = (f"{row[key]:,}" for key in ("nodes_before", "nodes_after"))
        changed = styled(("changed", "") if row["modified"] else ("changed nothing", "dim"))
        table.add(row["name"], f"{row['seconds']:.4f}", f"{row['share']:.0%}", *nodes, changed)
    table.print()


def steps_to_json(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """The same for scripts; `share` is of the time of all passes."""
    total = sum(step.seconds for step in steps) or 1.0
    return [encode(step) | {"share": step.seconds / total} for step in steps]


def amount_text(amount: Amount) -> str:
    """An amount with its thousands set apart; formulas and ranges in words."""
    return f"{amount:,}" if isinstance(amount, int) else str(amount)


def _several(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def summary(report: Report) -> str:
    """One line: how many products, and what became of them."""
    counts = {status: len(report.having(status)) for status in ("tiled", "fits", "over", "refused", "unknown")}
    words = {"fits": "fit"} if counts["fits"] != 1 else {}
    said = ", ".join(f"{count:,} {words.get(status, status)}" for status, count in counts.items() if count) or "none"
    total = sum(counts.values())
    return f"{_several(total, 'product')} at {report.limits}: {said}"
