"""Judge one rewritten region: what its graph and constants tell, then a proof on whole numbers, or a bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx

from onnxtile.errors import OnnxtileError
from onnxtile.verification.bound import Plan, compare
from onnxtile.verification.coverage import Coverage, cover
from onnxtile.verification.engines import EngineError
from onnxtile.verification.explaining import tiles_of
from onnxtile.verification.facts import Facts
from onnxtile.verification.graphs import name_of
from onnxtile.verification.obligation import Inexact, InexactError, Obligation, alone, oblige
from onnxtile.verification.opened import Opened
from onnxtile.verification.pairing import Difference, Region
from onnxtile.verification.proof import prove
from onnxtile.verification.verdict import RegionVerdict

MOST_NAMED = 40
"""Nodes that are named as suspects where the graph doesn't tell which of them it is."""


@dataclass(frozen=True)
class Task:
    """What is left to run for a region, and can be run anywhere: a proof, or a comparison of two models."""

    proof: Obligation | None = None
    models: tuple[bytes, bytes] | None = None
    note: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of a task. `method` is `exact` or `bound`; `unknown`: nothing could be run, and `reason` says why."""

    method: str
    engine: str
    cases: int
    error: float = 0.0
    allowed: float = 0.0
    reason: str | None = None
    note: str | None = None


def examine(region: Region, original: Opened, lowered: Opened, facts: Facts) -> tuple[RegionVerdict, Task | None]:
    """What can be told without running anything; and what's to be run, if that is right so far."""
    obligation, explained = oblige(region, original, lowered, facts)
    coverage = _coverage(region, lowered)
    verdict = RegionVerdict(
        region.name, region.node.op_type, region.scope, "structure", "none", 0, 0.0, 0.0, True, tiles=coverage.products
    )
    differences = [*_missing(region), *explained.differences]
    faults = [*coverage.faults, *_extents(region, coverage, facts)]
    if differences or faults:
        reasons = [each.reason for each in differences] + [words for words, _ in faults]
        where = [name for each in differences for name in each.where] + [name for _, names in faults for name in names]
        more = f" (and {len(reasons) - 1:,} more)" if len(reasons) > 1 else ""
        return _wrong(verdict, reasons[0] + more, where), None
    if isinstance(obligation, Inexact):
        try:
            models = (alone(region, region.original, original, facts), alone(region, region.lowered, lowered, facts))
        except InexactError as error:
            return verdict, Task(note=str(error))
        return verdict, Task(None, models, obligation.reason)
    return verdict, Task(obligation)


def run(task: Task, cases: int, seed: int) -> Outcome:
    """Run what's left for a region."""
    if task.proof is not None:
        try:
            proof = prove(task.proof, cases, seed)
        except EngineError as error:
            return Outcome("unknown", "none", 0, reason=f"no engine runs it alone: {error}")
        return Outcome("exact", proof.engine, proof.cases, proof.error, 0.0, proof.reason)
    if task.models is None:
        return Outcome("unknown", "none", 0, reason=task.note)
    models = [onnx.ModelProto.FromString(each) for each in task.models]
    try:
        found = compare(models[0], models[1], Plan(2 * cases, seed), {})
    except OnnxtileError as error:
        return Outcome("unknown", "none", 0, reason=str(error))
    worst = max(found.outputs, key=lambda value: (not value.equivalent, value.max_abs_error), default=None)
    reason = found.reason
    if reason is None and worst is not None and not worst.equivalent:
        reason = f"{worst.name!r} is {worst.reason}"
    apart, allowed = (0.0, 0.0) if worst is None else (worst.max_abs_error, worst.allowed)
    return Outcome("bound", found.engine, found.cases, apart, allowed, reason, task.note)


def concluded(verdict: RegionVerdict, outcome: Outcome, region: Region, shown: set[str]) -> RegionVerdict:
    """The verdict of a region, with what came of its task. `shown`: nodes that were right without running them."""
    told = replace(
        verdict,
        method=outcome.method,
        engine=outcome.engine,
        cases=outcome.cases,
        max_abs_error=outcome.error,
        allowed=outcome.allowed,
        note=outcome.note,
    )
    if outcome.reason is None:
        return told
    suspects = [name_of(node) for node in region.lowered.nodes]
    return _wrong(told, outcome.reason, [name for name in suspects if name not in shown] or suspects)


def _wrong(verdict: RegionVerdict, reason: str, where: Sequence[str]) -> RegionVerdict:
    names = tuple(dict.fromkeys(where))[:MOST_NAMED]
    return replace(verdict, equivalent=False, reason=reason, where=names)


def _missing(region: Region) -> list[Difference]:
    found = []
    for name in region.lowered.missing:
        readers = tuple(name_of(node) for node in region.lowered.nodes if name in node.input)
        words = f"{name!r} is read but made by nobody"
        found.append(Difference(region.name, region.node.op_type, region.scope, words, readers))
    return found


def shown_nodes(region: Region, lowered: Opened) -> set[str]:
    """Nodes of a region that its tile certificate shows to be right."""
    return _coverage(region, lowered).shown


def _coverage(region: Region, lowered: Opened) -> Coverage:
    constants = region.lowered.constants

    def lengths(name: str) -> list[int] | None:
        tensor = constants.get(name)
        return None if tensor is None else [int(each) for each in lowered.array(tensor).reshape(-1)]

    boxes = {
        name: tile.along(len(constants[name].dims))
        for name, tile in tiles_of(region.lowered.nodes).items()
        if name in constants
    }
    return cover(region.lowered.nodes, region.outputs, lengths, boxes)


def _extents(region: Region, coverage: Coverage, facts: Facts) -> list[tuple[str, tuple[str, ...]]]:
    """Whether the tiles cover the original's product, where it's the only one."""
    products = [
        each
        for node in region.original.nodes
        for name in node.output
        if name
        for each in facts.products.get((region.scope, name), [])
    ]
    if len(products) != 1 or len(coverage.extents) != 1:
        return []
    size = products[0].size
    (name, found), wanted = next(iter(coverage.extents.items())), [size.m, size.k, size.n]
    short = [
        f"{letter.upper()} up to {end} of {whole}"
        for letter, end, whole in zip("mkn", found, wanted, strict=True)
        if end is not None and isinstance(whole, int) and end < whole
    ]
    return [(f"the tiles of {name!r} cover {', '.join(short)}", (region.name,))] if short else []
