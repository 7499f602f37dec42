"""Fit an engine's numbers to measured layers: fill and call of its units, and the bandwidth of its memory.

Least squares on the logarithms of predicted over measured cycles: a layer of a thousand cycles counts as much as one
of a million.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from onnxtile.engine.choice import choose
from onnxtile.engine.compute import compute_cycles
from onnxtile.engine.cost import total_cycles, unit_of
from onnxtile.engine.description import Engine
from onnxtile.engine.schedule import Schedule
from onnxtile.errors import UsageError
from onnxtile.exploration.measured import Measured
from onnxtile.ir.json_encoding import JsonRecord
from onnxtile.ir.printable import several

Vector = NDArray[np.float64]
FEWEST = 6
"""Layers that a fit takes: of three numbers, and of each third that is held out."""
FOLDS = 3
ROUNDS = 4
"""How often schedules are chosen anew for the numbers found so far."""
STEP = 0.02
"""Of logarithms to base 2, over which slopes are taken."""
GRID = (0.5, 3.0, 5.0, 8.0)
"""Logarithms of fill and call from which fits may begin."""


@dataclass(frozen=True)
class Numbers(JsonRecord):
    """Fitted numbers. `fill`, `call`: cycles, by the unit's types (`int8 x int8`); `bandwidth`: bytes a cycle."""

    fill: Mapping[str, int]
    call: Mapping[str, int]
    bandwidth: float


@dataclass(frozen=True)
class Layer:
    """A layer's cycles as measured, and as predicted before (None: there was no bandwidth) and after."""

    name: str
    measured: float
    before: int | None
    after: int


@dataclass(frozen=True)
class Fitted(JsonRecord, members="schema numbers before after held_out layers notes"):
    """A fit. Errors are means of |predicted / measured - 1|.

    `before`: with the engine as it was (None: it had no bandwidth); `after`: with the numbers; `held_out`: of each
    layer with numbers fitted to the two thirds of the layers that it isn't in. `layers`: cycles of each, measured,
    before and after.
    """

    schema: ClassVar[str] = "onnxtile.fit/1"
    numbers: Numbers
    engine: Engine
    before: float | None
    after: float
    held_out: float
    layers: tuple[Layer, ...]
    notes: tuple[str, ...]


def fit(layers: Sequence[Measured], engine: Engine) -> Fitted:
    """Return the numbers with which the engine predicts the layers best, and how well.

    Raises UsageError for fewer than `FEWEST` layers and for types that the engine doesn't multiply.
    """
    if len(layers) < FEWEST:
        too_few = f"{several(len(layers), 'layer')} {'is' if len(layers) == 1 else 'are'} too few"
        raise UsageError(f"{too_few} to fit three numbers: measure {FEWEST} or more")
    for layer in layers:
        if engine.unit_for(*layer.product.types) is None:
            words = f"layer {layer.name!r} is {' x '.join(layer.product.types)}, which {engine.name} doesn't multiply"
            raise UsageError(f"{words}; correct its types, or add a [[product]]")
    before = None
    if engine.memory.bandwidth is not None:
        before = _predicted(layers, engine)
    found = _fitted(layers, _begun(layers, engine), ROUNDS)
    if before is not None and _loss(layers, before) <= _loss(layers, _predicted(layers, found)):
        found = engine
    found = _as_given(layers, engine, found)
    after = _predicted(layers, found)
    held_out = []
    for fold in range(FOLDS):
        others = [layer for place, layer in enumerate(layers) if place % FOLDS != fold]
        held = [layer for place, layer in enumerate(layers) if place % FOLDS == fold]
        held_out += _errors(held, _predicted(held, _fitted(others, found, 1)))
    return Fitted(
        _numbers(layers, found), found, None if before is None else _mean(_errors(layers, before)),
        _mean(_errors(layers, after)), _mean(held_out),
        tuple(
            Layer(layer.name, layer.cycles, None if before is None else before[at], after[at])
            for at, layer in enumerate(layers)
        ),
        _notes(layers, found),
    )  # fmt: skip


def _as_given(layers: Sequence[Measured], given: Engine, found: Engine) -> Engine:
    """Return the fitted engine with those of the numbers that were given with which it predicts no worse."""
    most = _loss(layers, _predicted(layers, found))
    measured = {layer.product.types for layer in layers}
    for at, unit in enumerate(given.product):
        if unit.types in measured:
            units = (*found.product[:at], unit, *found.product[at + 1 :])
            other = found.model_copy(update={"product": units})
            found = other if _loss(layers, _predicted(layers, other)) <= most else found
    if given.memory.bandwidth is not None:
        other = found.model_copy(update={"memory": given.memory})
        found = other if _loss(layers, _predicted(layers, other)) <= most else found
    return found


def _fitted(layers: Sequence[Measured], engine: Engine, rounds: int) -> Engine:
    """Return the engine with the numbers that fit best, from its own on.

    Schedules stay as they are while numbers are fitted, and are chosen anew for the numbers found, until they don't
    change, or for so many rounds; the best of them is kept.
    """
    best, seen = (_loss(layers, _predicted(layers, engine)), engine), set[tuple[Schedule, ...]]()
    for _ in range(rounds):
        loads = [_Load.of(layer, engine) for layer in layers]
        schedules = tuple(load.schedule for load in loads)
        if schedules in seen:
            break
        seen.add(schedules)
        engine = _with(engine, loads, _least_squares(loads, engine, _at(engine, loads)))
        best = min(best, (_loss(layers, _predicted(layers, engine)), engine), key=lambda pair: pair[0])
    return best[1]


def _least_squares(loads: Sequence[_Load], engine: Engine, start: Vector) -> Vector:
    """Return the logarithms that fit best under the loads' schedules."""
    try:
        from scipy.optimize import least_squares
    except ImportError as error:
        raise UsageError("a fit takes scipy, which isn't installed: pip install 'onnxtile[fit]'") from error
    found = least_squares(
        lambda at: _residuals(loads, engine, at), start, jac=lambda at: _slopes(loads, engine, at),
        bounds=_bounds(loads), xtol=1e-4, ftol=1e-4,
    )  # fmt: skip
    at: Vector = found.x
    return at


def _loss(layers: Sequence[Measured], predicted: Sequence[int]) -> float:
    return sum(math.log(max(cycles, 1) / layer.cycles) ** 2 for layer, cycles in zip(layers, predicted, strict=True))


@dataclass(frozen=True)
class _Load:
    """A layer under a schedule: what its cycles follow from, but for the numbers that are fitted."""

    layer: Measured
    schedule: Schedule
    moved: int
    local: int

    @classmethod
    def of(cls, layer: Measured, engine: Engine) -> _Load:
        choice = choose(layer.product, engine)
        return cls(layer, choice.schedule, choice.cost.bytes, choice.cost.local_cycles)

    @property
    def types(self) -> tuple[str, str]:
        return self.layer.product.types

    def cycles(self, engine: Engine, fill: float, call: float, bandwidth: float) -> float:
        unit = unit_of(self.layer.product, engine).model_copy(update={"fill": fill, "call": call})
        compute = compute_cycles(self.layer.product, unit, self.schedule.tile) * self.layer.product.batch
        memory = Fraction(self.moved / bandwidth)
        return total_cycles(engine, math.ceil(compute), memory, Fraction(self.local))[0] or 1


def _types(loads: Sequence[_Load]) -> list[tuple[str, str]]:
    return sorted({load.types for load in loads})


def _residuals(loads: Sequence[_Load], engine: Engine, at: Vector) -> Vector:
    """Return the logarithms of predicted over measured cycles.

    `at`: fill and call of each unit, 1 added, and the bandwidth, all as logarithms to base 2, and not rounded.
    """
    numbers, types = 2.0**at, _types(loads)
    found = []
    for load in loads:
        place = 2 * types.index(load.types)
        fill, call = float(numbers[place] - 1), float(numbers[place + 1] - 1)
        found.append(math.log(load.cycles(engine, fill, call, float(numbers[-1])) / load.layer.cycles))
    return np.array(found)


def _slopes(loads: Sequence[_Load], engine: Engine, at: Vector) -> Vector:
    """Return how the residuals change with each number."""
    here, low = _residuals(loads, engine, at), _bounds(loads)[0]
    columns = []
    for place in range(len(at)):
        step = STEP if at[place] - STEP < low[place] else -STEP
        ahead = at.copy()
        ahead[place] += step
        columns.append((_residuals(loads, engine, ahead) - here) / step)
    return np.stack(columns, axis=1)


def _bounds(loads: Sequence[_Load]) -> tuple[Vector, Vector]:
    """Return the least and the most of each logarithm: fills and calls from 0 cycles on, then the bandwidth."""
    count = 2 * len(_types(loads)) + 1
    low, high = np.zeros(count), np.full(count, 30.0)
    low[-1] = -20.0
    return low, high


def _begun(layers: Sequence[Measured], engine: Engine) -> Engine:
    """Return the engine with numbers from which a fit may go on: the best of fits from a coarse grid, as one may end in
    a hollow. Schedules are those of an engine whose calls cost something: they have large tiles.
    """
    pairs = {layer.product.types for layer in layers}
    dear = tuple(
        unit.model_copy(update={"call": max(unit.call, 64)}) if unit.types in pairs else unit for unit in engine.product
    )
    loads = [_Load.of(layer, engine.model_copy(update={"product": dear})) for layer in layers]
    usual = math.log2(float(np.median([load.moved / load.layer.cycles for load in loads])))
    known = usual if engine.memory.bandwidth is None else math.log2(float(engine.memory.bandwidth))
    rates = (known, known - 1, usual, usual + 1, usual + 2)
    grid = [np.array([*[fill, call] * len(pairs), rate]) for fill, call, rate in itertools.product(GRID, GRID, rates)]

    def loss(at: Vector) -> float:
        return float(np.sum(_residuals(loads, engine, at) ** 2))

    best: dict[float, Vector] = {}  # with each call, as the other two may stand for it
    for at in sorted(grid, key=loss):
        best.setdefault(float(at[1]), at)
    return _with(engine, loads, min((_least_squares(loads, engine, at) for at in best.values()), key=loss))


def _at(engine: Engine, loads: Sequence[_Load]) -> Vector:
    """Return an engine's numbers as logarithms, within their bounds."""
    units = [unit for pair in _types(loads) if (unit := engine.unit_for(*pair)) is not None]
    logs = [math.log2(1 + cycles) for unit in units for cycles in (unit.fill, unit.call)]
    low, high = _bounds(loads)
    at: Vector = np.array([*logs, math.log2(float(engine.memory.bandwidth or 1))])
    return np.minimum(np.maximum(at, low + 1e-3), high - 1e-3)


def _with(engine: Engine, loads: Sequence[_Load], at: Vector) -> Engine:
    """Return the engine with these logarithms' numbers, as whole cycles, and four digits of the bandwidth."""
    types, cycles = _types(loads), [round(2.0 ** float(log) - 1) for log in at[:-1]]
    units = tuple(
        unit.model_copy(update=dict(zip(("fill", "call"), cycles[2 * types.index(unit.types) :], strict=False)))
        if unit.types in types
        else unit
        for unit in engine.product
    )
    memory = engine.memory.model_copy(update={"bandwidth": Fraction(f"{2.0 ** float(at[-1]):.4g}")})
    return engine.model_copy(update={"product": units, "memory": memory})


def _predicted(layers: Sequence[Measured], engine: Engine) -> list[int]:
    return [choose(layer.product, engine).cost.cycles or 0 for layer in layers]


def _errors(layers: Sequence[Measured], predicted: Sequence[int]) -> list[float]:
    return [abs(cycles / layer.cycles - 1) for layer, cycles in zip(layers, predicted, strict=True)]


def _mean(errors: Sequence[float]) -> float:
    return sum(errors) / len(errors)


def _numbers(layers: Sequence[Measured], engine: Engine) -> Numbers:
    pairs = sorted({layer.product.types for layer in layers})
    units = {" x ".join(pair): unit for pair in pairs if (unit := engine.unit_for(*pair)) is not None}
    rate = float(engine.memory.bandwidth or 0)
    return Numbers({t: u.fill for t, u in units.items()}, {t: u.call for t, u in units.items()}, rate)


def _notes(layers: Sequence[Measured], engine: Engine) -> tuple[str, ...]:
    """Return what the layers can't tell."""
    bounds = [choose(layer.product, engine).cost.bound for layer in layers]
    notes = []
    if "memory" not in bounds:
        notes.append("no layer is bounded by memory: the bandwidth may be any from this one on")
    if set(bounds) == {"memory"}:
        notes.append("all layers are bounded by memory: fill and call may be any up to these")
    return tuple(notes)
