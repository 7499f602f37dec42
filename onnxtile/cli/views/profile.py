"""Profiles on the screen, as JSON and as rows of a sheet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rich.filesize import decimal

from onnxtile.cli.output import MOST_ROWS, amount_text
from onnxtile.cli.screen import console, first
from onnxtile.cli.table import Column, Name, Table
from onnxtile.cli.views.summary import print_facts
from onnxtile.ir.json_encoding import encode
from onnxtile.ir.symbolic.amounts import Amount, Range, Unknown, total
from onnxtile.profiling.comparison import Comparison
from onnxtile.profiling.conventions.first_io import FirstIo
from onnxtile.profiling.conventions.ptflops import ptflops_total
from onnxtile.profiling.results import Costs, Group, NodeProfile, Profile
from onnxtile.profiling.summary import ModelFacts

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
    return text(amount) if isinstance(amount, int) else str(amount)


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


def _table(names: str, headings: Sequence[str]) -> Table:
    """Names, then numbers, or formulas that may be long."""
    numbers = [Column(heading, right=True, shorten="end") for heading in headings]
    return Table([Column(names, shorten="middle"), *numbers])


@dataclass(frozen=True)
class CostsView:
    """Nodes, or groups of them, and the totals of the whole model."""

    profile: Profile
    shown: Sequence[NodeProfile | Group]
    view: str
    by: str | None

    def print(self) -> None:
        self.print_rows()
        _print_others(len(self.shown), "--top, --by, --json or --csv")
        console().print()
        _print_totals(self.profile)

    def print_rows(self) -> None:
        columns = VIEWS[self.view]
        whole = self.profile.totals.macs
        whole = whole if self.view == "costs" and isinstance(whole, int) else 0
        table = _table(self.by or "node", [*(heading for heading, _ in columns), *(["%"] if whole else [])])
        for row in first(self.shown, MOST_ROWS):
            cells = [cell(row) for _, cell in columns]
            if whole:
                cells.append(f"{100 * row.macs / whole:.1f}" if isinstance(row.macs, int) else "?")
            table.add(title(row), *cells)
        table.print()

    def to_json(self) -> dict[str, Any]:
        document = self.profile.to_json() | _printed_by_ptflops(self.profile)
        if self.by is not None:
            return document | {"groups": self.rows(), "by": self.by}
        return document | {"nodes": self.rows()}

    def rows(self) -> list[dict[str, Any]]:
        return [row.to_json() for row in self.shown]


def title(row: NodeProfile | Group) -> Name:
    if isinstance(row, Group):
        return Name(row.name or "(none)", f"{row.nodes:,}")
    place = f"{row.scope}: {row.name}" if row.scope else row.name
    times = "" if isinstance(row.times, int) and row.times == 1 else f" x {count_text(row.times)}"
    return Name(place, f"{row.op}{times}")


def _print_others(count: int, where: str) -> None:
    """How many rows a terminal doesn't get."""
    others = count - len(first(range(count), MOST_ROWS))
    if others:
        console().print(f"... and {others:,} more; {where}", style="dim")


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
        screen.print(f"{', '.join(names)}: {meaning}", style="dim")
    reasons = _reasons(profile)
    shown = first(list(reasons.items()), MOST_REASONS)
    if len(reasons) > len(shown):
        screen.print(f"unknown for {len(reasons):,} reasons; --json has all, the first are:", style="yellow")
    for reason, where in shown:
        others = f" and {len(where) - 1:,} more" if len(where) > 1 else ""
        screen.print(f"unknown: {reason}  ({where[0]}{others})", style="yellow")


def _print_lines(lines: Sequence[tuple[str, Amount, str]]) -> None:
    table = Table(
        [Column(style="dim"), Column(right=True, shorten="end", least=40), Column(style="dim", shorten="end", least=8)]
    )
    for heading, amount, words in lines:
        table.add(heading, amount_text(amount), words)
    table.print()


def _printed_by_ptflops(profile: Profile) -> dict[str, Any]:
    """Its totals, where they were asked for."""
    if profile.convention != "ptflops":
        return {}
    functions, modules = (encode(ptflops_total(profile, activation_modules=each)) for each in (False, True))
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
        for change in first(changes, MOST_ROWS):
            table.add(
                Name(change.name, change.op), count_text(change.macs[1]),
                count_text(change.padding), count_text(change.tiles), count_text(change.partial_sums),
                bytes_text(change.bandwidth[1]), bytes_text(change.moved), f"{change.nodes:,}",
            )  # fmt: skip
        if changes:
            table.print()
            screen.print("sums: additions of partial products; beyond: bytes moved beyond the original's", style="dim")
        _print_others(len(changes), "--json or --csv")
        screen.print()
        totals = Table(
            [Column(), *(Column(name, right=True, shorten="end", least=24) for name in (self.before, self.after))]
        )
        document = self.comparison.to_json()["totals"]
        for name, (before, after) in document.items():
            totals.add(name.replace("_", " "), _exact(before), _exact(after))
        totals.print()
        unmatched = self.comparison.unmatched
        if unmatched:
            words = f"{len(unmatched):,} nodes of {self.after} belong to none of {self.before}, such as {unmatched[0]}"
            screen.print(words, style="yellow")

    def to_json(self) -> dict[str, Any]:
        return _SCHEMA | {"against": self.comparison.to_json()}

    def rows(self) -> list[dict[str, Any]]:
        return [_flat(change.to_json()) for change in self.comparison.changes]


def _exact(amount: Any) -> str:
    if isinstance(amount, dict):
        return str(Range(amount["min"], amount["max"]))
    return f"{amount:,}" if isinstance(amount, int) else "?" if amount is None else str(amount)


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
        table = _table("node", ["input", "output", "both"])
        for row in first(self.table.rows, MOST_ROWS):
            table.add(row.name, *(f"{each:,}" for each in (row.input, row.output, row.sum)))
        table.print()
        _print_others(len(self.table.rows), "--json or --csv")
        console().print()
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
