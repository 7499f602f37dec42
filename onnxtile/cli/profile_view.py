"""Profiles on the screen, as JSON and as rows of a sheet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from onnxtile.cli.facts_view import print_facts
from onnxtile.cli.output import MOST_ROWS, amount_text, console
from onnxtile.profiling.amounts import Amount, Range, Unknown, to_json, total
from onnxtile.profiling.comparison import Comparison
from onnxtile.profiling.conventions import ptflops_total
from onnxtile.profiling.facts import ModelFacts
from onnxtile.profiling.first_io import FirstIo
from onnxtile.profiling.record import Costs, Group, NodeProfile, Profile
from onnxtile.profiling.texts import printable

LONGEST_CELL, LONGEST_LINE = 24, 120
"""Characters of a formula that are shown in a table, and in the totals; --json has all."""
MOST_REASONS = 8
_SCHEMA = {"schema": "onnxtile.profile/1"}


class Shown(Protocol):
    """What the command shows: on the screen, as one JSON object, as rows of a sheet."""

    def print(self) -> None: ...

    def to_json(self) -> dict[str, Any]: ...

    def rows(self) -> list[dict[str, Any]]: ...


def count_text(amount: Amount) -> str:
    """A count rounded to three digits and more, such as 4.09 G; formulas as they are, `?` where it isn't known."""
    return _rounded(amount, _count)


def bytes_text(amount: Amount) -> str:
    """Bytes rounded, such as 102.4 MB."""
    return _rounded(amount, lambda size: decimal(size) if size else "0")


def _rounded(amount: Amount, text: Callable[[int], str]) -> str:
    if isinstance(amount, Unknown):
        return "?"
    if isinstance(amount, Range):
        low = _rounded(amount.min, text)
        return f"{low} or more" if amount.max is None else f"{low} to {_rounded(amount.max, text)}"
    return text(amount) if isinstance(amount, int) else short(str(amount), LONGEST_CELL)


def short(formula: str, longest: int) -> str:
    """A formula, the end of a long one left out."""
    return formula if len(formula) <= longest else f"{formula[:longest]}..."


def _count(number: int) -> str:
    for factor, unit in ((10**15, "P"), (10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if abs(number) >= factor:
            return f"{number / factor:.3g} {unit}" if abs(number) < 999.5 * factor else f"{number / factor:.0f} {unit}"
    return str(number)


def _other(row: Costs) -> Amount:
    return total([row.elementwise, row.transcendental, row.comparison])


def _intensity(row: Costs) -> str:
    flops, moved = row.flops, row.bandwidth
    return f"{flops / moved:.3g}" if isinstance(flops, int) and isinstance(moved, int) and moved else "-"


Cell = Callable[[Any], str]
VIEWS: dict[str, tuple[tuple[str, Cell], ...]] = {
    "costs": (
        ("MACs", lambda row: count_text(row.macs)),
        ("other ops", lambda row: count_text(_other(row))),
        ("params", lambda row: count_text(row.params)),
        ("weights", lambda row: bytes_text(row.weight_bytes)),
        ("moved", lambda row: bytes_text(row.bandwidth)),
    ),
    "memory": (
        ("params", lambda row: count_text(row.params)),
        ("weights", lambda row: bytes_text(row.weight_bytes)),
        ("output", lambda row: bytes_text(row.output_bytes)),
        ("alive", lambda row: bytes_text(row.live_bytes) if isinstance(row, NodeProfile) else "-"),
    ),
    "bandwidth": (
        ("input", lambda row: bytes_text(row.input_bytes)),
        ("output", lambda row: bytes_text(row.output_bytes)),
        ("both", lambda row: bytes_text(row.bandwidth)),
        ("flops/byte", _intensity),
    ),
}
"""Columns of a row, by view."""


def _table(first: str, headings: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, overflow="fold", ratio=1)
    for heading in headings:
        table.add_column(heading, justify="right", overflow="fold")
    return table


@dataclass(frozen=True)
class CostsView:
    """Nodes, or groups of them, and the totals of the whole model."""

    profile: Profile
    shown: Sequence[NodeProfile] | Sequence[Group]
    view: str
    by: str | None

    def print(self) -> None:
        self.print_rows()
        if len(self.shown) > MOST_ROWS:
            words = f"... and {len(self.shown) - MOST_ROWS:,} more; --top, --by, --json or --csv"
            console().print(words, style="dim")
        console().print()
        _print_totals(self.profile)

    def print_rows(self) -> None:
        columns = VIEWS[self.view]
        table = _table(self.by or "node", [heading for heading, _ in columns])
        whole = self.profile.totals.macs
        whole = whole if self.view == "costs" and isinstance(whole, int) else 0
        if whole:
            table.add_column("%", justify="right")
        for row in self.shown[:MOST_ROWS]:
            cells = [escape(cell(row)) for _, cell in columns]
            if whole:
                cells.append(f"{100 * row.macs / whole:.1f}" if isinstance(row.macs, int) else "?")
            table.add_row(title(row), *cells)
        console().print(table)

    def to_json(self) -> dict[str, Any]:
        document = self.profile.to_json() | _printed_by_ptflops(self.profile)
        if self.by is not None:
            return document | {"groups": self.rows(), "by": self.by}
        return document | {"nodes": self.rows()}

    def rows(self) -> list[dict[str, Any]]:
        return [row.to_json() for row in self.shown]


def title(row: NodeProfile | Group) -> str:
    if isinstance(row, Group):
        return f"{escape(printable(row.name) or '(none)')} [dim]{row.nodes:,}[/]"
    place = f"{row.scope}: {row.name}" if row.scope else row.name
    times = "" if isinstance(row.times, int) and row.times == 1 else f" x {count_text(row.times)}"
    return f"{escape(printable(place))} [dim]{escape(printable(row.op))}{times}[/]"


def _print_totals(profile: Profile) -> None:
    """Exact sums, then what isn't known and why."""
    screen, totals = console(), profile.totals
    resident = "weights resident"
    lines: list[tuple[str, Amount, str]] = [
        ("MACs", totals.macs, "" if profile.convention == "macs" else f"as {profile.convention} counts them"),
        ("flops", totals.flops, "2 a MAC, and other arithmetic"),
        ("parameters", totals.params, _buffers(totals.buffers)),
        ("weight bytes", totals.weight_bytes, ""),
        ("activation bytes", totals.activation_bytes, "outputs of all nodes"),
        ("bytes moved", totals.bandwidth, "inputs and outputs of all nodes"),
        ("peak bandwidth", totals.peak_bandwidth, "bytes moved by one node"),
        ("peak memory", totals.peak_live_bytes, resident),
        ("", totals.peak_live_bytes_streamed, "weights of the running node only"),
    ]
    if profile.convention == "ptflops":
        lines[1:1] = [
            ("ptflops prints", ptflops_total(profile), "pools are counted twice"),
            ("", ptflops_total(profile, activation_modules=True), "and activations, where they are modules"),
        ]
    _print_lines(lines)
    meanings: dict[str, list[str]] = {}
    for name, meaning in profile.symbols.items():
        meanings.setdefault(meaning, []).append(name)
    for meaning, names in meanings.items():
        screen.print(f"{printable(', '.join(names))}: {printable(meaning)}", style="dim", markup=False)
    reasons = _reasons(profile)
    if len(reasons) > MOST_REASONS:
        words = f"unknown for {len(reasons):,} reasons; --json has all, the first are:"
        screen.print(words, style="yellow", markup=False)
    for reason, where in list(reasons.items())[:MOST_REASONS]:
        others = f" and {len(where) - 1:,} more" if len(where) > 1 else ""
        screen.print(f"unknown: {printable(reason)}  ({printable(where[0])}{others})", style="yellow", markup=False)


def _print_lines(lines: Sequence[tuple[str, Amount, str]]) -> None:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(justify="right", overflow="fold")
    grid.add_column(style="dim", overflow="fold")
    for heading, amount, words in lines:
        grid.add_row(heading, escape(short(amount_text(amount), LONGEST_LINE)), words)
    console().print(grid)


def _printed_by_ptflops(profile: Profile) -> dict[str, Any]:
    """Its totals, where they were asked for."""
    if profile.convention != "ptflops":
        return {}
    functions, modules = (to_json(ptflops_total(profile, activation_modules=each)) for each in (False, True))
    return {"ptflops_prints": {"activation_functions": functions, "activation_modules": modules}}


def _buffers(buffers: Amount) -> str:
    return "" if isinstance(buffers, int) and buffers == 0 else f"{amount_text(buffers)} of them statistics"


def _reasons(profile: Profile) -> dict[str, list[str]]:
    """Where something is unknown, by its reason."""
    found: dict[str, list[str]] = {}
    for row in profile.nodes:
        for field, reason in row.unknown.items():
            found.setdefault(reason, []).append(f"{field} of {row.name}")
    return found


@dataclass(frozen=True)
class AgainstView:
    """Before and after a lowering."""

    comparison: Comparison
    before: str
    after: str

    def print(self) -> None:
        screen = console()
        table = _table("node", ["MACs", "padding", "tiles", "sums", "moved", "beyond", "nodes"])
        changes = self.comparison.changes
        for change in changes[:MOST_ROWS]:
            table.add_row(
                f"{escape(printable(change.name))} [dim]{escape(printable(change.op))}[/]", count_text(change.macs[1]),
                count_text(change.padding), count_text(change.tiles), count_text(change.partial_sums),
                bytes_text(change.bandwidth[1]), bytes_text(change.moved), f"{change.nodes:,}",
            )  # fmt: skip
        if changes:
            screen.print(table)
            screen.print("sums: additions of partial products; beyond: bytes moved beyond the original's", style="dim")
        if len(changes) > MOST_ROWS:
            screen.print(f"... and {len(changes) - MOST_ROWS:,} more; --json or --csv", style="dim")
        screen.print()
        totals = _table("", [escape(printable(self.before)), escape(printable(self.after))])
        document = self.comparison.to_json()["totals"]
        for name, (before, after) in document.items():
            totals.add_row(name.replace("_", " "), _exact(before), _exact(after))
        screen.print(totals)
        unmatched = self.comparison.unmatched
        if unmatched:
            words = f"{len(unmatched):,} nodes of {self.after} belong to none of {self.before}, such as {unmatched[0]}"
            screen.print(printable(words), style="yellow", markup=False)

    def to_json(self) -> dict[str, Any]:
        return _SCHEMA | {"against": self.comparison.to_json()}

    def rows(self) -> list[dict[str, Any]]:
        return [_flat(change.to_json()) for change in self.comparison.changes]


def _exact(amount: Any) -> str:
    if isinstance(amount, dict):
        return str(Range(amount["min"], amount["max"]))
    return f"{amount:,}" if isinstance(amount, int) else "?" if amount is None else short(str(amount), LONGEST_LINE)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Pairs as two columns."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        flat |= {f"{name}_before": value[0], f"{name}_after": value[1]} if isinstance(value, list) else {name: value}
    return flat


@dataclass(frozen=True)
class FactsView:
    """What the model is made of."""

    facts: ModelFacts

    def print(self) -> None:
        print_facts(self.facts)

    def to_json(self) -> dict[str, Any]:
        return _SCHEMA | {"summary": self.facts.to_json()}

    def rows(self) -> list[dict[str, Any]]:
        return list(self.to_json()["summary"]["operators"])


@dataclass(frozen=True)
class FirstIoView:
    """The table of first inputs and outputs."""

    table: FirstIo

    def print(self) -> None:
        screen = console()
        table = _table("node", ["input", "output", "both"])
        for row in self.table.rows[:MOST_ROWS]:
            table.add_row(escape(printable(row.name)), *(f"{each:,}" for each in (row.input, row.output, row.sum)))
        screen.print(table)
        if len(self.table.rows) > MOST_ROWS:
            screen.print(f"... and {len(self.table.rows) - MOST_ROWS:,} more; --json or --csv", style="dim")
        screen.print()
        _print_lines(
            [
                ("peak", self.table.peak_bandwidth, "bytes, first input and output of one node"),
                ("inputs", self.table.total_input, "first inputs of all nodes"),
                ("activations", self.table.total_activation, "first outputs of all nodes"),
                ("bandwidth", self.table.total_bandwidth, "activations, and the first node's input"),
            ]
        )

    def to_json(self) -> dict[str, Any]:
        return _SCHEMA | {"view": "first-io", **self.table.to_json()}

    def rows(self) -> list[dict[str, Any]]:
        return list(self.table.to_json()["rows"])
