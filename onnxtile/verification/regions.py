"""Judge one rewritten region: what its graph and constants tell, then a proof on whole numbers, or a bound."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import onnx
import onnx_ir as ir

from onnxtile.errors import OnnxtileError
from onnxtile.ir.metadata import OF, TILE
from onnxtile.verification.bound import Plan, compare
from onnxtile.verification.coverage import MOST_NAMED, Coverage, cover
from onnxtile.verification.explaining import Explained, Tile, tiles_of
from onnxtile.verification.facts import Facts
from onnxtile.verification.graphs import name_of, names_inside, nodes_inside
from onnxtile.verification.obligation import Inexact, InexactError, Obligation, alone, oblige, products_of
from onnxtile.verification.opened import Opened
from onnxtile.verification.pairing import Difference, Region
from onnxtile.verification.parts import parts_of
from onnxtile.verification.proof import prove
from onnxtile.verification.sessions import EngineError
from onnxtile.verification.verdict import RegionVerdict


@dataclass(frozen=True)
class Task:
    """What is left to run for a region, and can be run anywhere: a proof, or a comparison of two models."""

    proof: Obligation | None = None
    models: tuple[bytes, bytes] | None = None
    note: str | None = None
    cases: int = 2
    """Sets of operands that are tried where nobody says how many."""


@dataclass(frozen=True)
class Outcome:
    """What came of a task. `method` is `exact` or `bound`; `unknown`: nothing could be run, and `reason` says why.

    `warning`: what to know of the engine.
    """

    method: str
    engine: str
    cases: int
    error: float = 0.0
    allowed: float = 0.0
    reason: str | None = None
    note: str | None = None
    warning: str | None = None


@dataclass(frozen=True)
class Step:
    """Something to be run for `region`, or for a part of it. `shown`: its nodes that are right without running them."""

    task: Task
    region: Region
    shown: Collection[str]


@dataclass(frozen=True)
class Examined:
    """What can be told of a region without running anything; and what's to be run, where that is right so far."""

    verdict: RegionVerdict
    steps: tuple[Step, ...] = ()


def examine(region: Region, original: Opened, lowered: Opened, facts: Facts, whole: bool = True) -> Examined:
    """What the region's graph and constants tell. `whole`: it isn't a part of another."""
    tiles = tiles_of(region)
    obligation, explained = oblige(region, original, lowered, facts, tiles)
    coverage = _coverage(region, lowered, tiles, explained)
    verdict = RegionVerdict(
        region.name, region.node.op_type, region.scope, "structure", "none", 0, 0.0, 0.0, True, tiles=coverage.products
    )
    found = [(each.reason, each.where) for each in (*_missing(region), *explained.differences)]
    found += [*coverage.faults, *_extents(region, coverage, facts)]
    if found and whole and _was_cut_twice(region):
        task = _comparison(region, original, lowered, facts, "its constants were cut ahead of time twice")
        return Examined(verdict, (Step(task, region, ()),))
    if found:
        return Examined(_wrong(verdict, found))
    # where each tile is shown to be in its place, one set of numbers is enough to show the rest
    placed = bool(region.boxes) and all(name_of(node) in coverage.shown for node, _ in region.boxes)
    if isinstance(obligation, Inexact):
        task = _comparison(region, original, lowered, facts, obligation.reason)
    else:
        task = Task(obligation, cases=1 if placed else 2)
    steps = [Step(task, region, coverage.shown)]
    if whole and (isinstance(obligation, Inexact) or not obligation.arithmetic.terms):
        parts = parts_of(region, original, lowered, facts)
        if parts is not None:
            pairing, ours, theirs, known = parts
            inside = [examine(each, ours, theirs, known, whole=False) for each in pairing.regions]
            found = [(each.reason, each.where) for each in pairing.differences]
            found += [(str(each.verdict.reason), each.verdict.where) for each in inside if not each.verdict.equivalent]
            if found:
                return Examined(_wrong(verdict, found))
            size = len(region.lowered.nodes)
            steps += [step for each in inside for step in each.steps if len(step.region.lowered.nodes) < size]
    return Examined(verdict, tuple(steps))


def _was_cut_twice(region: Region) -> bool:
    """Whether tiles of the region were cut again, of a product that is no tile itself."""
    ours, theirs = (
        [
            pair.value
            for node in nodes
            for each in nodes_inside(node)
            for pair in each.metadata_props
            if pair.key == TILE
        ]
        for nodes in (region.original.nodes, region.lowered.nodes)
    )
    return any(OF in tile for tile in theirs) and not ours


def _comparison(region: Region, original: Opened, lowered: Opened, facts: Facts, why: str) -> Task:
    try:
        models = (alone(region, region.original, original, facts), alone(region, region.lowered, lowered, facts))
    except InexactError as error:
        return Task(note=str(error))
    return Task(None, models, why)


def run(task: Task, cases: int | None, seed: int) -> Outcome:
    """Run what's left for a region."""
    cases = cases or task.cases
    if task.proof is not None:
        try:
            proof = prove(task.proof, cases, seed)
        except EngineError as error:
            return Outcome("unknown", "none", 0, reason=f"no engine runs it alone: {error}")
        return Outcome("exact", proof.engine, proof.cases, proof.error, 0.0, proof.reason, warning=proof.warning)
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
    return Outcome("bound", found.engine, found.cases, apart, allowed, reason, task.note, found.warning)


def concluded(examined: Examined, outcomes: Sequence[Outcome]) -> RegionVerdict:
    """The verdict of a region, with what came of its steps: of the first that's wrong, or of all.

    What couldn't be run in one of two choices of free sizes was in the other, or makes the region unknown.
    """
    verdict = examined.verdict
    if not outcomes:
        return verdict
    pairs = list(zip(examined.steps, outcomes, strict=True))
    own = [outcome for step, outcome in pairs if step.region is examined.steps[0].region]  # one for each choice
    ran = [outcome for outcome in own if outcome.method != "unknown"]
    weakest = next((outcome for outcome in ran if outcome.method != "exact"), (ran or own)[0])
    notes = [weakest.note, *(f"not in other free sizes: {each.reason}" for each in own if ran and each not in ran)]
    told = replace(
        verdict,
        method=weakest.method,
        engine=weakest.engine,
        cases=weakest.cases,
        max_abs_error=max(outcome.error for outcome in own),
        allowed=max(outcome.allowed for outcome in own),
        note="; ".join(filter(None, notes)) or None,
    )
    wrong = [(step, outcome) for step, outcome in pairs if outcome.reason is not None]
    for step, outcome in sorted(wrong, key=lambda pair: len(pair[0].region.lowered.nodes)):
        if outcome.method == "unknown" and (ran or outcome not in own):
            continue  # what was run of the whole region tells
        suspects = [name for node in step.region.lowered.nodes for name in names_inside(node)]
        where = [name for name in suspects if name not in step.shown] or suspects
        return _wrong(told, [(str(outcome.reason), tuple(where))])
    return told


def _wrong(verdict: RegionVerdict, found: Sequence[tuple[str, tuple[str, ...]]]) -> RegionVerdict:
    """The verdict of a region in which something was found: words, and the nodes that they're about."""
    names = tuple(dict.fromkeys(name for _, where in found for name in where))[:MOST_NAMED]
    more = f" (and {len(found) - 1:,} more)" if len(found) > 1 else ""
    return replace(verdict, equivalent=False, reason=found[0][0] + more, where=names)


def _missing(region: Region) -> list[Difference]:
    found = []
    for name in region.lowered.missing:
        readers = tuple(name_of(node) for node in region.lowered.nodes if name in node.input)
        words = f"{name!r} is read but made by nobody"
        found.append(Difference(region.name, region.node.op_type, region.scope, words, readers))
    return found


def _coverage(region: Region, lowered: Opened, tiles: Mapping[str, Tile], explained: Explained) -> Coverage:
    constants = region.lowered.constants

    def lengths(name: str) -> list[int] | None:
        tensor = constants.get(name)
        whole = tensor is not None and ir.DataType(tensor.data_type).is_integer()
        return [int(each) for each in lowered.array(tensor).reshape(-1)] if whole and tensor is not None else None

    boxes = {
        name: tile.along(len(constants[name].dims)) for name, tile in tiles.items() if name not in explained.unexplained
    }
    return cover(region.lowered.nodes, region.boxes, region.outputs, lengths, boxes)


def _extents(region: Region, coverage: Coverage, facts: Facts) -> list[tuple[str, tuple[str, ...]]]:
    """Whether the tiles cover the original's product, where it's the only one."""
    products = products_of(region, facts)
    if len(products) != 1 or len(coverage.extents) != 1:
        return []
    size = products[0].size
    letters = "k" if products[0].node.op_type == "Einsum" else "mkn"  # of others, some may be left as batch axes
    (name, found), wanted = next(iter(coverage.extents.items())), [size.m, size.k, size.n]
    short = [
        f"{letter.upper()} up to {end} of {whole}"
        for letter, end, whole in zip("mkn", found, wanted, strict=True)
        if letter in letters and end is not None and isinstance(whole, int) and end < whole
    ]
    makers = tuple(name_of(node) for node in region.lowered.nodes if name_of(node) not in coverage.shown)
    return [(f"the tiles of {name!r} cover {', '.join(short)}", makers)] if short else []
