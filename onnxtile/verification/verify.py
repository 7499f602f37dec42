"""Is the lowered model equivalent to the original? By a proof of each rewritten region, or by running both whole."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import onnx

from onnxtile.errors import UsageError, suggesting_options, wrong_name
from onnxtile.ir.io.interop import AnyModel
from onnxtile.ir.io.links import following_links
from onnxtile.ir.io.progress import Progress, silent
from onnxtile.ir.metadata import TILE, box_text
from onnxtile.verification.bound import Comparison, Plan, compare
from onnxtile.verification.facts import facts_of
from onnxtile.verification.graphs import Scope, graphs_of, name_of, nodes_inside, reads
from onnxtile.verification.interfaces import mismatch
from onnxtile.verification.opened import Opened, open_model
from onnxtile.verification.pairing import Difference, Pairing, Region, pair
from onnxtile.verification.regions import concluded, examine
from onnxtile.verification.verdict import RegionVerdict, ValueVerdict, Verdict
from onnxtile.verification.workers import run_all

LARGEST_FREE = 4096
"""The largest size that's taken for a free dimension: metadata may say anything."""
METHODS = ("exact", "bound")
CASES = 4
"""Sets of inputs that whole models are run on where nobody says how many."""
FREE = 3
"""The least size taken for dimensions that aren't bound: each gets another, to show a mix-up of axes."""


@suggesting_options
def verify(
    original: AnyModel,
    lowered: AnyModel,
    *,
    method: str | None = None,
    cases: int | None = None,
    seed: int = 0,
    bind: Mapping[str, int] | None = None,
    inputs: Mapping[str, np.ndarray] | None = None,
    workers: int | None = None,
    follow_links: bool = False,
    progress: Progress | None = None,
) -> Verdict:
    """Compare two models.

    `method` `exact` (the default) lays the models side by side. What is as it was is equivalent; each rewritten region
    is proven by itself: the lowered constants have to be the original's bytes, the tiles have to cover their product,
    and both sides have to give the same bits on whole numbers that no order of summation rounds. A region for which
    that can't be done is compared on random inputs and may differ by what rounding explains.

    `method` `bound` (the default where `inputs` are given) runs both models whole, with their weights, on random
    inputs, every other one of whole numbers; each value may differ by what rounding explains.

    `cases`: sets of inputs from `seed`; by default 4 for whole models, 2 for a region, and 1 for one whose tiles are
    all shown to be in their places. Free dimensions that `bind` doesn't fix get sizes. `inputs`: values to take for
    some inputs, or all. `workers`: processes that prove regions (as many as cores by default). `follow_links`: data
    files of the models may be links that lead out of their folders. Raises UsageError, ModelError, UnsupportedError
    (among them: neither engine runs the original).
    """
    method = method or ("bound" if inputs else "exact")
    if method not in METHODS:
        raise wrong_name(f"method is {method!r}", method, METHODS)
    if inputs and method == "exact":
        raise UsageError("inputs are for method bound: the exact proof makes its own")
    for name, number, least in (("cases", cases, 1), ("seed", seed, 0), ("workers", workers, 1)):
        if number is None and name != "seed":
            continue
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise UsageError(f"{name} is {number!r}: give a whole number, {least} or more")
    say = progress or silent
    say("read the models")
    with following_links(follow_links):
        first, second = open_model(original), open_model(lowered)
        different = mismatch(first.proto, second.proto, bind or {})
        if different:
            return Verdict(False, "interfaces", "none", 0, seed, (), different)
        if method == "bound":
            plan = Plan(cases or CASES, seed, dict(inputs or {}))
            return _bounded(compare(original, lowered, plan, bind or {}, say), seed)
        return _Proof(first, second, bind or {}, cases, seed, workers, say).verdict(original, lowered)


def _bounded(found: Comparison, seed: int) -> Verdict:
    return Verdict(
        found.equivalent, "bound", found.engine, found.cases, seed, found.outputs, found.reason, layers=found.layers,
        warnings=(found.warning,) if found.warning else (),
    )  # fmt: skip


class _Proof:
    """The models side by side, and what is known of them."""

    def __init__(
        self,
        first: Opened,
        second: Opened,
        bind: Mapping[str, int],
        cases: int | None,
        seed: int,
        workers: int | None,
        say: Progress,
    ) -> None:
        self._first, self._second, self._bind = first, second, bind
        self._cases, self._seed, self._workers, self._say = cases, seed, workers, say
        self._warnings: dict[str, None] = {}

    def verdict(self, original: AnyModel, lowered: AnyModel) -> Verdict:
        with collector_paused():
            return self._verdict(original, lowered)

    def _verdict(self, original: AnyModel, lowered: AnyModel) -> Verdict:
        self._say("lay the models side by side")
        pairing = pair(self._first, self._second)
        largest = _free_size(self._second.proto)
        facts = facts_of(self._first.proto, self._bind, lambda place: largest + place)
        sizes = [facts]
        if facts.free:
            sizes.append(facts_of(self._first.proto, self._bind, lambda place: 1 if place else 2))
        examined = []
        for number, region in enumerate(pairing.regions):
            self._say(f"read {region.name}", number, len(pairing.regions))
            both = [examine(region, self._first, self._second, each) for each in sizes]
            wrong = next((each for each in both if not each.verdict.equivalent), None)
            examined.append(wrong or replace(both[0], steps=tuple(step for each in both for step in each.steps)))
        steps = [(step.task, number) for number, each in enumerate(examined) for step in each.steps]
        found = iter(run_all([task for task, _ in steps], self._cases, self._seed, self._workers, self._say))
        verdicts = []
        for number, each in enumerate(examined):
            came = [next(found) for _ in each.steps]
            self._warn(outcome.warning for outcome, _ in came)
            verdict = concluded(each, [outcome for outcome, _ in came])
            twins = {number if twin is None else steps[twin][1] for _, twin in came}
            if len(twins) == 1 and (twin := twins.pop()) != number:
                verdict = replace(verdict, same_as=pairing.regions[twin].name)
            verdicts.append(verdict)
        verdicts = self._whole(verdicts, original, lowered, {**facts.forced, **self._bind})
        verdicts += [_told(each) for each in pairing.differences]
        return self._conclude(pairing, verdicts)

    def _whole(
        self, verdicts: list[RegionVerdict], original: AnyModel, lowered: AnyModel, bind: Mapping[str, int]
    ) -> list[RegionVerdict]:
        """Regions that can't be run alone are judged by running the models whole, unless one is wrong already."""
        unknown = [verdict.method == "unknown" for verdict in verdicts]
        if not any(unknown) or not all(
            each or verdict.equivalent for each, verdict in zip(unknown, verdicts, strict=True)
        ):
            return verdicts
        plan = Plan(CASES, self._seed)
        found = compare(original, lowered, plan, bind, self._say)
        self._warn([found.warning])
        values = (*found.outputs, *found.layers)
        error, allowed = (
            max((getattr(each, of) for each in values), default=0.0) for of in ("max_abs_error", "allowed")
        )
        wrong = next((f"{each.name!r} is {each.reason}" for each in values if not each.equivalent), found.reason)
        return [
            replace(
                verdict, method="whole", engine=found.engine, cases=found.cases, max_abs_error=error, allowed=allowed,
                equivalent=found.equivalent, reason=wrong, note=verdict.reason,
            )
            if each else verdict
            for each, verdict in zip(unknown, verdicts, strict=True)
        ]  # fmt: skip

    def _conclude(self, pairing: Pairing, verdicts: list[RegionVerdict]) -> Verdict:
        engines = dict.fromkeys(name for each in verdicts for name in each.engine.split(" and ") if name != "none")
        return Verdict(
            all(each.equivalent for each in verdicts),
            "exact",
            " and ".join(engines) or "none",
            max((each.cases for each in verdicts), default=0),
            self._seed,
            tuple(_outputs(self._first.proto.graph, pairing.regions, verdicts)),
            regions=tuple(verdicts),
            kept=pairing.kept,
            warnings=tuple(self._warnings),
        )

    def _warn(self, words: Iterable[str | None]) -> None:
        self._warnings.update(dict.fromkeys(each for each in words if each))


@contextmanager
def collector_paused() -> Iterator[None]:
    """Python's search for cycles looks at all objects again and again while very many are made, none of them in one."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _told(difference: Difference) -> RegionVerdict:
    return RegionVerdict(
        difference.name, difference.op, difference.scope, "structure", "none", 0, 0.0, 0.0, False, difference.reason,
        where=difference.where,
    )  # fmt: skip


def _outputs(
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
        bearing = [each for name in _upstream(scope, output.name) for each in by_node.get(name, [])]
        wrong = next((each for each in bearing if not each.equivalent), None)
        yield ValueVerdict(
            output.name,
            max((each.max_abs_error for each in bearing), default=0.0),
            max((each.allowed for each in bearing), default=0.0),
            all(each.method == "exact" and each.equivalent for each in bearing),
            wrong is None,
            None if wrong is None else f"{wrong.op} {wrong.name!r} bears on it: {wrong.reason}",
            "exact" if all(each.method == "exact" for each in bearing) else "bound",
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


def _free_size(lowered: onnx.ModelProto) -> int:
    """A size for free dimensions: a little more than a tile, so that there's a whole one and a ragged one."""
    graphs = (lowered.graph.node, *(function.node for function in lowered.functions))
    nodes = (inner for each in graphs for node in each for inner in nodes_inside(node))
    boxes = [_height(box_text(pair.value)) for node in nodes for pair in node.metadata_props if pair.key == TILE]
    return max([FREE - 1, *boxes]) + 1


def _height(box: str) -> int:
    """The m of `m64,k64,n32`: all tiles of a product at once."""
    first = box.partition(",")[0]
    height = int(first[1:]) if ":" not in box and first[1:].isdecimal() and len(first) < 9 else 0
    return height if height <= LARGEST_FREE else 0
