"""What a model is made of, as tables for people, on standard error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from onnxtile.cli.output import MOST_ROWS, console
from onnxtile.profiling.amounts import Unknown, total
from onnxtile.profiling.texts import LONGEST, MOST_ITEMS, printable

if TYPE_CHECKING:
    from rich.console import Console

    from onnxtile.profiling.attribute_facts import AttributeFacts
    from onnxtile.profiling.facts import ConstantFacts, ModelFacts, OperatorFacts, ValueFacts

MOST_LINES = 12
"""Inputs, outputs, functions and entries of metadata on the screen, each; --json has all."""
FEW_VALUES = 4
"""Different numbers of an attribute that are listed; of more, the least and the greatest are shown."""


def print_facts(facts: ModelFacts) -> None:
    """The model's facts line by line, then a table of its operators with the values of their attributes."""
    screen = console()
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for heading, words in _lines(facts):
        table.add_row(heading, escape(words))
    screen.print(table)
    screen.print()
    _print_operators(facts, screen)


def _lines(facts: ModelFacts) -> Iterator[tuple[str, str]]:
    yield "graph", printable(facts.graph_name) or "(nameless)"
    if facts.producer_name:
        yield "producer", printable(f"{facts.producer_name} {facts.producer_version}".strip())
    yield "format", f"IR version {facts.ir_version}, {_opsets(facts.opsets)}"
    if facts.domain or facts.model_version:
        yield "version", printable(f"{facts.domain} {facts.model_version or ''}".strip())
    metadata = [f"{printable(key, 40)}: {printable(value, 80)}" for key, value in facts.metadata.items()]
    yield from _named("metadata", metadata)
    yield from _named("inputs", [_value(each) for each in facts.inputs])
    yield from _named("outputs", [_value(each) for each in facts.outputs])
    yield from _named("free sizes", [", ".join(map(printable, facts.free_dimensions))] if facts.free_dimensions else [])
    yield from _named("constants", [_constants(each) for each in facts.constants])
    if len(facts.constants) > 1:
        yield "", f"{_bytes(total(each.bytes for each in facts.constants))} in all"
    yield (
        "values",
        ", ".join(f"{count:,} {'of unknown type' if name == '?' else name}" for name, count in facts.types.items()),
    )
    functions = [
        f"{_qualified(each.domain, each.name)}{' ' + printable(each.overload) if each.overload else ''}: "
        f"{_several(each.nodes, 'node')}, {_several(each.calls, 'call')}, {_opsets(each.opsets)}"
        for each in facts.functions
    ]
    yield from _named("functions", functions)
    yield "nodes", f"{facts.nodes:,} of {_several(len(facts.operators), 'operator')}"


def _named(heading: str, words: list[str]) -> Iterator[tuple[str, str]]:
    """Lines under one heading, the first MOST_LINES of them."""
    for index, each in enumerate(words[:MOST_LINES]):
        yield "" if index else heading, each
    if len(words) > MOST_LINES:
        yield "", f"... and {len(words) - MOST_LINES:,} more; --json lists them all"


def _print_operators(facts: ModelFacts, screen: Console) -> None:
    """Most frequent operators first; columns for bodies and functions only where there are any."""
    places = [("nodes", "main"), ("in bodies", "bodies"), ("in functions", "functions")]
    places = places[:1] + [place for place in places[1:] if any(getattr(each, place[1]) for each in facts.operators)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("operator", overflow="fold", ratio=2)
    for heading, _ in places:
        table.add_column(heading, justify="right")
    table.add_column("attributes", overflow="fold", ratio=5)
    rows = sorted(facts.operators, key=lambda each: -each.nodes)
    for each in rows[:MOST_ROWS]:
        counts = (f"{getattr(each, place):,}" for _, place in places)
        table.add_row(_operator(each), *counts, "\n".join(_attribute(one, each.nodes) for one in each.attributes))
    screen.print(table)
    if len(rows) > MOST_ROWS:
        screen.print(f"... and {len(rows) - MOST_ROWS} more; --json lists them all", style="dim")


def _operator(facts: OperatorFacts) -> str:
    return escape(_qualified(facts.domain, facts.op)) + (" [dim]function[/]" if facts.is_function else "")


def _qualified(domain: str, name: str) -> str:
    return f"{printable(domain, 40)}::{printable(name, 40)}" if domain else printable(name, 40)


def _attribute(facts: AttributeFacts, nodes: int) -> str:
    """`kernel_shape [1,1] x 36, [3,3] x 16`; or `group 1..960, 17 values`; one that all nodes share stands alone."""
    name = f"[dim]{escape(printable(facts.name, 40))}[/]"
    if facts.min is not None and facts.kind in ("int", "float") and facts.distinct > FEW_VALUES:
        return f"{name} {facts.min}..{facts.max}, {facts.distinct:,} values"
    frequent = sorted(facts.values, key=lambda value: -value[1])[:FEW_VALUES]
    shown = [value for value in facts.values if value in frequent]
    if facts.distinct == 1 and facts.nodes == nodes:
        return f"{name} {escape(_cut(shown[0][0]))}"
    words = ", ".join(f"{_cut(text)} x {count:,}" for text, count in shown)
    more = facts.distinct - len(shown)
    return f"{name} {escape(words)}" + (f", {_several(more, 'other value')}" if more else "")


def _cut(text: str) -> str:
    return printable(text, LONGEST // 2)


def _value(facts: ValueFacts) -> str:
    shape = "[...]"
    if facts.shape is not None:
        sizes = ["?" if size is None else printable(str(size)) for size in facts.shape[:MOST_ITEMS]]
        more = len(facts.shape) - MOST_ITEMS
        shape = f"[{','.join(sizes)}{f',... {more:,} more' if more > 0 else ''}]"
    return f"{printable(facts.name)}: {facts.type}{shape}{' (may be left out)' if facts.default else ''}"


def _constants(facts: ConstantFacts) -> str:
    count = "?" if isinstance(facts.elements, Unknown) else f"{facts.elements:,}"
    where = f", {facts.external:,} in data files" if facts.external else ""
    return f"{facts.count:,} {facts.type}: {count} elements, {_bytes(facts.bytes)}{where}"


def _bytes(amount: object) -> str:
    return f"{amount:,} bytes" if isinstance(amount, int) else f"{amount} bytes"


def _opsets(opsets: Mapping[str, int]) -> str:
    return (
        ", ".join(f"{printable(domain, 40) or 'opset'} {version}" for domain, version in opsets.items()) or "no opset"
    )


def _several(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
