"""Show what a model takes on an engine: layer by layer or in groups, and all together; or before and after lowering."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from onnxtile.cli.output import amount_text
from onnxtile.cli.screen import console, first, reasons_with_names, say
from onnxtile.cli.table import Cell, Column, Name, Table, numbers, print_totals
from onnxtile.cli.views.profile import MORE, MOST_REASONS
from onnxtile.cli.views.view import View, amounts_by_name, bytes_text
from onnxtile.engine.quantities import hertz_text
from onnxtile.ir.json_encoding import encode
from onnxtile.ir.printable import in_scope, several
from onnxtile.ir.symbolic.amounts import Amount, Range, Unknown, difference
from onnxtile.ir.symbolic.rounded import count_text, percent_text
from onnxtile.profiling.engine_comparison import EngineComparison, LayerChange
from onnxtile.profiling.engine_costs import EngineCosts, EngineProfile, Layer, LayerGroup
from onnxtile.profiling.headings import ENGINE_TOTALS
from onnxtile.profiling.results import Profile


def _known(amount: Amount) -> Amount:
    """Return an amount; unknown where all that's known is that it isn't negative."""
    nothing = isinstance(amount, Range) and amount.min == 0 and amount.max is None
    return Unknown("nothing is known of it") if nothing else amount


def _share(part: float | None) -> str:
    return "-" if part is None else percent_text(part)


def _rate(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.3g}"


COLUMNS: Mapping[str, Callable[[Any], str]] = {
    "moved": lambda row: bytes_text(row.moved),
    "extra": lambda row: bytes_text(row.extra_bytes),
    "compute": lambda row: count_text(row.compute_cycles),
    "memory": lambda row: count_text(row.memory_cycles),
    "cycles": lambda row: count_text(_known(row.total_cycles)),
    "bound": lambda row: (row.bound or "-") if isinstance(row, Layer) else "-",
    "util.": lambda row: _share(row.utilization),
    "A": lambda row: bytes_text(row.a_bytes),
    "B": lambda row: bytes_text(row.b_bytes),
    "C": lambda row: bytes_text(row.c_bytes),
    "sums": lambda row: bytes_text(row.partial_bytes),
    "mean": lambda row: _rate(row.mean_bandwidth) if isinstance(row, Layer) else "-",
    "peak": lambda row: _rate(row.peak_bandwidth) if isinstance(row, Layer) else "-",
}
ENGINE_VIEWS = {
    "costs": ("moved", "extra", "compute", "memory", "cycles", "bound", "util."),
    "bandwidth": ("A", "B", "C", "sums", "moved", "mean", "peak"),
}
"""Columns of a row, by view."""
MEANINGS = {
    "costs": "extra: bytes moved again; compute, memory: cycles of each by itself",
    "bandwidth": "sums: of partial sums; mean, peak: bytes a cycle",
}
"""Explain columns that don't explain themselves, by view."""


@dataclass(frozen=True)
class EngineView(View):
    """Products one by one and other operators by kind, or groups of both; and the totals of the whole model."""

    profile: Profile
    engine: EngineProfile
    shown: Sequence[Layer | LayerGroup]
    view: str
    by: str | None

    def print(self) -> None:
        columns = ENGINE_VIEWS[self.view]
        table = amounts_by_name(self.by or "node", *columns)
        rows = list(self._rows())
        table.print_first(rows, lambda row: (row[0], *(_cell(row[1], column) for column in columns)), more=MORE)
        say(MEANINGS[self.view], "dim")
        console().print()
        print_totals(list(_totals(self.engine)))
        _print_reasons(self.engine)

    def _rows(self) -> Iterator[tuple[Name, EngineCosts]]:
        """Yield products and groups as they are, and behind them other operators, those of a kind together."""
        others: list[Layer] = []
        for row in self.shown:
            if isinstance(row, LayerGroup):
                yield Name(row.name or "(none)", f"{row.layers:,}"), row
            elif row.on == "engine":
                yield _title(row), row
            else:
                others.append(row)
        for group in self.engine.by("op", layers=others):
            yield Name(group.name, f"x {group.layers:,}"), group

    def to_json(self) -> dict[str, Any]:
        layers = tuple(row for row in self.shown if isinstance(row, Layer))
        engine = self.engine if self.by else dataclasses.replace(self.engine, layers=layers)
        document = dataclasses.replace(self.profile, engine=engine).to_json()
        return document | ({"groups": encode(self.shown), "by": self.by} if self.by else {})

    def sheet(self) -> Sequence[Layer | LayerGroup]:
        return self.shown


def _cell(row: EngineCosts, column: str) -> str:
    """Return a cell; other operators move bytes and take cycles, and have nothing else of products."""
    product = not isinstance(row.macs, int) or row.macs > 0 or row.calls != 0
    return COLUMNS[column](row) if product or column in ("moved", "cycles") else "-"


def _title(layer: Layer) -> Name:
    times = "" if isinstance(layer.times, int) and layer.times == 1 else f" x {count_text(layer.times)}"
    return Name(in_scope(layer.scope, layer.name), f"{layer.op} {layer.part}".strip() + times)


def _totals(engine: EngineProfile) -> Iterator[tuple[str, str, str]]:
    """Yield exact sums, each with words about it."""
    totals = engine.totals
    products = [layer for layer in engine.layers if layer.on == "engine"]
    bounds = Counter(layer.bound for layer in products if layer.bound)
    yield "products", f"{totals.products:,}", f"{amount_text(totals.calls)} calls of {engine.engine}"
    padding = difference(totals.padded_macs, totals.macs)
    yield "MACs", amount_text(totals.macs), f"{amount_text(padding)} more are padding" if padding != 0 else ""
    parts = ("A", totals.a_bytes), ("B", totals.b_bytes), ("C", totals.c_bytes), ("partial sums", totals.partial_bytes)
    yield "bytes moved", amount_text(totals.bytes), ", ".join(f"{name} {bytes_text(part)}" for name, part in parts)
    yield (
        "least bytes",
        amount_text(totals.least_bytes),
        f"if each moves once; {bytes_text(totals.extra_bytes)} more are moved again, or fill bursts",
    )
    most = ", ".join(f"{several(count, 'product')} bound by {name}" for name, count in bounds.most_common())
    yield "cycles", amount_text(totals.cycles), most
    if totals.utilization is not None:
        yield "utilization", percent_text(totals.utilization), "MACs of all that the array could do meanwhile"
    if totals.clock is not None and isinstance(totals.cycles, int):
        yield (
            "time",
            f"{float(1000 * totals.cycles / totals.clock):.3g} ms",
            f"of products, at {hertz_text(totals.clock)}",
        )
    if totals.other_bytes != 0:
        yield "other bytes", amount_text(totals.other_bytes), "inputs and outputs of other operators"
        cycles = _known(totals.other_cycles)
        yield "other cycles", "?" if isinstance(cycles, Unknown) else amount_text(cycles), _places(engine)
    if totals.activation_bytes != 0:
        words = f"of {bytes_text(totals.activation_bytes)} of activations; counted as moved nevertheless"
        yield "fit on chip", amount_text(totals.local_activation_bytes), words


def _places(engine: EngineProfile) -> str:
    counts = Counter(layer.on for layer in engine.layers if layer.on != "engine")
    places = {"vector": "on the vector unit", "host": "on the host", "unknown": "at a rate that isn't given"}
    return ", ".join(f"{several(count, 'node')} {places[on]}" for on, count in counts.most_common())


def _print_reasons(engine: EngineProfile) -> None:
    for words in engine.assumptions:
        say(f"assumed: {words}", "yellow")
    known = set(engine.assumptions)
    pairs = ((layer.reason, layer.name) for layer in engine.layers if layer.reason and layer.reason not in known)
    reasons = reasons_with_names(pairs)
    shown = first(reasons, MOST_REASONS)
    for line in shown:
        say(f"unknown: {line}", "yellow")
    if len(reasons) > len(shown):
        say(f"and for {several(len(reasons) - len(shown), 'more reason')}; --json has all", "yellow")


@dataclass(frozen=True)
class EngineComparisonView(View, members="schema engine=comparison"):
    """Costs of a model on an engine beside those of the lowered one; `before`, `after`: names of their files."""

    schema: ClassVar[str] = "onnxtile.profile-engine-against/1"
    accepts: ClassVar[Collection[str]] = ("--engine", "--minimize")
    comparison: EngineComparison
    before: str
    after: str

    def print(self) -> None:
        table = amounts_by_name("node", "moved", "lowered", "cycles", "lowered", "beside", "calls")
        table.print_first(self.comparison.changes, _change_cells, more="--json or --csv")
        say("moved, cycles: of products; beside: what the lowered model's nodes around the tiles move", "dim")
        console().print()
        totals = Table([Column(), *numbers(self.before, self.after, shorten="end", least=24)])
        for name, amounts in self.comparison.both_totals.items():
            known = map(_known, amounts)
            exact = ("?" if isinstance(amount, Unknown) else amount_text(amount) for amount in known)
            totals.add(ENGINE_TOTALS[name], *exact)
        totals.print()

    def sheet(self) -> Sequence[LayerChange]:
        return self.comparison.changes


def _change_cells(change: LayerChange) -> Sequence[Cell]:
    (moved, moved_then), (cycles, cycles_then) = change.bytes, change.cycles
    return (
        Name(change.name, change.op), bytes_text(moved), bytes_text(moved_then), count_text(cycles),
        count_text(cycles_then), bytes_text(change.beside), amount_text(change.calls),
    )  # fmt: skip
