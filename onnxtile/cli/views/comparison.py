"""Show what a lowering changed, product by product."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from onnxtile.cli.output import amount_text
from onnxtile.cli.screen import console, say
from onnxtile.cli.table import Cell, Column, Name, Table, numbers
from onnxtile.cli.views.view import View, bytes_text
from onnxtile.ir.printable import several
from onnxtile.ir.symbolic.amounts import Unknown
from onnxtile.ir.symbolic.rounded import count_text, percent_text
from onnxtile.profiling.comparison import Change, Comparison
from onnxtile.profiling.headings import TOTALS


@dataclass(frozen=True)
class ComparisonView(View, members="schema against=comparison"):
    """The profile of a model beside that of the lowered one; `before`, `after`: names of their files."""

    schema: ClassVar[str] = "onnxtile.profile-against/1"
    accepts: ClassVar[Collection[str]] = ("--convention",)
    comparison: Comparison
    before: str
    after: str

    def print(self) -> None:
        changes, unmatched = self.comparison.changes, self.comparison.unmatched
        less = dict(zip(("padding", "sums", "nodes"), (1, 2, 3), strict=True))
        headings = ("MACs", "padding", "util.", "calls", "sums", "moved", "beyond", "nodes")
        columns = [Column(name, right=True, shorten="end", left_out=less.get(name, 0)) for name in headings]
        table = Table([Column("node", shorten="middle"), *columns])
        table.print_first(changes, _cells, more="--json or --csv")
        screen = console()
        if changes:
            say("sums: additions of partial products; beyond: bytes moved beyond the original's", "dim")
        screen.print()
        totals = Table([Column(), *numbers(self.before, self.after, shorten="end", least=24)])
        for name, amounts in self.comparison.both_totals.items():
            exact = ("?" if isinstance(amount, Unknown) else amount_text(amount) for amount in amounts)
            totals.add(TOTALS[name], *exact)
        totals.print()
        if unmatched:
            verb = "belongs" if len(unmatched) == 1 else "belong"
            words = f"{several(len(unmatched), 'node')} of {self.after} {verb} to none of {self.before}: {unmatched[0]}"
            say(f"{words}{', ...' if len(unmatched) > 1 else ''}", "yellow")

    def sheet(self) -> Sequence[dict[str, Any]]:
        return [_flat(change.to_json()) for change in self.comparison.changes]


def _cells(change: Change) -> Sequence[Cell]:
    utilization = "-" if change.macs[1] == 0 else percent_text(change.utilization)
    return (
        Name(change.name, change.op), count_text(change.macs[1]), count_text(change.padding), utilization,
        amount_text(change.calls), count_text(change.partial_sums), bytes_text(change.bandwidth[1]),
        bytes_text(change.bytes_beyond), f"{change.nodes:,}",
    )  # fmt: skip


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with two columns for each pair."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        flat |= {f"{name}_before": value[0], f"{name}_after": value[1]} if isinstance(value, list) else {name: value}
    return flat
