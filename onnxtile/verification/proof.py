"""Prove a region: both models on the same whole numbers, bit for bit."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx

from onnxtile.verification.derivations import derive
from onnxtile.verification.engines import ENGINES, REFERENCE, Runner, warning
from onnxtile.verification.inputs import MOST_ELEMENTS
from onnxtile.verification.obligation import Arithmetic, Obligation, Operand
from onnxtile.verification.sessions import EngineError
from onnxtile.verification.whole_numbers import capacity, magnitude, odd_numbers, share

QUICK_TO_LOAD = 300
"""Nodes up to which onnxruntime is quicker, with its fast products, than the reference evaluator is to load."""
LOADED_AT_ALL = 3000
"""Nodes up to which onnxruntime loads a model within seconds."""
FAST_IN_NUMPY = ("FLOAT", "DOUBLE")
"""Types whose products numpy leaves to a fast library."""
SCALES = (-7, -2)
"""Powers of two for scales of products of integers: so small that engines that quantize by int32 don't overflow."""
MOST_PARTS = 4096


@dataclass(frozen=True)
class Proof:
    """What came of it. `largest`: the largest sum of magnitudes of terms, up to `room` of which every order is exact.

    `equal`: no bit differed. `reason` says what's wrong otherwise. `warning`: what to know of the engine.
    """

    equal: bool
    engine: str
    cases: int
    error: float = 0.0
    largest: float = 0.0
    room: float = 0.0
    reason: str | None = None
    warning: str | None = None


def prove(obligation: Obligation, cases: int, seed: int) -> Proof:
    """Run both models on `cases` sets of operands, more where the type has no room for all elements at once.

    Raises EngineError where no engine runs the original.
    """
    first = None
    for way in range(len(obligation.derived)):
        proof = _prove(obligation, way, cases, seed)
        if proof.equal:
            return proof
        first = first or proof
    assert first is not None
    return first


def _prove(obligation: Obligation, way: int, cases: int, seed: int) -> Proof:
    ours, theirs = (onnx.ModelProto.FromString(each) for each in (obligation.original, obligation.lowered))
    problems: list[str] = []
    said = warning(ours, theirs)
    for engine, other in _engines(obligation) if said is None else [(REFERENCE, REFERENCE)]:
        try:
            original = ENGINES[engine](ours)
            pair = _Pair(" and ".join(dict.fromkeys((engine, other))), original, lambda: ENGINES[other](theirs))  # noqa: B023  # called in this round
            proof = _compare(obligation, way, cases, seed, pair)
        except EngineError as error:
            problems.append(str(error))
            continue
        if proof.equal or engine == other:
            return replace(proof, warning=said)
    raise EngineError("; ".join(dict.fromkeys(problems)))


@dataclass(frozen=True)
class _Pair:
    """The original in an engine; the lowered model is loaded when it's needed, and may fail to."""

    name: str
    original: Runner
    lowered: Callable[[], Runner]


def _engines(obligation: Obligation) -> list[tuple[str, str]]:
    """Engines for the original and the lowered model, in the order to try them.

    A difference counts only where one engine ran both: the last ones.
    """
    slow_in_numpy = obligation.arithmetic.dtype.name not in FAST_IN_NUMPY
    quick = "onnxruntime"
    if obligation.nodes <= (LOADED_AT_ALL if slow_in_numpy else QUICK_TO_LOAD):
        return [(quick, quick), (REFERENCE, REFERENCE)]
    return [(quick, REFERENCE), (REFERENCE, REFERENCE)]


def _compare(obligation: Obligation, way: int, cases: int, seed: int, pair: _Pair) -> Proof:
    arithmetic = obligation.arithmetic
    elements = sum(math.prod(operand.shape) for operand in obligation.operands)
    if elements > MOST_ELEMENTS:
        raise EngineError(f"its operands have {elements:,} numbers, more than the {MOST_ELEMENTS:,} that are made up")
    room = capacity(arithmetic.dtype) / arithmetic.steps
    most = magnitude(int(room), max(arithmetic.terms, 1), arithmetic.operands)
    parts = max(1, -(-arithmetic.terms * most**arithmetic.operands // int(room))) if arithmetic.terms else 1
    largest, case = 0.0, 0
    lowered: Runner | None = None
    names = [_inputs(model) for model in (obligation.original, obligation.lowered)]
    while case < max(cases, parts):
        fed = _numbers(obligation, way, most, case, parts, seed)
        if arithmetic.terms and parts == 1:
            largest = float(arithmetic.terms * most**arithmetic.operands)
        elif arithmetic.terms:
            bound = _magnitude(obligation, pair, {name: fed[name] for name in names[0]})
            if bound > room and 2 * parts > MOST_PARTS:
                raise EngineError(f"its sums of {arithmetic.terms:,} terms leave {arithmetic.dtype.name} no room")
            if bound > room:
                parts, case = parts * 2, 0
                continue
            largest = max(largest, bound)
        wanted = pair.original({name: fed[name] for name in names[0]})
        try:
            lowered = lowered or pair.lowered()
            got = lowered({name: fed[name] for name in names[1]})
        except EngineError as error:
            words = f"the original runs, but what takes its place doesn't: {error}"
            return Proof(False, pair.name, case, reason=words)
        case += 1
        for name, y, z in zip(obligation.outputs, wanted, got, strict=True):
            if not _alike(y, z):
                apart, words = _difference(y, z)
                reason = f"{name!r} differs on whole numbers, which no order of summation explains: {words}"
                return Proof(False, pair.name, case, apart, largest, room, reason)
    return Proof(True, pair.name, case, 0.0, largest, room)


def _magnitude(obligation: Obligation, pair: _Pair, fed: Mapping[str, np.ndarray]) -> float:
    """The largest sum of magnitudes of an element's terms: that of the product of magnitudes."""
    sums = pair.original({name: np.asarray(np.abs(array)) for name, array in fed.items()})
    return max((float(np.abs(np.float64(each)).max(initial=0.0)) for each in sums), default=0.0)


def _numbers(obligation: Obligation, way: int, most: int, case: int, parts: int, seed: int) -> dict[str, np.ndarray]:
    """What is fed to both models in a case."""
    fed: dict[str, np.ndarray] = {}
    for operand in obligation.operands:
        own = zlib.crc32(f"{seed} {case} {operand.shape}".encode()) + len(fed)
        rng = np.random.default_rng(own)
        fed[operand.name] = _operand(operand, obligation.arithmetic, rng, most)
    if parts > 1 and obligation.operands:
        name = obligation.operands[0].name
        fed[name] = share(fed[name], case % parts, parts, seed)
    factors = dict(obligation.factors)
    for name, derivation in obligation.derived[way]:
        fed[name] = derive(derivation, fed, factors)
    return fed


def _operand(operand: Operand, arithmetic: Arithmetic, rng: np.random.Generator, most: int) -> np.ndarray:
    if arithmetic.terms:
        return odd_numbers(rng, operand.shape, operand.dtype, most)
    if not operand.dtype.is_integer():  # scales: few results saturate, and nothing is rounded but by quantizing
        return np.asarray(np.exp2(rng.integers(*SCALES, operand.shape)).astype(operand.dtype.numpy()))
    info = np.iinfo(operand.dtype.numpy())
    return rng.integers(int(info.min), int(info.max), operand.shape, operand.dtype.numpy(), endpoint=True)


def _inputs(model: bytes) -> list[str]:
    return [value.name for value in onnx.ModelProto.FromString(model).graph.input]


def _alike(y: Any, z: Any) -> bool:
    """The same numbers in the same type: equal ones have the same bits, but for the sign of zero."""
    arrays = isinstance(y, np.ndarray) and isinstance(z, np.ndarray)
    return arrays and y.dtype == z.dtype and np.array_equal(y, z)


def _difference(y: Any, z: Any) -> tuple[float, str]:
    """The largest difference, and words for how many elements differ, and where the first one is."""
    if not (isinstance(y, np.ndarray) and isinstance(z, np.ndarray)) or y.dtype != z.dtype:
        return float("inf"), "its type is another"
    if y.shape != z.shape:
        return float("inf"), f"its shape is {z.shape}, not {y.shape}"
    wrong = y != z
    wide = np.abs(np.float64(y) - np.float64(z))
    place = tuple(int(each) for each in np.argwhere(wrong)[0]) if wrong.any() else ()
    count = int(wrong.sum())
    words = f"{count:,} of {wrong.size:,} elements, first at {list(place)}"
    return float(wide.max(initial=0.0)), words
