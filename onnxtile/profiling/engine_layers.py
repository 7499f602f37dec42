"""Tell what products and other operators take on an engine, whichever front end they come from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

from onnxtile.engine.choice import choose
from onnxtile.engine.cost import Cost, unit_of
from onnxtile.engine.description import Engine, SplitSize
from onnxtile.engine.limits import EngineLimits
from onnxtile.engine.product import Product
from onnxtile.engine.schedule import Schedule
from onnxtile.engine.walk import walk
from onnxtile.errors import UnsupportedError
from onnxtile.ir.symbolic.amounts import Amount, Unknown, product, total
from onnxtile.profiling.engine_costs import SUMMED, EngineProfile, EngineTotals, Layer, Unit, sums_of
from onnxtile.profiling.results import NodeProfile

MOST_WALKED = 50_000
"""Calls of a product that are gone through for its peak bandwidth, where no file has them."""
NO_BANDWIDTH = Unknown("no memory bandwidth given: bytes only")


def profile_of_layers(limits: EngineLimits, layers: Iterable[Layer], activations: Mapping[str, Any]) -> EngineProfile:
    """Return the layers of a model, in order, and all of them together."""
    shown = tuple(layers)
    totals = EngineTotals(products=sum(layer.on == "engine" for layer in shown), **activations, **sums_of(shown))
    lacking = limits.engine.memory.bandwidth is None and totals.products > 0
    return EngineProfile(limits.name, limits.minimize, shown, totals, (NO_BANDWIDTH.reason,) if lacking else ())


def activation_bytes(values: Iterable[tuple[Amount, Amount]], engine: Engine) -> dict[str, Amount]:
    """Return the bytes of values that operators give to others, and of those that fit local memory, each by itself.

    `values`: how often each is given, and its bytes.
    """
    size = engine.local.size
    room = min(size.A, size.C) if isinstance(size, SplitSize) else size
    given = [(product([times, taken]), isinstance(taken, int) and taken <= room) for times, taken in values]
    return {
        "activation_bytes": total(amount for amount, _ in given),
        "local_activation_bytes": total(amount for amount, fits in given if fits),
    }


class OnEngine:
    """An engine, and what its products are chosen to cost least of."""

    def __init__(self, limits: EngineLimits) -> None:
        self._limits, self._engine = limits, limits.engine

    def best(self, layer: Layer, of_engine: Product, times: Amount) -> Layer:
        """Return the layer of a product that runs as is best; where none of its calls fits, the reason."""
        try:
            choice = choose(of_engine, self._engine, self._limits.minimize)
        except UnsupportedError as error:
            return replace(layer, reason=str(error), cycles=Unknown(str(error)))
        peak = peak_of(of_engine, choice.schedule, self._engine)
        return self.costs(layer, of_engine, choice.schedule, choice.cost, times, peak)

    def unmultiplied(self, layer: Layer, row: NodeProfile, words: str) -> Layer:
        """Return the layer of a product that the engine doesn't multiply, for this reason: the host does."""
        return replace(layer, on="host", other_bytes=row.bandwidth, other_cycles=Unknown(words), reason=words)

    def unsized(self, layer: Layer, row: NodeProfile, words: str) -> Layer:
        """Return the layer of a product whose costs aren't known, for this reason."""
        unknown: dict[str, Any] = dict.fromkeys(SUMMED[:-2], Unknown(words)) | {"macs": row.macs}
        return replace(layer, reason=words, **unknown)

    def costs(
        self, layer: Layer, of_engine: Product, schedule: Schedule, found: Cost, times: Amount, peak: Fraction | None
    ) -> Layer:
        """Return a layer with its costs in all runs."""
        amounts: dict[str, Any] = {}
        for name in SUMMED[:-2]:
            value = getattr(found, name)
            amounts[name] = NO_BANDWIDTH if value is None else product([times, value])
        runs = times if isinstance(times, int) else 0
        lanes = Fraction(found.macs * runs, unit_of(of_engine, self._engine).macs)
        return replace(
            layer, tile=schedule.tile, schedule=schedule.text(), bound=found.bound, lanes_cycles=lanes, peak=peak,
            clock=self._engine.clock, reason=None if found.cycles is not None else NO_BANDWIDTH.reason, **amounts,
        )  # fmt: skip

    def other(self, row: NodeProfile) -> Layer:
        """Return an operator that isn't a product: the vector unit or the host moves what goes in and out."""
        on, rate, words = self._place(row.op)
        moved = row.bandwidth
        cycles: Amount = Unknown(words)
        if isinstance(moved, Unknown):
            cycles, words = moved, moved.reason
        elif rate is not None and isinstance(moved, int):
            cycles = math.ceil(moved / rate)
        elif rate is not None:
            cycles, words = Unknown("what it moves is a formula; bind its sizes"), "what it moves is a formula"
        unknown = isinstance(cycles, Unknown)
        return Layer(
            name=row.name, op=row.op, scope=row.scope, module=row.module, origin=row.origin, on=on, times=row.times,
            other_bytes=moved, other_cycles=cycles, clock=self._engine.clock, reason=words if unknown else None,
        )  # fmt: skip

    def _place(self, op: str) -> tuple[Unit, Fraction | None, str]:
        """Return where an operator runs, the rate at which that moves bytes, and why it isn't known if it isn't."""
        operators, memory = self._engine.operators, self._engine.memory.bandwidth
        if operators.supported is None:
            on: Unit = "vector" if operators.vector is not None else "host" if operators.host is not None else "unknown"
            words = "no rate is given for operators beside products; say operators.vector, or operators.host"
            return on, operators.vector or operators.host, words
        if op in operators.supported:
            words = "the vector unit's rate isn't given: operators.vector, or memory.bandwidth"
            return "vector", operators.vector or memory, words
        return "host", operators.host, "the host's rate isn't given: operators.host"


@lru_cache(maxsize=1024)
def peak_of(of_engine: Product, schedule: Schedule, engine: Engine) -> Fraction | None:
    """Return the most bytes a cycle that a call asks for; None where there are too many to go through."""
    calls = math.prod(-(-size // tile) for size, tile in zip(of_engine.sizes, schedule.tile, strict=True))
    if calls > MOST_WALKED or of_engine.window is not None:
        return None
    return walk(schedule.calls(of_engine), of_engine, schedule, unit_of(of_engine, engine), engine).peak
