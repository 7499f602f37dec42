"""Hold what verify says: of each rewritten region, of each output, of the whole."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, ClassVar

from onnxtile.ir.json_encoding import JsonRecord, encode
from onnxtile.ir.notebook import Sheet, Tabular
from onnxtile.ir.printable import in_scope, several

STATUSES = ("proven", "tested", "unknown", "different")


@dataclass(frozen=True)
class ValueVerdict:
    """One value over all cases: the largest difference found, and the largest that rounding explains.

    `exact`: no bit differed. `reason` says what is wrong where `equivalent` is false. `method`: how it was judged.
    """

    name: str
    max_abs_error: float
    allowed: float
    exact: bool
    equivalent: bool
    reason: str | None = None
    method: str = "bound"

    @property
    def words(self) -> str:
        """Return what is wrong with it, in a sentence that names it."""
        return f"{self.name!r} is {self.reason}"


@dataclass(frozen=True)
class RegionVerdict(JsonRecord, members="* status"):
    """A node of the original, `name`, and what takes its place: are they alike?

    `method`: `exact` (the same function of the operands, by numbers of a finite field), `bound` or `whole` (run by
    engines, alone or with the whole models, within what rounding explains), or `structure` (told without numbers).
    `note` says why it isn't proven. `where` names nodes of the lowered model that are to blame. `tiles`: products that
    take its place. `cases`: sizes of free dimensions, or inputs, that were tried; `sizes` lists the former. `limits`:
    the largest M, K, N of its products, 0 where that follows from the size of a free dimension. `same_as`: the equal
    region whose proof this is. `safe_majorant`: K is cut, and no partial sum overflows where |A||B|, the sum of the
    terms' magnitudes, is at most this; None: K isn't cut.
    """

    name: str
    op: str
    scope: str
    method: str
    engine: str
    cases: int
    max_abs_error: float
    allowed: float
    equivalent: bool
    reason: str | None = None
    note: str | None = None
    where: tuple[str, ...] = ()
    tiles: int = 0
    same_as: str | None = None
    sizes: tuple[dict[str, int], ...] = ()
    limits: tuple[int, int, int] = (0, 0, 0)
    safe_majorant: float | None = None

    @property
    def words(self) -> str:
        """Return what is wrong with it, in a sentence that names it."""
        return f"{self.op} {self.name!r}: {self.reason}"

    @property
    def status(self) -> str:
        """`proven`, `tested`, `different`, or `unknown`, where no engine runs the original."""
        return (
            "unknown"
            if self.method == "unknown"
            else "different"
            if not self.equivalent
            else "proven"
            if self.method == "exact"
            else "tested"
        )


@dataclass(frozen=True)
class Verdict(Tabular, JsonRecord, members="schema * first_outside proven limits"):
    """Hold whether the models are equivalent; `reason` where they can't be compared at all.

    `kept`: nodes that are as they were. `layers`: with method `bound`, values inside the models, in order. `warnings`:
    what to know of the engines that judged. `primes`: of the field that regions were proven in.
    """

    schema: ClassVar[str] = "onnxtile.verify/2"
    equivalent: bool
    method: str
    engine: str
    cases: int
    seed: int
    outputs: tuple[ValueVerdict, ...]
    reason: str | None = None
    regions: tuple[RegionVerdict, ...] = ()
    layers: tuple[ValueVerdict, ...] = ()
    kept: int = 0
    warnings: tuple[str, ...] = ()
    primes: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.summary if self.equivalent or self.reason else f"{self.why}\n{self.summary}"

    def sheet(self) -> Sheet:
        """Return the regions, the wrong ones first; or values with what they differ by, where there are none."""
        lines = [self.summary, *self.warnings]
        if not self.regions:
            headings = ("value", "max error", "allowed", "equivalent", "why")
            values = [
                (one.name, f"{one.max_abs_error:.3g}", f"{one.allowed:.3g}", str(one.equivalent), one.reason or "")
                for one in (*self.layers, *self.outputs)
            ]
            return Sheet(lines, headings, values, (1, 2))
        rows = [
            (in_scope(region.scope, region.name), region.op, f"{region.tiles:,}", region.status, _why(region))
            for region in sorted(self.regions, key=lambda region: -STATUSES.index(region.status))
        ]
        return Sheet(lines, ("region", "operator", "products", "status", "why"), rows, (2,))

    def records(self) -> list[dict[str, Any]]:
        judged: tuple[RegionVerdict | ValueVerdict, ...] = self.regions or self.layers + self.outputs
        return [encode(one) for one in judged]

    @property
    def summary(self) -> str:
        """Return a line that says whether the models are equivalent, and how many regions are proven and tested."""
        counted = [f"{self.counts[status]:,} {status}" for status in STATUSES if status in self.counts]
        regions = (
            f"{several(len(self.regions), 'region')}: {', '.join(counted)}" if counted else "nothing was rewritten"
        )
        words = f"{several(self.kept, 'node')} kept, {regions}"
        if self.method == "bound":
            first = "" if self.first_outside is None else f"; {self.first_outside!r} is the first outside"
            words = f"{several(self.cases, 'case')} from seed {self.seed} in {self.engine}{first}"
        unknown = "unknown" in self.counts and "different" not in self.counts
        answer = "equivalent" if self.equivalent else "not shown to be equivalent" if unknown else "NOT equivalent"
        return f"{answer}: {self.reason or words}"

    @property
    def first_outside(self) -> str | None:
        """The first value inside the models that is outside its bound."""
        return next((layer.name for layer in self.layers if not layer.equivalent), None)

    @property
    def proven(self) -> bool:
        """Every region is proven, and nothing else differs."""
        return self.equivalent and self.method == "exact" and all(region.status == "proven" for region in self.regions)

    @property
    def counts(self) -> dict[str, int]:
        """Count regions that are proven, tested, different."""
        return dict(Counter(region.status for region in self.regions))

    @property
    def limits(self) -> dict[str, int]:
        """The longest sides of the products that take rewritten ones' places, where no free dimension decides them."""
        if not any(any(region.limits) for region in self.regions):
            return {}
        return {letter: max(region.limits[axis] for region in self.regions) for axis, letter in enumerate("mkn")}

    @property
    def why(self) -> str:
        """The reason, or the first region or output that is different."""
        judged: tuple[RegionVerdict | ValueVerdict, ...] = (*self.regions, *self.outputs)
        wrong = [verdict.words for verdict in judged if not verdict.equivalent]
        return self.reason or next(iter(wrong), "equivalent")


def _why(region: RegionVerdict) -> str:
    """Return what is wrong with a region, why it isn't proven, or whose proof it shares."""
    return region.reason or region.note or (f"as {region.same_as}" if region.same_as else "")
