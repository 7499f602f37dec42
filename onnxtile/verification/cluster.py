"""Regions that are evaluated on a cluster: its workers open the same files, and find the same regions in them."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from pathlib import Path

from onnxtile.errors import ModelError, UsageError
from onnxtile.exploration.workers import Run
from onnxtile.exploration.workers import workers as cluster_workers
from onnxtile.ir.bounds import BOUNDS, allowing, most
from onnxtile.ir.io.interop import AnyModel
from onnxtile.ir.io.links import following_links, links_are_followed
from onnxtile.verification.facts import Facts
from onnxtile.verification.opened import Opened, open_model
from onnxtile.verification.pairing import Pairing, Region, pair
from onnxtile.verification.regions import Finding, Judge
from onnxtile.verification.workers import SideBySide, first_of_alike, in_threads


@contextmanager
def side_by_side(
    workers: int | None, on: str | None, original: AnyModel, lowered: AnyModel
) -> Iterator[SideBySide | None]:
    """Give what evaluates regions of two models at once: so many threads, or a cluster; None: one after the other."""
    if on is None:
        yield in_threads(workers) if workers and workers > 1 else None
        return
    with cluster_workers(workers, on) as run:
        yield Cluster.of(run, original, lowered).judged


@dataclass(frozen=True)
class Part:
    """One region of two files, by its place among those that are found there, and what it takes to judge it."""

    original: str
    lowered: str
    digests: tuple[str, str]
    apart: frozenset[str]
    place: int
    facts: Facts
    seed: int
    seconds: float
    bounds: Mapping[str, int]
    follow_links: bool


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs jobs elsewhere, and the two files, by paths that are the same there."""

    run: Run
    original: Path
    lowered: Path

    @classmethod
    def of(cls, run: Run, original: AnyModel, lowered: AnyModel) -> Cluster:
        """Return the cluster for two models; UsageError where they aren't files."""
        paths = [
            Path(os.path.realpath(model)) for model in (original, lowered) if isinstance(model, (str, os.PathLike))
        ]
        if len(paths) != 2:
            raise UsageError("on a cluster models are files that all workers see; give paths")
        return cls(run, *paths)

    def judged(
        self, judge: Judge, regions: Sequence[Region], facts: Facts, apart: frozenset[str]
    ) -> dict[int, Finding]:
        """Return what comes of regions at the sizes of `facts`, by their ids; of alike ones, of the first."""
        first = {id(region) for region in first_of_alike(judge, regions, facts)}
        places = [place for place, region in enumerate(regions) if id(region) in first]
        digests = (digest_of(judge.original), digest_of(judge.lowered))
        seconds = inf if judge.deadline == inf else judge.deadline - time.monotonic()
        bounds = {name: most(name) for name in BOUNDS}
        parts = [
            Part(
                str(self.original), str(self.lowered), digests, apart, place, facts, judge.seed, seconds, bounds,
                links_are_followed(),
            )
            for place in places
        ]  # fmt: skip
        return {id(regions[places[number]]): finding for number, finding in self.run(judge_part, parts)}


def judge_part(part: Part) -> Finding:
    """Judge a region of two files. Raises ModelError where they aren't those that were asked about."""
    with allowing(part.bounds), following_links(part.follow_links):
        first, second, pairing = _paired(part.original, part.lowered, part.digests, part.apart)
        deadline = inf if part.seconds == inf else time.monotonic() + part.seconds
        return Judge(first, second, part.seed, deadline).at(pairing.regions[part.place], part.facts)


@lru_cache(maxsize=4)
def _paired(
    original: str, lowered: str, digests: tuple[str, str], apart: frozenset[str]
) -> tuple[Opened, Opened, Pairing]:
    """Return the models of two files, and how they lie side by side: once a process, as all their regions need it."""
    models = [open_model(path) for path in (original, lowered)]
    for path, model, digest in zip((original, lowered), models, digests, strict=True):
        if digest_of(model) != digest:
            raise ModelError(f"{path} isn't the same file for all workers; put the models where all of them see them")
    return models[0], models[1], pair(models[0], models[1], apart)


def digest_of(model: Opened) -> str:
    """Return a hash of a model: its bytes, and the sizes of its data files."""
    digest = hashlib.sha256(model.proto.SerializeToString(deterministic=True))
    for tensor in model.proto.graph.initializer:
        if tensor.data_location == tensor.EXTERNAL:
            path, offset, length = model.place(tensor)
            digest.update(f"{path.name} {path.stat().st_size} {offset} {length}".encode())
    return digest.hexdigest()
