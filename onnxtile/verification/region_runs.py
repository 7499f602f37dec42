"""Run regions that the proof can't settle in engines, on random inputs: alone, or with the whole models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from onnxtile.errors import OnnxtileError, UnsupportedError
from onnxtile.ir.io.interop import AnyModel
from onnxtile.ir.io.progress import Progress
from onnxtile.verification.bound import Comparison, Plan, compare
from onnxtile.verification.facts import Facts
from onnxtile.verification.graphs import names_inside
from onnxtile.verification.pairing import Region
from onnxtile.verification.regions import MOST_NAMED, Judge
from onnxtile.verification.standalone import alone
from onnxtile.verification.value import UnprovenError
from onnxtile.verification.verdict import RegionVerdict

CASES = 4
"""Sets of inputs that whole models are run on where nobody says how many."""
SEEDS = 1 << 32
"""Seeds that engines' inputs are made from."""


class RegionRuns:
    """Run regions of two models at the sizes of `facts`. `warnings`: what to know of the engines that ran."""

    def __init__(self, judge: Judge, facts: Facts, say: Progress) -> None:
        self._judge, self._facts, self._say = judge, facts, say
        self._plan = Plan(CASES, judge.seed % SEEDS)
        self.warnings: dict[str, None] = {}

    def judged(self, region: Region, verdict: RegionVerdict, opaque: Mapping[tuple[str, str], str]) -> RegionVerdict:
        """Return the verdict with what engines find, where the proof leaves something open.

        `opaque`: by regions, functions that the proof doesn't look into, and in which the sides may differ.
        """
        if verdict.method == "unknown":
            return self._tested(region, verdict)
        functions = opaque.get((region.scope, region.name))
        return verdict if functions is None or verdict.equivalent else self._beside(region, verdict, functions)

    def whole(
        self, verdicts: list[RegionVerdict], original: AnyModel, lowered: AnyModel, bind: Mapping[str, int]
    ) -> list[RegionVerdict]:
        """Judge regions that can't be run alone by running the models whole, unless one is wrong already."""
        unknown = [verdict.method == "unknown" for verdict in verdicts]
        if not any(unknown) or not all(verdict.equivalent for verdict in verdicts):
            return verdicts
        try:
            found = compare(original, lowered, self._plan, bind, self._say)
        except UnsupportedError as problem:
            words = f"not tested: {problem}"
            return [replace(verdict, equivalent=False, reason=f"{verdict.note}; {words}") if untested else verdict
                    for untested, verdict in zip(unknown, verdicts, strict=True)]  # fmt: skip
        self._warn(found)
        values = (*found.outputs, *found.layers)
        error = max((value.max_abs_error for value in values), default=0.0)
        allowed = max((value.allowed for value in values), default=0.0)
        wrong = next((value.words for value in values if not value.equivalent), found.reason)
        return [
            replace(
                verdict, method="whole", engine=found.engine, cases=found.cases, max_abs_error=error, allowed=allowed,
                equivalent=found.equivalent, reason=wrong,
            )
            if untested else verdict
            for untested, verdict in zip(unknown, verdicts, strict=True)
        ]  # fmt: skip

    def _tested(self, region: Region, verdict: RegionVerdict) -> RegionVerdict:
        """Judge a region that can't be evaluated by what engines give."""
        try:
            found = self._run(region)
        except (UnprovenError, OnnxtileError) as error:
            return replace(verdict, note=f"{verdict.note}; {error}")
        self._warn(found)
        worst = max(found.outputs, key=lambda value: (not value.equivalent, value.max_abs_error), default=None)
        reason = found.reason
        if reason is None and worst is not None and not worst.equivalent:
            reason = worst.words
        apart, allowed = (0.0, 0.0) if worst is None else (worst.max_abs_error, worst.allowed)
        where = tuple(name for node in region.lowered.nodes for name in names_inside(node)) if reason else ()
        return replace(
            verdict, method="bound", engine=found.engine, cases=found.cases, max_abs_error=apart, allowed=allowed,
            equivalent=reason is None, reason=reason, where=where[:MOST_NAMED],
        )  # fmt: skip

    def _beside(self, region: Region, verdict: RegionVerdict, functions: str) -> RegionVerdict:
        """Say what engines find where two sides aren't the same by functions that the proof doesn't look into.

        The region isn't equivalent either way: `unknown` where no input shows a difference.
        """
        words = f"the sides may differ in {functions} alone, which the proof doesn't look into"
        try:
            found = self._run(region)
        except (UnprovenError, OnnxtileError) as error:
            return replace(verdict, reason=f"{verdict.reason}; {words}; it wasn't run: {error}")
        inputs = f"{found.cases} random inputs"
        if found.equivalent:
            return replace(verdict, method="unknown", reason=f"{words}; {inputs} show no difference")
        apart = max((value.max_abs_error for value in found.outputs), default=0.0)
        shown = found.reason or f"{inputs} differ by {apart:.3g} at most"
        return replace(verdict, reason=f"{verdict.reason}; {words}; {shown}")

    def _run(self, region: Region) -> Comparison:
        """Run both sides of a region by themselves. Raises UnprovenError, OnnxtileError."""
        original = alone(region, region.original, self._judge.original, self._facts)
        lowered = alone(region, region.lowered, self._judge.lowered, self._facts)
        return compare(original, lowered, self._plan, {})

    def _warn(self, found: Comparison) -> None:
        if found.warning:
            self.warnings[found.warning] = None
