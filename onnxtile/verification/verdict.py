"""What verify says: of each rewritten region, of each output, of the whole."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from onnxtile.ir.json_encoding import JsonRecord
from onnxtile.ir.printable import several

_WORDS = {
    "exact": "proven exactly", "bound": "within their bounds", "whole": "judged by the whole models' bounds",
    "structure": "right by their structure",
}  # fmt: skip
"""How a region was judged, for people."""


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


@dataclass(frozen=True)
class RegionVerdict:
    """A node of the original, `name`, and what takes its place: are they alike?

    `method`: `exact` (the same bits on whole numbers that no order of summation rounds), `bound` (within what rounding
    explains), or `structure` (told from the graphs and the constants' bytes alone, without running them). `note` says
    why it wasn't `exact`. `where` names nodes of the lowered model that are to blame. `tiles`: products of tiles that
    are shown to cover the whole product once. `same_as`: the equal region whose proof this is.
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


@dataclass(frozen=True)
class Verdict(JsonRecord, members="schema * first_outside"):
    """Whether the models are equivalent; `reason` where they can't be compared at all.

    `kept`: nodes that are as they were. `layers`: with method `bound`, values inside the models, in order. `warnings`:
    what to know of the engines that judged.
    """

    schema: ClassVar[str] = "onnxtile.verify/1"
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

    def __str__(self) -> str:
        return self.summary if self.equivalent or self.reason else f"{self.why}\n{self.summary}"

    @property
    def summary(self) -> str:
        """Return a line that says whether the models are equivalent, and how that was shown."""
        counts = Counter(region.method if region.equivalent else "wrong" for region in self.regions)
        said = [f"{several(count, 'region')} {_WORDS.get(name, name)}" for name, count in counts.items()]
        words = ", ".join([f"{several(self.kept, 'node')} kept", *said])
        if self.method == "bound":
            first = "" if self.first_outside is None else f"; {self.first_outside!r} is the first outside"
            words = f"{several(self.cases, 'case')} from seed {self.seed} in {self.engine}{first}"
        return f"{'equivalent' if self.equivalent else 'NOT equivalent'}: {self.reason or words}"

    @property
    def first_outside(self) -> str | None:
        """The first value inside the models that is outside its bound."""
        return next((layer.name for layer in self.layers if not layer.equivalent), None)

    @property
    def why(self) -> str:
        """The reason, or the first region or output that is different."""
        judged: tuple[RegionVerdict | ValueVerdict, ...] = (*self.regions, *self.outputs)
        wrong = [f"{each.name!r} is {each.reason}" for each in judged if not each.equivalent]
        return self.reason or next(iter(wrong), "equivalent")
