"""Say of each output what is known, the worst of what bears on it; and of differences that are told without numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import onnx
import onnx_ir as ir

from onnxtile.verification.facts import Facts
from onnxtile.verification.graphs import Scope, graphs_of, name_of, reads
from onnxtile.verification.pairing import Difference, Pairing, Region
from onnxtile.verification.verdict import RegionVerdict, ValueVerdict, Verdict

if TYPE_CHECKING:
    from onnxtile.verification.bound import Comparison


def by_output(
    graph: onnx.GraphProto, regions: Sequence[Region], verdicts: Sequence[RegionVerdict]
) -> Iterator[ValueVerdict]:
    """Each output by the regions that bear on it: the worst of them."""
    scope = Scope(graph)
    by_node: dict[str, list[RegionVerdict]] = {}
    holders = [name_of(node) for node in scope.nodes if any(graphs_of(attribute) for attribute in node.attribute)]
    for region, verdict in zip(regions, verdicts, strict=False):
        tops = [name for name in holders if region.scope.startswith(f"{name}/")] if region.scope else [region.name]
        for top in tops:
            by_node.setdefault(top, []).append(verdict)
    for verdict in verdicts[len(regions) :]:
        by_node.setdefault(verdict.name, []).append(verdict)
    for output in graph.output:
        bearing = [verdict for name in _upstream(scope, output.name) for verdict in by_node.get(name, [])]
        wrong = next((verdict for verdict in bearing if not verdict.equivalent), None)
        yield ValueVerdict(
            output.name,
            max((verdict.max_abs_error for verdict in bearing), default=0.0),
            max((verdict.allowed for verdict in bearing), default=0.0),
            all(verdict.method == "exact" and verdict.equivalent for verdict in bearing),
            wrong is None,
            None if wrong is None else f"{wrong.op} {wrong.name!r} bears on it: {wrong.reason}",
            "exact" if all(verdict.method == "exact" for verdict in bearing) else "bound",
        )


def _upstream(scope: Scope, output: str) -> Iterator[str]:
    """The names of nodes and constants that an output follows from."""
    waiting, seen = [output], {output}
    while waiting:
        name = waiting.pop()
        made = scope.find(name)
        if made is None or made.node is None:
            yield name
            continue
        yield name_of(made.node)
        for read in reads(made.node):
            if read not in seen:
                seen.add(read)
                waiting.append(read)


def mistyped(pairing: Pairing, facts: Facts) -> Iterator[Difference]:
    """Tell shared values that the lowered file says are of another type than they are."""
    for scope, name, number in pairing.said:
        fact = facts.values.get((scope, name))
        if fact is not None and number != fact.dtype.value:
            words = f"{name!r} is said to be {ir.DataType(number).name}, and is {fact.dtype.name}"
            yield Difference(name, "value", scope, words, (name,))


def as_verdict(difference: Difference) -> RegionVerdict:
    """Return what is said of a difference that was told without numbers."""
    return RegionVerdict(
        difference.name, difference.op, difference.scope, "structure", "none", 0, 0.0, 0.0, False, difference.reason,
        where=difference.where,
    )  # fmt: skip


def bounded(found: Comparison, seed: int) -> Verdict:
    """Return what running both models whole came to."""
    return Verdict(
        found.equivalent, "bound", found.engine, found.cases, seed, found.outputs, found.reason, layers=found.layers,
        warnings=(found.warning,) if found.warning else (),
    )  # fmt: skip
