"""One sweep: models and engines, what is known of them from a run before, and the rows that the rest gives."""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from onnxtile import __version__
from onnxtile.engine.choice import Minimize
from onnxtile.engine.description import Engine
from onnxtile.engine.product import Product
from onnxtile.exploration.evaluation import Counted, Job, evaluate
from onnxtile.exploration.products import ModelProducts
from onnxtile.exploration.rows import Figures, Row, local_size, macs_a_cycle
from onnxtile.exploration.store import Store
from onnxtile.exploration.variation import Variant
from onnxtile.exploration.workers import AHEAD, workers
from onnxtile.ir.io.progress import Progress

MOST_IN_A_JOB = 16
"""Engines of one job: it takes long enough to be worth sending, and rows come often enough to be watched."""


@dataclass(frozen=True)
class Study:
    """Models, engines, and what is asked of them: everything that rows depend on."""

    models: tuple[ModelProducts, ...]
    engines: tuple[Variant, ...]
    fields: tuple[str, ...]
    minimize: Minimize
    products: tuple[Product, ...]
    """All distinct ones."""
    counted: tuple[Counted, ...]
    """For each model."""

    @classmethod
    def of(
        cls, models: Sequence[ModelProducts], engines: Sequence[Variant], fields: Sequence[str], minimize: Minimize
    ) -> Study:
        products = tuple(dict.fromkeys(product for model in models for product, _ in model.counts))
        places = {product: place for place, product in enumerate(products)}
        counted = tuple(tuple((places[product], count) for product, count in model.counts) for model in models)
        return cls(tuple(models), tuple(engines), tuple(fields), minimize, products, counted)

    def run(self, path: Path | None, count: int | None, on: str | None, say: Progress) -> tuple[Row, ...]:
        """Return the rows, in order; with `path` they are written there as they come, and those there count."""
        keys = [self._keys(variant) for variant in self.engines]
        every = frozenset(itertools.chain.from_iterable(keys))
        with nullcontext() if path is None else Store.open(path, self.fields, every) as store:
            found: dict[int, list[Row]] = {}
            done = {} if store is None else store.done
            for number, variant in enumerate(self.engines):
                if variant.engine is None:
                    found[number] = self._rows(variant, keys[number], [variant.reason] * len(self.models))
                elif all(key in done for key in keys[number]):
                    found[number] = self._rows(variant, keys[number], [done[key] for key in keys[number]])
            wanted = [number for number in range(len(self.engines)) if number not in found]
            left = _TimeLeft(say, len(found), len(self.engines))
            for number, outcomes in self._costs(wanted, count, on):
                found[number] = self._rows(self.engines[number], keys[number], outcomes)
                if store is not None:
                    store.append(found[number])
                left.tell(len(found))
            rows = tuple(row for number in range(len(self.engines)) for row in found[number])
            if store is not None:
                store.finish(rows)
        return rows

    def _costs(
        self, wanted: Sequence[int], count: int | None, on: str | None
    ) -> Iterator[tuple[int, list[Figures | str]]]:
        """Yield what the models cost on these engines, as it comes."""
        if not wanted:
            return
        size = 1
        if count is not None or on is not None:
            size = max(min(len(wanted) // ((count or 1) * AHEAD), MOST_IN_A_JOB), 1)
        chunks = [wanted[start : start + size] for start in range(0, len(wanted), size)]
        jobs = (
            Job(tuple(engine for at in chunk if (engine := self.engines[at].engine)), *self._asked) for chunk in chunks
        )
        with workers(count, on) as run:
            for number, outcomes in run(evaluate, jobs):
                yield from zip(chunks[number], outcomes, strict=True)

    @property
    def _asked(self) -> tuple[tuple[Product, ...], tuple[Counted, ...], Minimize]:
        return self.products, self.counted, self.minimize

    def _rows(self, variant: Variant, keys: Sequence[str], outcomes: Sequence[Figures | str]) -> list[Row]:
        values = dict(zip(self.fields, variant.values, strict=True))
        return [
            row_of(model, values, variant.engine, outcome, key)
            for model, outcome, key in zip(self.models, outcomes, keys, strict=True)
        ]

    def _keys(self, variant: Variant) -> list[str]:
        """Return what the rows of an engine depend on, hashed: one for each model."""
        if variant.engine is None:
            content = json.dumps([variant.values, variant.reason])
        else:
            content = json.dumps(variant.engine.model_dump(exclude={"name"}), default=str)  # rates are fractions
        asked = [__version__, self.minimize, content]
        return [hashlib.sha256(json.dumps([*asked, model.digest]).encode()).hexdigest()[:32] for model in self.models]


def row_of(
    model: ModelProducts, values: Mapping[str, str], engine: Engine | None, outcome: Figures | str, key: str
) -> Row:
    """Return the row of a model on an engine (None: the values are none) from its figures, or why there are none."""
    figures, reason = (None, outcome) if isinstance(outcome, str) else (outcome, "")
    macs = None if engine is None else macs_a_cycle(engine)
    local = None if engine is None else local_size(engine)
    utilization = seconds = None
    if engine is not None and figures is not None and figures.cycles is not None:
        utilization = figures.macs / (figures.cycles * macs_a_cycle(engine)) if figures.cycles else None
        seconds = float(figures.cycles / engine.clock) if engine.clock is not None else None
    return Row(
        model.name, values, figures, reason, macs, local, utilization, seconds, sum(c for _, c in model.counts),
        sum(model.left_out.values()), key,
    )  # fmt: skip


class _TimeLeft:
    """Tells how many engines are done, and about how long the rest takes at the rate so far."""

    def __init__(self, say: Progress, before: int, total: int) -> None:
        self._say, self._before, self._total = say, before, total
        self._started = time.monotonic()

    def tell(self, done: int) -> None:
        taken = time.monotonic() - self._started
        left = taken / max(done - self._before, 1) * (self._total - done)
        self._say(f"engines {done:,} of {self._total:,}, about {duration(left)} left", done, self._total)


def duration(seconds: float) -> str:
    """Return a time in the unit that people would say.

    >>> duration(7.2), duration(600), duration(9000)
    ('7 s', '10 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
