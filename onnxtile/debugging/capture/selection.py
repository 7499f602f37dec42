"""Select what is captured: nodes by operator and name, and what a lowering put together for an original node."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import islice
from typing import NamedTuple

import onnx_ir as ir

from onnxtile.debugging.capture.node_index import Named, named_nodes
from onnxtile.debugging.capture.report import Skipped
from onnxtile.errors import UsageError
from onnxtile.ir.graphs import values_read
from onnxtile.ir.metadata import ORIGIN
from onnxtile.ir.opset_imports import domain_text

Texts = str | Sequence[str] | None
MOST_COMPARED = 5_000
"""Names that one which nobody has is compared with."""


class Labels(NamedTuple):
    """Words by which a node, or a module of torch, may be asked for; messages call it by the first of each kind."""

    operators: Sequence[str]
    names: Sequence[str]


@dataclass(frozen=True)
class Selection:
    """Operators and patterns of names; a node is selected by one of each that are there. UsageError for neither."""

    ops: tuple[str, ...]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.ops and not self.names:
            raise UsageError("say which nodes: by operator (--op Conv), by name (--name 'features.*'), or --name '*'")

    @classmethod
    def of(cls, op: Texts, name: Texts) -> Selection:
        """Return it from one text or several for each. Raises UsageError for anything else."""
        return cls(_texts("op", op), _texts("name", name))

    def has_op(self, node: Labels) -> bool:
        """Return whether the node is one of the operators, if there are any."""
        return not self.ops or any(operator in self.ops for operator in node.operators)

    def selects(self, node: Labels) -> bool:
        return self.has_op(node) and (not self.names or any(fits(pattern, node.names) for pattern in self.names))

    def unmatched(self, nodes: Sequence[Labels], noun: str = "node") -> list[str]:
        """Return which operators and patterns fit none of the nodes, in words, with names that come near."""
        reasons = []
        for op in self.ops:
            if not any(op in node.operators for node in nodes):
                operators = (node.operators[0] for node in nodes)
                reasons.append(f"no {noun} is a {op!r}{nearest(op, operators, 'the model has')}")
        for pattern in self.names:
            if not any(fits(pattern, node.names) for node in nodes):
                names = (node.names[0] for node in nodes if node.names)
                reasons.append(f"no {noun} is called {pattern!r}{nearest(pattern, names, 'it has')}")
        return reasons

    def why_nothing(self, skipped: Sequence[Skipped], unmatched: Sequence[str], noun: str = "node") -> str:
        """Return why nothing can be captured, in words."""
        if skipped:
            first, more = skipped[0], len(skipped) - 1
            others = f", and so on for {more:,} more" if more else ""
            return f"nothing can be captured: {f'{first.op} {first.node!r}'.lstrip()} {first.reason}{others}"
        if unmatched:
            return "; ".join(unmatched)
        called = " or ".join(map(repr, self.names))
        return f"no {noun} called {called} is a {' or a '.join(self.ops)}: leave --op or --name out"


def _texts(option: str, texts: Texts) -> tuple[str, ...]:
    several = (texts,) if isinstance(texts, str) else tuple(texts or ())
    if not all(isinstance(text, str) and text for text in several):
        raise UsageError(f"{option} is {texts!r}: give a text, or several")
    return several


def fits(pattern: str, names: Iterable[str]) -> bool:
    """Return whether one of the names is the pattern, or fits it as files do."""
    return any(name == pattern or fnmatchcase(name, pattern) for name in names)


def nearest(wanted: str, known: Iterable[str], words: str) -> str:
    """Return up to three names that come near, with words before them; where none does, three of any."""
    names = list(islice(dict.fromkeys(filter(None, known)), MOST_COMPARED))
    by_lower = {name.lower(): name for name in reversed(names)}
    near = difflib.get_close_matches(re.sub(r"[*?]", "", wanted).lower(), by_lower, cutoff=0.5)
    shown = [by_lower[name] for name in near] or names[:3]
    return f": {words} {', '.join(shown)}" + (", ..." if len(names) > len(shown) else "") if shown else ""


@dataclass(frozen=True)
class Chosen:
    """A value to capture, the node that gives it, and how many nodes were made for that."""

    value: str
    node: str
    op: str
    nodes: int = 1


@dataclass
class Choice:
    """The values to capture, in the model's order; what can't be captured; and what is asked for that nothing fits."""

    values: list[Chosen] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)


def choose(model: ir.Model, calls: Sequence[Named], selection: Selection) -> Choice:
    """Return the values of the selected nodes. `calls`: those of local functions, which were inlined.

    A pattern that fits the name of an original node stands for what that gave: what nodes made for it give to others.
    Tiles are captured by patterns that fit only their own names, and by operator. Raises UsageError where nothing can
    be captured, with names that come near, or the reason.
    """
    nodes = [*calls, *named_nodes(model)]
    choice = Choice(unmatched=selection.unmatched([_labels(node) for node in nodes]))
    picked: dict[str, Chosen] = {}
    reasons: dict[str, str] = {}
    for node in nodes:
        if not selection.has_op(_labels(node)):
            continue
        of_origin = [pattern for pattern in selection.names if fits(pattern, node.origins)]
        if of_origin and not selection.ops:
            reasons.setdefault(node.origin, node.reason)
        by_name = any(fits(pattern, node.names) for pattern in selection.names if pattern not in of_origin)
        if not (by_name or not selection.names or (of_origin and selection.ops)):
            continue
        if node.reason:
            choice.skipped.append(Skipped(node.name, node.op, node.reason))
        else:
            picked |= {value: Chosen(value, node.name, node.op) for value in node.outputs if value not in picked}
    for origin, values in _put_together(model, reasons).items():
        picked |= {chosen.value: chosen for chosen in values}
        if not values:
            choice.skipped.append(Skipped(origin, "", reasons[origin] or "gives nothing"))
    in_order = (str(value.name) for node in model.graph for value in node.outputs)
    choice.values = [picked[name] for name in in_order if name in picked]
    if not choice.values:
        raise UsageError(selection.why_nothing(choice.skipped, choice.unmatched))
    return choice


def _labels(node: Named) -> Labels:
    """Return how a node may be asked for: `Conv`, or `com.microsoft::FusedConv` to tell domains apart."""
    names = (*node.origins, *node.names) if node.origin else node.names
    return Labels((node.op, f"{domain_text(node.domain)}::{node.op}"), names)


def _put_together(model: ir.Model, origins: Iterable[str]) -> dict[str, list[Chosen]]:
    """Return for each original node what nodes of the main graph that were made for it give to others, or to nobody."""
    members: dict[str, list[ir.Node]] = {origin: [] for origin in origins}
    readers: dict[ir.Value, set[str]] = {value: {""} for value in model.graph.outputs}
    for node in model.graph if members else ():
        origin = node.metadata_props.get(ORIGIN, "")
        members.get(origin, []).append(node)
        for value in values_read(node):
            readers.setdefault(value, set()).add(origin)
    chosen = {}
    for origin, nodes in members.items():
        values = [(value, node) for node in nodes for value in node.outputs if value.name]
        outside = [pair for pair in values if readers.get(pair[0], set()) - {origin}]
        chosen[origin] = [
            Chosen(str(value.name), origin, node.op_type, len(nodes))
            for value, node in outside or (pair for pair in values if pair[0] not in readers)
        ]
    return chosen
