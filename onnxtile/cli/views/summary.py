"""What a model is made of, as tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rich.text import Text

from onnxtile.cli.output import MOST_ROWS
from onnxtile.cli.screen import console, first, styled
from onnxtile.cli.table import Column, Name, Table
from onnxtile.ir.symbolic.amounts import Unknown, total
from onnxtile.profiling.formatting import MOST_ITEMS

if TYPE_CHECKING:
    from onnxtile.profiling.attribute_summary import AttributeFacts
    from onnxtile.profiling.summary import ConstantFacts, ModelFacts, OperatorFacts, ValueFacts

MOST_LINES = 12
"""Inputs, outputs, functions and entries of metadata that a terminal shows, each; files, pipes and --json get all."""
FEW_VALUES = 4
"""Different numbers of an attribute that are listed; of more, the least and the greatest are shown."""


def print_facts(facts: ModelFacts) -> None:
    """The model's facts line by line, then a table of its operators with the values of their attributes."""
    table = Table([Column(style="dim"), Column(shorten="end", least=40)])
    for heading, words in _lines(facts):
        table.add(heading, words)
    table.print()
    console().print()
    _print_operators(facts)


def _lines(facts: ModelFacts) -> Iterator[tuple[str, str]]:
    yield "graph", facts.graph_name or "(nameless)"
    if facts.producer_name:
        yield "producer", f"{facts.producer_name} {facts.producer_version}".strip()
    yield "format", f"IR version {facts.ir_version}, {_opsets(facts.opsets)}"
    if facts.domain or facts.model_version:
        yield "version", f"{facts.domain} {facts.model_version or ''}".strip()
    metadata = [f"{key}: {value}" for key, value in facts.metadata.items()]
    yield from _named("metadata", metadata)
    yield from _named("inputs", [_value(each) for each in facts.inputs])
    yield from _named("outputs", [_value(each) for each in facts.outputs])
    yield from _named("free sizes", [", ".join(facts.free_dimensions)] if facts.free_dimensions else [])
    yield from _named("constants", [_constants(each) for each in facts.constants])
    if len(facts.constants) > 1:
        yield "", f"{_bytes(total(each.bytes for each in facts.constants))} in all"
    yield (
        "values",
        ", ".join(f"{count:,} {'of unknown type' if name == '?' else name}" for name, count in facts.types.items()),
    )
    functions = [
        f"{_qualified(each.domain, each.name)}{' ' + each.overload if each.overload else ''}: "
        f"{_several(each.nodes, 'node')}, {_several(each.calls, 'call')}, {_opsets(each.opsets)}"
        for each in facts.functions
    ]
    yield from _named("functions", functions)
    yield "nodes", f"{facts.nodes:,} of {_several(len(facts.operators), 'operator')}"


def _named(heading: str, words: list[str]) -> Iterator[tuple[str, str]]:
    """Lines under one heading, the first MOST_LINES of them."""
    shown = first(words, MOST_LINES)
    for index, each in enumerate(shown):
        yield "" if index else heading, each
    if len(words) > len(shown):
        yield "", f"... and {len(words) - len(shown):,} more; --json lists them all"


def _print_operators(facts: ModelFacts) -> None:
    """Most frequent operators first; columns for bodies and functions only where there are any."""
    places = [("nodes", "main"), ("in bodies", "bodies"), ("in functions", "functions")]
    places = places[:1] + [place for place in places[1:] if any(getattr(each, place[1]) for each in facts.operators)]
    numbers = [Column(heading, right=True) for heading, _ in places]
    table = Table([Column("operator", shorten="middle"), *numbers, Column("attributes", shorten="end", least=30)])
    rows = sorted(facts.operators, key=lambda each: -each.nodes)
    shown = first(rows, MOST_ROWS)
    for each in shown:
        counts = [f"{getattr(each, place):,}" for _, place in places]
        attributes = [_attribute(one, each.nodes) for one in each.attributes]
        table.add(_operator(each), *counts, attributes[0] if attributes else "")
        for more in attributes[1:]:
            table.add("", *("" for _ in counts), more)
    table.print()
    if len(rows) > len(shown):
        console().print(f"... and {len(rows) - len(shown):,} more; --json lists them all", style="dim")


def _operator(facts: OperatorFacts) -> Name:
    return Name(_qualified(facts.domain, facts.op), "function" if facts.is_function else "")


def _qualified(domain: str, name: str) -> str:
    return f"{domain}::{name}" if domain else name


def _attribute(facts: AttributeFacts, nodes: int) -> Text:
    """`kernel_shape [1,1] x 36, [3,3] x 16`; or `group 1..960, 17 values`; one that all nodes share stands alone."""
    if facts.min is not None and facts.kind in ("int", "float") and facts.distinct > FEW_VALUES:
        words = f"{facts.min}..{facts.max}, {facts.distinct:,} values"
    else:
        frequent = sorted(facts.values, key=lambda value: -value[1])[:FEW_VALUES]
        shown = [value for value in facts.values if value in frequent]
        if facts.distinct == 1 and facts.nodes == nodes:
            words = shown[0][0]
        else:
            words = ", ".join(f"{text} x {count:,}" for text, count in shown)
            more = facts.distinct - len(shown)
            words += f", {_several(more, 'other value')}" if more else ""
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
    return f"{facts.count:,} {facts.type}: {count} elements, {_bytes(facts.bytes)}{where}"


def _bytes(amount: object) -> str:
    return f"{amount:,} bytes" if isinstance(amount, int) else f"{amount} bytes"


def _opsets(opsets: Mapping[str, int]) -> str:
    return ", ".join(f"{domain or 'opset'} {version}" for domain, version in opsets.items()) or "no opset"


def _several(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
