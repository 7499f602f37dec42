"""Show the costs of nodes, or of groups of them, in columns by view; or node by node with all details."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onnxtile.cli.output import amount_text
from onnxtile.cli.screen import console, first, print_rest, reasons_with_names, say
from onnxtile.cli.table import MOST_ROWS, Column, Name, Table, print_totals
from onnxtile.cli.views.view import View, amounts_by_name, bytes_text
from onnxtile.ir.json_encoding import encode
from onnxtile.ir.printable import in_scope
from onnxtile.ir.symbolic.amounts import Amount, total
from onnxtile.ir.symbolic.rounded import count_text, percent_text
from onnxtile.profiling.conventions.ptflops import ptflops_total
from onnxtile.profiling.headings import TOTALS
from onnxtile.profiling.results import Group, NodeProfile, Profile

MOST_REASONS = 8
MORE = "--top, --by, --json or --csv"


COLUMNS: Mapping[str, Callable[[Any], str]] = {
    "MACs": lambda row: count_text(row.macs),
    "other ops": lambda row: count_text(total([row.elementwise, row.transcendental, row.comparison])),
    "params": lambda row: count_text(row.params),
    "weights": lambda row: bytes_text(row.weight_bytes),
    "moved": lambda row: bytes_text(row.bandwidth),
    "alive": lambda row: bytes_text(row.live_bytes) if isinstance(row, NodeProfile) else "-",
    "input": lambda row: bytes_text(row.input_bytes),
    "output": lambda row: bytes_text(row.output_bytes),
    "both": lambda row: bytes_text(row.bandwidth),
    "flops/byte": lambda row: "-" if row.intensity is None else f"{row.intensity:.3g}",
}
VIEWS = {
    "costs": ("MACs", "other ops", "params", "weights", "moved"),
    "memory": ("params", "weights", "output", "alive"),
    "bandwidth": ("input", "output", "both", "flops/byte"),
}
"""Columns of a row, by view."""
LEFT_OUT = ("params", "other ops", "weights")
"""Columns that a narrow terminal may do without, in order."""


@dataclass(frozen=True)
class CostsView(View):
    """Nodes, or groups of them, and the totals of the whole model."""

    profile: Profile
    shown: Sequence[NodeProfile | Group]
    view: str
    by: str | None

    def print(self) -> None:
        self.print_rows()
        console().print()
        _print_totals(self.profile)

    def print_rows(self) -> None:
        columns, macs = VIEWS[self.view], self.profile.totals.macs
        whole = macs if self.view == "costs" and isinstance(macs, int) else 0

        def cells(row: NodeProfile | Group) -> Iterator[str | Name]:
            yield title(row)
            yield from (COLUMNS[column](row) for column in columns)
            if whole:
                yield percent_text(row.macs / whole) if isinstance(row.macs, int) else "?"

        table = amounts_by_name(self.by or "node", *columns, *(["share"] if whole else []), left_out=LEFT_OUT)
        table.print_first(self.shown, lambda row: tuple(cells(row)), more=MORE)

    def to_json(self) -> dict[str, Any]:
        nodes = tuple(row for row in self.shown if isinstance(row, NodeProfile))
        document = (self.profile if self.by else dataclasses.replace(self.profile, nodes=nodes)).to_json()
        if self.profile.convention == "ptflops":
            functions, modules = (ptflops_total(self.profile, modules) for modules in (False, True))
            document["ptflops_prints"] = encode({"activation_functions": functions, "activation_modules": modules})
        return document | ({"groups": encode(self.shown), "by": self.by} if self.by else {})

    def sheet(self) -> Sequence[NodeProfile | Group]:
        return self.shown


class DetailsView(CostsView):
    """A block for each node: what it reads and gives, its attributes, and the columns of the view."""

    def print_rows(self) -> None:
        shown = first(self.shown, MOST_ROWS)
        for row in shown:
            Table([Column()], [[title(row)]]).print()
            block = Table([Column(style="dim"), Column()])
            for heading, words in self._lines(row):
                block.add(f"  {heading}", words)
            block.print()
        print_rest(len(self.shown) - len(shown), MORE)

    def _lines(self, row: NodeProfile | Group) -> Iterator[tuple[str, str]]:
        if isinstance(row, NodeProfile):
            for heading, texts in (("in", row.inputs), ("out", row.outputs)):
                for index, text in enumerate(texts):
                    yield "" if index else heading, text or "(left out)"
            if row.attributes:
                yield "with", ", ".join(f"{name} {text}" for name, text in row.attributes.items())
        yield "costs", ", ".join(f"{column} {COLUMNS[column](row)}" for column in VIEWS[self.view])


def title(row: NodeProfile | Group) -> Name:
    """Return what a row is called."""
    if isinstance(row, Group):
        return Name(row.name or "(none)", f"{row.nodes:,}")
    times = "" if isinstance(row.times, int) and row.times == 1 else f" x {count_text(row.times)}"
    return Name(in_scope(row.scope, row.name), f"{row.op}{times}")


def _print_totals(profile: Profile) -> None:
    """Print exact sums, then what isn't known and why."""
    totals = profile.totals
    statistics = "" if totals.buffers == 0 else f"{amount_text(totals.buffers)} of them statistics"
    lines: list[tuple[str, Amount, str]] = [
        ("macs", totals.macs, "" if profile.convention == "macs" else f"as {profile.convention} counts them"),
        ("flops", totals.flops, "2 a MAC, and other arithmetic"),
        ("params", totals.params, statistics),
        ("weight_bytes", totals.weight_bytes, ""),
        ("activation_bytes", totals.activation_bytes, "outputs of all nodes"),
        ("bandwidth", totals.bandwidth, "inputs and outputs of all nodes"),
        ("peak_bandwidth", totals.peak_bandwidth, "bytes moved by one node"),
        ("peak_live_bytes", totals.peak_live_bytes, "bytes, with all weights"),
        ("peak_live_bytes_streamed", totals.peak_live_bytes_streamed, "bytes, with the running node's weights only"),
    ]
    if profile.convention == "ptflops":
        lines[1:1] = [
            ("ptflops prints", ptflops_total(profile), "pools are counted twice"),
            ("", ptflops_total(profile, activation_modules=True), "and activations, where they are modules"),
        ]
    print_totals([(TOTALS.get(name, name), amount_text(amount), words) for name, amount, words in lines])
    for meaning in dict.fromkeys(profile.symbols.values()):
        names = [name for name, words in profile.symbols.items() if words == meaning]
        say(f"{', '.join(names)}: {meaning}", "dim")
    pairs = ((reason, f"{name} of {row.name}") for row in profile.nodes for name, reason in row.unknown.items())
    reasons = reasons_with_names(pairs)
    shown = first(reasons, MOST_REASONS)
    if len(reasons) > len(shown):
        say(f"unknown for {len(reasons):,} reasons; --json has all, the first are:", "yellow")
    for line in shown:
        say(f"unknown: {line}", "yellow")
