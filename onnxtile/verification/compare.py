"""Run original and lowered model on the same inputs and hold their difference against what rounding explains."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.checking import inlined
from onnxtile.contraction import Scope, contractions, scopes
from onnxtile.dimensions import fed_inputs
from onnxtile.errors import UnsupportedError, UsageError
from onnxtile.interop import AnyModel, to_ir
from onnxtile.passes.bind_dims import BindDims
from onnxtile.pipeline import PassManager
from onnxtile.progress import Progress, silent
from onnxtile.report import count_nodes
from onnxtile.source import carry_over, read_external_data
from onnxtile.verification.engines import ENGINES, EngineError, Runner, preferred
from onnxtile.verification.expansion import write_out
from onnxtile.verification.inputs import Kind, feeds
from onnxtile.verification.roundoff import PHASE, shaken

PHASES = (1.0e3, 1.7e4, 2.9e5)
"""Choices of signs that the bounds are tried with."""


@dataclass(frozen=True)
class OutputVerdict:
    """One output over all cases: the largest difference found, and the largest that rounding explains.

    `exact`: no bit differed. `reason` says what is wrong where `equivalent` is false.
    """

    name: str
    max_abs_error: float
    allowed: float
    exact: bool
    equivalent: bool
    reason: str | None = None


@dataclass(frozen=True)
class Verdict:
    """Whether the models are equivalent; `reason` where they can't be compared at all."""

    equivalent: bool
    method: str
    engine: str
    cases: int
    seed: int
    outputs: tuple[OutputVerdict, ...]
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Figures that aren't finite are null: JSON has no others."""
        document = {"schema": "onnxtile.verify/1", **asdict(self)}
        for output in document["outputs"]:
            for figure in ("max_abs_error", "allowed"):
                output[figure] = output[figure] if math.isfinite(output[figure]) else None
        return document


def verify(
    original: AnyModel,
    lowered: AnyModel,
    *,
    cases: int = 4,
    seed: int = 0,
    bind: Mapping[str, int] | None = None,
    inputs: Mapping[str, np.ndarray] | None = None,
    progress: Progress | None = None,
) -> Verdict:
    """Compare two models on `cases` inputs, random from `seed`, every other one of whole numbers.

    An output may differ by as much as it does when every product that the models compute differently is moved by its
    rounding bound (see roundoff); where one such product is itself the output, each element has its own bound, and that
    is a proof. Products of small whole numbers may not differ at all, nor anything where no product of floats changed.

    Free dimensions that `bind` doesn't fix are taken as 2. `inputs`: values to take for some inputs, or all. Raises
    UsageError, ModelError, UnsupportedError (among them: neither engine runs the original).
    """
    for name, number, least in (("cases", cases, 1), ("seed", seed, 0)):
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise UsageError(f"{name} is {number!r}: give a whole number, {least} or more")
    say = progress or silent
    say("read the models")
    first, second = (to_ir(model) for model in (original, lowered))
    _check_inputs(first, inputs or {})
    mismatch = _interfaces(first, second)
    if mismatch:
        return Verdict(False, "interfaces", "none", 0, seed, (), mismatch)
    PassManager([BindDims(bind or {})], check=False)(first)
    typed = inlined(first)
    changed = write_out(typed, _changed(first, second) | _in_changed_functions(first, second, typed))
    moved = shaken(typed, changed)
    models = [_whole(model) for model in (first, second, *([] if moved is None else [moved]))]
    plan = _Plan(typed, cases, seed, dict(inputs or {}), _proven(typed, changed))
    problems = []
    for engine in preferred(max(count_nodes(first), count_nodes(second))):
        try:
            say(f"load the models in {engine}")
            return _compare(plan, models, engine, say)
        except EngineError as error:
            problems.append(str(error))
    cure = "give real inputs (--input FILE.npz) if made-up ones can't be right, or --bind other sizes"
    raise UnsupportedError(f"no engine runs the original: {'; '.join(problems)}; {cure}")


@dataclass(frozen=True)
class _Plan:
    """What to compare: inputs are made for `model`; `proven`: the one output whose bound holds element by element."""

    model: ir.Model
    cases: int
    seed: int
    inputs: dict[str, np.ndarray]
    proven: str | None


def _compare(plan: _Plan, models: list[onnx.ModelProto], engine: str, say: Progress) -> Verdict:
    """A lowered model that the engine doesn't run isn't equivalent; EngineError where that is the original."""
    load = ENGINES[engine]
    original, moved = load(models[0]), load(models[2]) if len(models) > 2 else None
    rng = np.random.default_rng(plan.seed)
    worst: dict[str, OutputVerdict] = {}
    lowered: Runner | None = None
    for case in range(plan.cases):
        kind: Kind = "whole" if case % 2 else "normal"
        say(f"case {case + 1} of {plan.cases} ({kind} numbers)", case, plan.cases)
        fed = feeds(plan.model, kind, rng) | plan.inputs
        wanted = original(fed)
        shaken_ones = [moved({**fed, PHASE: np.array(phase, np.float32)}) for phase in PHASES] if moved else []
        try:
            lowered = lowered or load(models[1])
            got = lowered(fed)
        except EngineError as error:
            words = f"{engine} runs the original but not the lowered model: {error}"
            return Verdict(False, "random", engine, case, plan.seed, (), words)
        for index, output in enumerate(plan.model.graph.outputs):
            others = [each[index] for each in shaken_ones]
            verdict = _judge(str(output.name), wanted[index], got[index], others, output.name == plan.proven)
            worst[verdict.name] = _worse(worst.get(verdict.name), verdict)
    outputs = tuple(worst.values())
    return Verdict(all(output.equivalent for output in outputs), "random", engine, plan.cases, plan.seed, outputs)


def _judge(name: str, y: Any, z: Any, moved: list[Any], each_element: bool) -> OutputVerdict:
    """`each_element`: the bound holds for each element apart; otherwise the largest of all counts."""
    allowed = max((_distance(y, other) for other in moved), default=0.0)
    if type(y) is not type(z) or getattr(y, "dtype", None) != getattr(z, "dtype", None):
        return OutputVerdict(name, float("inf"), allowed, False, False, "type differs")
    error = _distance(y, z)
    if error == 0:
        return OutputVerdict(name, 0.0, allowed, True, True)
    if np.isinf(error):
        return OutputVerdict(name, error, allowed, False, False, "shape differs, or NaN or infinity elsewhere")
    if np.isinf(allowed):
        return OutputVerdict(name, error, allowed, False, False, "no bound: rounding may make it infinite or NaN")
    fits = error <= allowed
    if fits and each_element:
        bounds = np.max([np.abs(np.float64(y) - np.float64(other)) for other in moved], axis=0)
        fits = bool((np.abs(np.float64(y) - np.float64(z)) <= bounds).all())
    return OutputVerdict(name, error, allowed, False, fits, None if fits else "outside its bound")


def _distance(y: Any, z: Any) -> float:
    """The largest difference of two values; infinite where NaN, infinity, text or shape differ."""
    if isinstance(y, (list, tuple)) or isinstance(z, (list, tuple)):
        alike = isinstance(y, (list, tuple)) and isinstance(z, (list, tuple)) and len(y) == len(z)
        return max(map(_distance, y, z), default=0.0) if alike else float("inf")
    y, z = np.asarray(y), np.asarray(z)
    if y.shape != z.shape:
        return float("inf")
    if y.dtype.kind in "OSU":
        return 0.0 if np.array_equal(y, z) else float("inf")
    if y.dtype.kind in "biu":
        return float(max((abs(int(p) - int(q)) for p, q in zip(y[y != z], z[y != z], strict=True)), default=0))
    y, z = y.astype(np.float64), z.astype(np.float64)
    finite = np.isfinite(y)
    if not np.array_equal(y[~finite], z[~finite], equal_nan=True) or not np.isfinite(z[finite]).all():
        return float("inf")
    return float(np.abs(y[finite] - z[finite]).max(initial=0.0))


def _worse(old: OutputVerdict | None, new: OutputVerdict) -> OutputVerdict:
    """The case that says more against an output: a failure, then the larger share of what's allowed."""
    if old is None:
        return new
    worst = max(
        old, new, key=lambda v: (not v.equivalent, v.max_abs_error / v.allowed if v.allowed else v.max_abs_error)
    )
    return OutputVerdict(
        worst.name,
        worst.max_abs_error,
        worst.allowed,
        old.exact and new.exact,
        old.equivalent and new.equivalent,
        worst.reason,
    )


def _check_inputs(model: ir.Model, inputs: Mapping[str, np.ndarray]) -> None:
    """Refuse values for inputs that the model doesn't have, or of another type; UsageError."""
    known = {str(value.name): value.dtype for value in fed_inputs(model)}
    for name, array in inputs.items():
        if name not in known:
            raise UsageError(f"input {name!r} isn't one of the model's: {', '.join(known)}")
        if known[name] is not None and ir.DataType.from_numpy(array.dtype) != known[name]:
            raise UsageError(f"input {name!r} is {array.dtype}, the model takes {known[name]}")


def _interfaces(first: ir.Model, second: ir.Model) -> str | None:
    """What of the inputs and outputs differs, or None; sizes count where both models have them."""
    pairs = (("inputs", fed_inputs(first), fed_inputs(second)), ("outputs", first.graph.outputs, second.graph.outputs))
    for what, ours, theirs in pairs:
        left, right = ([(str(value.name), value.dtype) for value in values] for values in (ours, theirs))
        if left != right:
            return f"the {what} differ: {', '.join(sorted({name for name, _ in set(left) ^ set(right)})) or 'in order'}"
        for one, other in zip(ours, theirs, strict=True):
            sizes = [
                [size if isinstance(size, int) and size >= 0 else None for size in value.shape or ()]
                for value in (one, other)
            ]
            if one.shape is None or other.shape is None:
                continue
            if len(sizes[0]) != len(sizes[1]) or any(
                p != q and None not in (p, q) for p, q in zip(*sizes, strict=True)
            ):
                return f"the shapes of {one.name!r} differ: {one.shape} and {other.shape}"
    return None


def _changed(first: ir.Model, second: ir.Model) -> set[tuple[str, str]]:
    """Values (scope, name) that the second model computes with another operator, or not at all."""
    made = [
        {
            (scope.name, str(value.name)): node.op_type
            for scope in scopes(model)
            for node in scope.graph
            for value in node.outputs
        }
        for model in (first, second)
    ]
    return {key for key, op_type in made[0].items() if made[1].get(key) != op_type}


def _in_changed_functions(first: ir.Model, second: ir.Model, inlined_first: ir.Model) -> set[tuple[str, str]]:
    """Values of the first model that its local functions compute, if the second model's aren't the same."""
    bodies = [
        {key: ir.serde.serialize_function(each, create_value_info=False) for key, each in model.functions.items()}
        for model in (first, second)
    ]
    if all(bodies[1].get(key) == body for key, body in bodies[0].items()):
        return set()
    outside = {made for scope in scopes(first) if not scope.in_function for made in _made(scope)}
    return {
        (scope, name)
        for each in scopes(inlined_first)
        for scope, name, op in _made(each)
        if (scope, name, op) not in outside
    }


def _made(scope: Scope) -> Iterator[tuple[str, str, str]]:
    """Scope, name and operator of every value that's computed there."""
    return ((scope.name, str(value.name), node.op_type) for node in scope.graph for value in node.outputs)


def _proven(model: ir.Model, changed: set[tuple[str, str]]) -> str | None:
    """The output that is the only changed product of the model, if there is one."""
    products = [
        found.node.outputs[0]
        for found in contractions(model)
        if (found.scope, str(found.node.outputs[0].name)) in changed
    ]
    alone = len(products) == 1 and products[0].is_graph_output()
    return str(products[0].name) if alone else None


def _whole(model: ir.Model) -> onnx.ModelProto:
    """The model as protobuf with all of its weights inside."""
    read_external_data(model)
    proto = ir.to_proto(model)
    carry_over(model, proto)
    return proto
