"""Regions that are evaluated side by side: in threads, since numpy works on large arrays without Python's lock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from onnxtile.verification.canonical import key_of
from onnxtile.verification.facts import Facts
from onnxtile.verification.pairing import Region
from onnxtile.verification.regions import Finding, Judge

SideBySide = Callable[[Judge, Sequence[Region], Facts, frozenset[str]], dict[int, Finding]]
"""Evaluates regions, which are those that are found when some names are taken `apart`."""


def in_threads(count: int) -> SideBySide:
    """Return what evaluates regions in so many threads, of alike ones the first; findings are by regions' ids."""

    def evaluate(
        judge: Judge, regions: Sequence[Region], facts: Facts, apart: frozenset[str] = frozenset()
    ) -> dict[int, Finding]:
        first = first_of_alike(judge, regions, facts)
        with ThreadPoolExecutor(count) as pool:
            found = list(pool.map(lambda region: judge.at(region, facts), first))
        return {id(region): result for region, result in zip(first, found, strict=True)}

    return evaluate


def first_of_alike(judge: Judge, regions: Sequence[Region], facts: Facts) -> list[Region]:
    """Return the regions without those that are alike to one before them."""
    first: dict[object, Region] = {}
    for number, region in enumerate(regions):
        key = key_of(region, judge.original, judge.lowered, facts, judge.weights(region))
        first.setdefault(number if key is None else key, region)
    return list(first.values())
