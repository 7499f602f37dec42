"""Show what a model consists of: its interface, constants, types and operators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from onnxtile.cli.output import amount_text
from onnxtile.cli.screen import Segments, console, first, print_rest, styled
from onnxtile.cli.table import MOST_ROWS, Cell, Column, Name, Table, numbers
from onnxtile.cli.views.view import View
from onnxtile.ir.printable import several
from onnxtile.ir.symbolic.amounts import Unknown, total
from onnxtile.profiling.attribute_summary import AttributeFacts
from onnxtile.profiling.formatting import MOST_ITEMS
from onnxtile.profiling.summary import ConstantFacts, FunctionFacts, ModelFacts, OperatorFacts, ValueFacts

MOST_LINES = 12
"""Inputs, outputs, functions and entries of metadata that a terminal shows, each; files, pipes and --json get all."""
FEW_VALUES = 4
"""Different numbers of an attribute that are listed; of more, the least and the greatest are shown."""


@dataclass(frozen=True)
class FactsView(View, members="schema summary=facts"):
    """The model's facts line by line, then a table of its operators with the values of their attributes."""

    schema: ClassVar[str] = "onnxtile.profile-summary/1"
    facts: ModelFacts

    def print(self) -> None:
        Table([Column(style="dim"), Column(shorten="end", least=40)], list(_lines(self.facts))).print()
        console().print()
        _print_operators(self.facts)

    def sheet(self) -> Sequence[OperatorFacts]:
        return self.facts.operators


def _lines(facts: ModelFacts) -> Iterator[tuple[str, str]]:
    yield "graph", facts.graph_name or "(nameless)"
    if facts.producer_name:
        yield "producer", f"{facts.producer_name} {facts.producer_version}".strip()
    yield "format", f"IR version {facts.ir_version}, {_opsets(facts.opsets)}"
    if facts.domain or facts.model_version:
        yield "version", f"{facts.domain} {facts.model_version or ''}".strip()
    yield from _named("metadata", [f"{key}: {value}" for key, value in facts.metadata.items()])
    yield from _named("inputs", list(map(_value, facts.inputs)))
    yield from _named("outputs", list(map(_value, facts.outputs)))
    yield from _named("free sizes", [", ".join(facts.free_dimensions)] if facts.free_dimensions else [])
    yield from _named("constants", list(map(_constants, facts.constants)))
    if len(facts.constants) > 1:
        yield "", f"{amount_text(total(constants.bytes for constants in facts.constants))} bytes in all"
    types = (f"{count:,} {'of unknown type' if name == '?' else name}" for name, count in facts.types.items())
    yield "values", ", ".join(types)
    yield from _named("functions", list(map(_function, facts.functions)))
    yield "nodes", f"{facts.nodes:,} of {several(len(facts.operators), 'operator')}"


def _named(heading: str, words: list[str]) -> Iterator[tuple[str, str]]:
    """Yield lines under one heading, the first MOST_LINES of them."""
    shown = first(words, MOST_LINES)
    for index, line in enumerate(shown):
        yield "" if index else heading, line
    if len(words) > len(shown):
        yield "", f"... and {len(words) - len(shown):,} more; --json lists them all"


def _print_operators(facts: ModelFacts) -> None:
    """Print the most frequent operators first; columns for bodies and functions only where there are any."""
    others = [("in bodies", "bodies"), ("in functions", "functions")]
    columns = [("nodes", "main"), *(pair for pair in others if any(getattr(row, pair[1]) for row in facts.operators))]
    headings = numbers(*(heading for heading, _ in columns))
    table = Table([Column("operator", shorten="middle"), *headings, Column("attributes", shorten="end", least=30)])
    rows = sorted(facts.operators, key=lambda row: -row.nodes)
    shown = first(rows, MOST_ROWS)
    for row in shown:
        name: Cell = Name(_qualified(row.domain, row.op), "function" if row.is_function else "")
        counts = [f"{getattr(row, field):,}" for _, field in columns]
        for attribute in [_attribute(attribute, row.nodes) for attribute in row.attributes] or [styled()]:
            table.add(name, *counts, attribute)
            name, counts = "", [""] * len(counts)
    table.print()
    print_rest(len(rows) - len(shown), "--json lists them all")


def _qualified(domain: str, name: str) -> str:
    return f"{domain}::{name}" if domain else name


def _attribute(facts: AttributeFacts, nodes: int) -> Segments:
    """Return `kernel_shape [1,1] x 36, [3,3] x 16`; `group 1..960, 17 values`; or a value that all nodes share."""
    if facts.min is not None and facts.kind in ("int", "float") and facts.distinct > FEW_VALUES:
        words = f"{facts.min}..{facts.max}, {facts.distinct:,} values"
    elif facts.distinct == 1 and facts.nodes == nodes:
        words = facts.values[0][0]
    else:
        frequent = sorted(facts.values, key=lambda value: -value[1])[:FEW_VALUES]
        texts = [f"{text} x {count:,}" for text, count in facts.values if (text, count) in frequent]
        more = facts.distinct - len(texts)
        words = ", ".join([*texts, *([several(more, "other value")] if more else [])])
    return styled((facts.name, "dim"), (f" {words}", ""))


def _value(facts: ValueFacts) -> str:
    shape = "[...]"
    if facts.shape is not None:
        sizes = ["?" if size is None else str(size) for size in facts.shape[:MOST_ITEMS]]
        more = len(facts.shape) - MOST_ITEMS
        shape = f"[{','.join(sizes)}{f',... {more:,} more' if more > 0 else ''}]"
    return f"{facts.name}: {facts.type}{shape}{' (may be left out)' if facts.default else ''}"


def _constants(facts: ConstantFacts) -> str:
    count = "?" if isinstance(facts.elements, Unknown) else f"{facts.elements:,}"
    where = f", {facts.external:,} in data files" if facts.external else ""
    return f"{facts.count:,} {facts.type}: {count} elements, {amount_text(facts.bytes)} bytes{where}"


def _function(facts: FunctionFacts) -> str:
    name = f"{_qualified(facts.domain, facts.name)} {facts.overload}".rstrip()
    counts = f"{several(facts.nodes, 'node')}, {several(facts.calls, 'call')}"
    return f"{name}: {counts}, {_opsets(facts.opsets)}"


def _opsets(opsets: Mapping[str, int]) -> str:
    return ", ".join(f"{domain or 'opset'} {version}" for domain, version in opsets.items()) or "no opset"
