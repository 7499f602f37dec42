"""Which values are captured: those of nodes by operator and by name, and what a lowering put together for a node."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import islice

import onnx_ir as ir

from onnxtile.debugging.capture.node_index import Named, named_nodes
from onnxtile.debugging.capture.report import Skipped
from onnxtile.errors import UsageError
from onnxtile.ir.graphs import subgraphs
from onnxtile.ir.metadata import ORIGIN

Texts = str | Sequence[str] | None
MOST_COMPARED = 5_000
"""Names that one which nobody has is compared with."""


@dataclass(frozen=True)
class Wish:
    """What is asked for: operators, and patterns of names; of both, a node must match one. UsageError for neither."""

    ops: tuple[str, ...]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.ops and not self.names:
            raise UsageError("say which nodes: by operator (--op Conv), by name (--name 'features.*'), or --name '*'")

    @classmethod
    def of(cls, op: Texts, name: Texts) -> Wish:
        """From one text or several, each; UsageError for anything else."""
        return cls(_texts("op", op), _texts("name", name))


def _texts(what: str, given: Texts) -> tuple[str, ...]:
    texts = (given,) if isinstance(given, str) else tuple(given or ())
    if not all(isinstance(text, str) and text for text in texts):
        raise UsageError(f"{what} is {given!r}: give a text, or several")
    return texts


@dataclass(frozen=True)
class Chosen:
    """A value to capture, the node that gives it, and how many nodes were made for that."""

    value: str
    node: str
    op: str
    nodes: int = 1


@dataclass
class Choice:
    """What was chosen, in the model's order; what can't be captured; and what was asked for that nothing fits."""

    values: list[Chosen] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)


def choose(model: ir.Model, calls: Sequence[Named], wish: Wish) -> Choice:
    """The values of the nodes that are asked for. `calls`: those whose functions were put in their place.

    A pattern that fits the name of an original node stands for what that gave: what nodes made for it give to others.
    Tiles are captured by patterns that fit only their own names, and by operator. Raises UsageError where nothing can
    be captured, with names that come near, or the reason.
    """
    nodes = [*calls, *named_nodes(model)]
    choice = Choice(unmatched=list(_unmatched(wish, nodes)))
    picked: dict[str, Chosen] = {}
    reasons: dict[str, str] = {}
    for node in nodes:
        if wish.ops and not node.is_any(wish.ops):
            continue
        stand = [name for name in wish.names if _fits(name, node.origins)]
        if stand and not wish.ops:
            reasons.setdefault(node.origin, node.reason)
        own = any(_fits(name, node.names) for name in wish.names if name not in stand)
        if not (own or not wish.names or (stand and wish.ops)):
            continue
        if node.reason:
            choice.skipped.append(Skipped(node.name, node.op, node.reason))
        else:
            picked |= {value: Chosen(value, node.name, node.op) for value in node.outputs if value not in picked}
    for origin, found in _put_together(model, reasons).items():
        picked |= {each.value: each for each in found}
        if not found:
            choice.skipped.append(Skipped(origin, "", reasons[origin] or "gives nothing"))
    given = (str(value.name) for node in model.graph for value in node.outputs)
    choice.values = [picked[name] for name in given if name in picked]
    if not choice.values:
        raise UsageError(_why_nothing(choice, wish))
    return choice


def _put_together(model: ir.Model, origins: Iterable[str]) -> dict[str, list[Chosen]]:
    """For each original node, what nodes of the main graph that were made for it give to others, or to nobody."""
    members: dict[str, list[ir.Node]] = {origin: [] for origin in origins}
    readers: dict[ir.Value, set[str]] = {value: {""} for value in model.graph.outputs}
    for node in model.graph if members else ():
        origin = node.metadata_props.get(ORIGIN, "")
        members.get(origin, []).append(node)
        for value in _reads(node):
            readers.setdefault(value, set()).add(origin)
    found = {}
    for origin, nodes in members.items():
        values = [(value, node) for node in nodes for value in node.outputs if value.name]
        outside = [pair for pair in values if readers.get(pair[0], set()) - {origin}]
        found[origin] = [
            Chosen(str(value.name), origin, node.op_type, len(nodes))
            for value, node in outside or (pair for pair in values if pair[0] not in readers)
        ]
    return found


def _reads(node: ir.Node) -> Iterator[ir.Value]:
    """What a node reads, the graphs inside it included."""
    yield from (value for value in node.inputs if value is not None)
    for attribute in node.attributes.values():
        for graph in subgraphs(attribute):
            yield from graph.outputs
            for inner in graph:
                yield from _reads(inner)


def _fits(pattern: str, names: Iterable[str]) -> bool:
    return any(name == pattern or fnmatchcase(name, pattern) for name in names)


def _unmatched(wish: Wish, nodes: Sequence[Named]) -> Iterator[str]:
    for op in wish.ops:
        if not any(node.is_any((op,)) for node in nodes):
            yield f"no node is a {op!r}{near(op, (node.op for node in nodes), 'the model has')}"
    for name in wish.names:
        if not any(_fits(name, (*node.names, *node.origins)) for node in nodes):
            yield f"no node is called {name!r}{near(name, (node.origin or node.name for node in nodes), 'it has')}"


def near(wanted: str, known: Iterable[str], words: str) -> str:
    """Up to three names that come near; where none does, three of any."""
    names = list(islice(dict.fromkeys(filter(None, known)), MOST_COMPARED))
    plain = {name.lower(): name for name in reversed(names)}
    near = difflib.get_close_matches(re.sub(r"[*?]", "", wanted).lower(), plain, cutoff=0.5)
    found = [plain[name] for name in near] or names[:3]
    return f": {words} {', '.join(found)}" + (", ..." if len(names) > len(found) else "") if found else ""


def _why_nothing(choice: Choice, wish: Wish) -> str:
    if choice.skipped:
        first, more = choice.skipped[0], len(choice.skipped) - 1
        others = f", and so on for {more:,} more" if more else ""
        return f"nothing can be captured: {f'{first.op} {first.node!r}'.lstrip()} {first.reason}{others}"
    if choice.unmatched:
        return "; ".join(choice.unmatched)
    called = " or ".join(map(repr, wish.names))
    return f"no node called {called} is a {' or a '.join(wish.ops)}: leave --op or --name out"
