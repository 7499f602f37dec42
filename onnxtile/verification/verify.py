"""Is the lowered model equivalent to the original? By a proof of each rewritten region, or by running both whole."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from onnxtile.errors import UsageError, suggesting_options, wrong_name
from onnxtile.ir.collector import collector_paused
from onnxtile.ir.io.interop import AnyModel
from onnxtile.ir.io.links import following_links
from onnxtile.ir.io.progress import Progress, silent
from onnxtile.verification.bound import Plan, compare
from onnxtile.verification.breakpoints import ROUNDS, further
from onnxtile.verification.canonical import key_of
from onnxtile.verification.cluster import side_by_side
from onnxtile.verification.facts import Facts, Shapes, bare
from onnxtile.verification.field import Field
from onnxtile.verification.graphs import name_of
from onnxtile.verification.interfaces import mismatch
from onnxtile.verification.opened import open_model
from onnxtile.verification.outputs import as_verdict, bounded, by_output, mistyped
from onnxtile.verification.pairing import Difference, Pairing, Region, pair
from onnxtile.verification.region_runs import CASES, RegionRuns
from onnxtile.verification.regions import Finding, Judge
from onnxtile.verification.trial_sizes import USUAL, Choice, choices, drawn_choices, first_choice
from onnxtile.verification.verdict import RegionVerdict, Verdict
from onnxtile.verification.workers import SideBySide

METHODS = ("exact", "bound")
MOST_APART = 64
"""Names that may be used for something else in the lowered model."""
Trial = tuple[Choice, Facts]


@suggesting_options
def verify(
    original: AnyModel,
    lowered: AnyModel,
    *,
    method: str | None = None,
    cases: int | None = None,
    seed: int | None = None,
    bind: Mapping[str, int] | None = None,
    inputs: Mapping[str, np.ndarray] | None = None,
    workers: int | None = None,
    on: str | None = None,
    timeout: float | None = None,
    follow_links: bool = False,
    progress: Progress | None = None,
) -> Verdict:
    """Compare two models.

    `method` `exact` (the default) lays the models side by side. What is as it was is equivalent; each rewritten region
    is evaluated in a finite field beside the original, and is proven where both are the same function of their
    operands, with the same majorant. A region that can't be is run by engines on random inputs, and may differ by what
    rounding explains.

    `method` `bound` (the default where `inputs` are given) runs both models whole, with their weights, on random
    inputs, every other one of whole numbers; each value may differ by what rounding explains.

    `seed`: repeats the random numbers of a proof; others are drawn each time. `cases`: sets of inputs that whole models
    are run on, 4 by default. `bind`: sizes of free dimensions; of others, sizes around the tiles are tried. `inputs`:
    values to take for some inputs, or all. `workers`: threads that prove regions (1 by default). `on`: a Dask cluster
    that proves them, `dask://HOST:PORT`, whose workers see the models at the same paths; `dask`: one of this machine.
    `timeout`: seconds that the proof may take. `follow_links`: data files of the models may be links that lead out of
    their folders. Raises UsageError, ModelError, UnsupportedError.
    """
    method = method or ("bound" if inputs else "exact")
    if method not in METHODS:
        raise wrong_name(f"method is {method!r}", method, METHODS)
    if on is not None and method != "exact":
        raise UsageError("a cluster proves regions; method bound runs whole models here: leave --on out")
    if inputs and method == "exact":
        raise UsageError("inputs are for method bound: the exact proof makes its own")
    for name, number, least in (("cases", cases, 1), ("seed", seed, 0), ("workers", workers, 1)):
        if number is None:
            continue
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise UsageError(f"{name} is {number!r}: give a whole number, {least} or more")
    say = progress or silent
    say("read the models")
    with following_links(follow_links):
        first, second = open_model(original), open_model(lowered)
        different = mismatch(first.proto, second.proto, bind or {})
        if different:
            return Verdict(False, "interfaces", "none", 0, seed or 0, (), different)
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        judge = Judge(first, second, secrets.randbits(63) if seed is None else seed, deadline)
        with side_by_side(workers, on, original, lowered) as ahead:
            proof = _Proof(judge, bind or {}, say, ahead)
            if method == "exact":
                return proof.verdict(original, lowered)
        plan = Plan(cases or CASES, seed or 0, dict(inputs or {}))
        verdict = bounded(compare(original, lowered, plan, bind or {}, say), seed or 0)
        if not verdict.equivalent:
            return verdict
        regions = proof.verdict(original, lowered, alone=True).regions
        wrong = tuple(region for region in regions if not region.equivalent)
        words = wrong[0].words if wrong else None
        return replace(verdict, equivalent=not wrong, regions=wrong, reason=words)


class _Proof:
    """The models side by side, and what is known of them."""

    def __init__(self, judge: Judge, bind: Mapping[str, int], say: Progress, ahead: SideBySide | None = None) -> None:
        self._judge, self._bind, self._say, self._ahead = judge, bind, say, ahead
        self._first, self._second = judge.original, judge.lowered
        self._warnings: dict[str, None] = {}
        self._proven: dict[str | None, tuple[str, Finding]] = {}
        self._same_as: dict[tuple[str, str], str] = {}
        self._unsettled: dict[tuple[str, str], str] = {}
        self._opaque: dict[tuple[str, str], str] = {}
        """Operators of regions whose sides differ that the proof doesn't look into."""
        self._apart = frozenset[str]()
        """Values inside the models that came out different."""
        self._ready: dict[int, Finding] = {}
        """What came of regions at the first sizes, where several were evaluated at once."""

    def verdict(self, original: AnyModel, lowered: AnyModel, alone: bool = False) -> Verdict:
        """Return what is proven, tested and different. `alone`: nothing is tested by engines.

        A name that is used for something else in the lowered model makes a region different: it's tried without.
        """
        with collector_paused():
            first = verdict = self._verdict(original, lowered, alone)
            apart = frozenset[str]()
            while (more := self._apart - apart) and len(apart) < MOST_APART:
                apart |= more
                verdict = self._verdict(original, lowered, alone, apart)
            one, other = ({(r.scope, r.name) for r in v.regions if r.status == "tested"} for v in (first, verdict))
            return verdict if verdict.equivalent and other <= one else first

    def _verdict(
        self, original: AnyModel, lowered: AnyModel, alone: bool, apart: frozenset[str] = frozenset()
    ) -> Verdict:
        self._say("lay the models side by side")
        pairing = pair(self._first, self._second, apart)
        model = bare(self._first.proto)
        shapes = Shapes(model, self._bind)
        sizes = {**shapes.forced, **self._bind}
        trials: list[Trial] = []
        first = first_choice(shapes.free)
        facts = shapes.first(first)
        findings: list[list[tuple[Choice, Finding]]] = [[] for _ in pairing.regions]
        seen: list[set[object]] = [set() for _ in pairing.regions]
        if facts is not None:
            trials.append((first, facts))
            if self._ahead is not None:
                self._ready = self._ahead(self._judge, pairing.regions, facts, apart)
            self._try(pairing, [trials] * len(findings), findings, seen)
            self._ready.clear()
        if shapes.free and pairing.regions:
            everywhere = {USUAL, *(number for tried in findings for _, finding in tried for number in finding.met)}
            met = [_met(tried, everywhere) for tried in findings]
            self._try(pairing, [shapes.tried(choices(shapes.free, own)) for own in met], findings, seen)
            trials += shapes.tried(choices(shapes.free, everywhere if pairing.idle else ()))
            self._try_further(pairing, shapes, findings, seen)
            drawn = [shapes.tried(drawn_choices(shapes.free, own, self._judge.seed)) for own in met]
            self._try(pairing, drawn, findings, seen)
        known = trials[0][1] if trials else Facts({})
        verdicts = [self._concluded(*pair) for pair in zip(pairing.regions, findings, strict=True)]
        if not alone:
            runs = RegionRuns(self._judge, known, self._say)
            verdicts = [runs.judged(*pair, self._opaque) for pair in zip(pairing.regions, verdicts, strict=True)]
            verdicts = runs.whole(verdicts, original, lowered, sizes | first)
            self._warnings |= runs.warnings
        inside = zip(pairing.regions, verdicts, strict=True)
        self._apart = frozenset(name for region, verdict in inside if not verdict.equivalent for name in region.inner)
        differences = [*pairing.differences, *mistyped(pairing, known)]
        verdicts += [as_verdict(difference) for difference in differences]
        for scope, cone in pairing.idle:
            tried = (self._judge.idle(scope, cone, facts) for _, facts in trials or [({}, known)])
            idle = next((finding for finding in tried if finding.different), None)
            if idle is not None and idle.different:
                name = idle.where[0] if idle.where else name_of(cone.nodes[-1])
                op_type = next((node.op_type for node in cone.nodes if name_of(node) == name), "node")
                verdicts.append(as_verdict(Difference(name, op_type, scope, idle.different, idle.where)))
        return self._conclude(pairing, verdicts)

    def _try(
        self,
        pairing: Pairing,
        trials: Sequence[Iterable[Trial]],
        findings: list[list[tuple[Choice, Finding]]],
        seen: list[set[object]],
    ) -> None:
        """Evaluate each region at each of its choices of sizes that makes its inputs other ones, until it differs."""
        for number, region in enumerate(pairing.regions):
            self._say(f"prove {region.name}", number, len(pairing.regions))
            self._try_one(region, trials[number], findings[number], seen[number])

    def _try_one(
        self, region: Region, trials: Iterable[Trial], found: list[tuple[Choice, Finding]], seen: set[object]
    ) -> None:
        for choice, facts in trials:
            if any(finding.different for _, finding in found):
                break
            shapes = tuple(facts.find(region.scope, name) for name in (*region.inputs, *region.outputs))
            if shapes not in seen:
                seen.add(shapes)
                found.append((choice, self._found(region, facts)))

    def _try_further(
        self, pairing: Pairing, shapes: Shapes, findings: list[list[tuple[Choice, Finding]]], seen: list[set[object]]
    ) -> None:
        """Evaluate regions at the sizes at which they decide something by a size."""
        for region, found, shapes_seen in zip(pairing.regions, findings, seen, strict=True):
            asked: list[tuple[Choice, Mapping[object, int] | None]] = []
            for _ in range(ROUNDS):
                decided = ((choice, None if at.unproven else at.decisions) for choice, at in found)
                divisors = {number for _, finding in found for number in finding.divisors}
                wanted, words = further([*asked, *decided], first_choice(shapes.free), divisors)
                if words is not None:
                    self._unsettled[region.scope, region.name] = words
                if not wanted or any(finding.different for _, finding in found):
                    break
                asked += [(choice, None) for choice in wanted]
                before = len(found)
                self._try_one(region, shapes.tried(wanted), found, shapes_seen)
                if any(finding.too_large for _, finding in found[before:]):
                    words = "it decides something by a size at which it's too large to be tried"
                    self._unsettled[region.scope, region.name] = words
            else:
                self._unsettled[region.scope, region.name] = "the sizes at which it decides something are too many"

    def _found(self, region: Region, facts: Facts) -> Finding:
        """Return what evaluating a region comes to, or an equal one before it that was alike."""
        key = key_of(region, self._first, self._second, facts, self._judge.weights(region))
        if key in self._proven:
            name, found = self._proven[key]
            self._same_as[region.scope, region.name] = name
            return found
        found = self._ready.get(id(region)) or self._judge.at(region, facts)
        if key is not None and found.drawn and not found.different and not found.unproven:
            self._proven[key] = region.name, found
        return found

    def _concluded(self, region: Region, found: list[tuple[Choice, Finding]]) -> RegionVerdict:
        verdict = RegionVerdict(region.name, region.node.op_type, region.scope, "exact", "none", 0, 0.0, 0.0, True)
        ran = [(choice, finding) for choice, finding in found if not finding.unproven]
        done, all_found = ([finding for _, finding in pairs] for pairs in (ran, found))
        wrong = next(((choice, finding) for choice, finding in ran if finding.different), None)
        verdict = replace(
            verdict,
            cases=len(ran),
            sizes=tuple(
                choice | more for choice, finding in ran for more in finding.lengths or ({},) if choice or more
            ),
            tiles=max((finding.products for finding in done), default=0),
            limits=tuple(_limit([finding.limits[axis] for finding in done if finding.elements]) for axis in range(3)),  # type: ignore[arg-type]
            safe_majorant=next((finding.safe_majorant for finding in done if finding.safe_majorant), None),
        )
        if wrong is not None:
            choice, finding = wrong
            if finding.functions:
                self._opaque[region.scope, region.name] = " and ".join(finding.functions)
            at = f" (at {', '.join(f'{name}={size}' for name, size in choice.items())})" if choice else ""
            return replace(verdict, equivalent=False, reason=f"{finding.different}{at}", where=finding.where)
        too_large = (finding.lowered_too_large for finding in all_found)
        unsettled = self._unsettled.get((region.scope, region.name)) or next(filter(None, too_large), None)
        if unsettled is not None:
            return replace(verdict, method="unknown", note=unsettled)
        if any(finding.elements for finding in done):
            skipped = next((finding.unproven for finding in all_found if finding.unproven), None)
            verdict = replace(verdict, same_as=self._same_as.get((region.scope, region.name)))
            return replace(verdict, note=None if skipped is None else f"not at other sizes: {skipped}")
        if ran:
            return replace(verdict, method="empty", note="it has no elements, so that nothing is proven")
        why = next((finding.unproven for finding in all_found), "its shapes aren't known")
        return replace(verdict, method="unknown", note=str(why))

    def _conclude(self, pairing: Pairing, verdicts: list[RegionVerdict]) -> Verdict:
        engines = dict.fromkeys(name for region in verdicts for name in region.engine.split(" and ") if name != "none")
        return Verdict(
            all(verdict.equivalent for verdict in verdicts),
            "exact",
            " and ".join(engines) or "none",
            max((verdict.cases for verdict in verdicts), default=0),
            self._judge.seed,
            tuple(by_output(self._first.proto.graph, pairing.regions, verdicts)),
            regions=tuple(verdicts),
            kept=pairing.kept,
            warnings=tuple(self._warnings),
            primes=tuple(Field(self._judge.seed).primes),
        )


def _met(found: Sequence[tuple[Choice, Finding]], otherwise: set[int]) -> set[int]:
    """Return whole numbers that sizes met in a region; where it couldn't be evaluated, `otherwise`."""
    ran = [finding for _, finding in found if not finding.unproven]
    return {number for finding in ran for number in finding.met} if ran else otherwise


def _limit(sizes: Sequence[int]) -> int:
    """Return the longest side of products, 0 where it follows from the size of a free dimension."""
    return max(sizes, default=0) if len(set(sizes)) == 1 else 0
