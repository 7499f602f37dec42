"""Run original and lowered model on the same inputs and hold their difference against what rounding explains."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.contraction import all_graphs
from onnxtile.dimensions import fed_inputs
from onnxtile.errors import UnsupportedError
from onnxtile.interop import AnyModel, to_ir
from onnxtile.passes.bind_dims import BindDims
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.pipeline import PassManager
from onnxtile.report import count_nodes
from onnxtile.source import carry_over, read_external_data
from onnxtile.verification.engines import ENGINES, EngineError, Feeds, Runner, preferred
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
        return {"schema": "onnxtile.verify/1", **asdict(self)}


def verify(
    original: AnyModel,
    lowered: AnyModel,
    *,
    cases: int = 4,
    seed: int = 0,
    bind: Mapping[str, int] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Verdict:
    """Compare two models on `cases` random inputs, every other one of whole numbers.

    An output may differ by as much as it does when every product that the models compute differently is moved by its
    rounding bound (see roundoff); for a product that is itself an output, that is a proof. Where no product of floats
    changed, nothing may differ. Free dimensions that `bind` doesn't fix are taken as 2. Raises UsageError, ModelError,
    UnsupportedError (among them: neither engine runs the models).
    """
    say = progress or (lambda _: None)
    say("read the models")
    first, second = (to_ir(model) for model in (original, lowered))
    mismatch = _interfaces(first, second)
    if mismatch:
        return Verdict(False, "interfaces", "none", 0, seed, (), mismatch)
    PassManager([BindDims(bind or {})], check=False)(first)
    typed = first.clone()
    PassManager([InferShapes()], check=False)(typed)
    moved = shaken(typed, _changed(first, second))
    models = [_whole(model) for model in (first, second, *([] if moved is None else [moved]))]
    problems = []
    for engine in preferred(max(count_nodes(first), count_nodes(second))):
        try:
            say(f"load the models in {engine}")
            runners = [ENGINES[engine](model) for model in models]
            return _compare(first, runners, engine, cases, seed, say)
        except EngineError as error:
            problems.append(str(error))
    raise UnsupportedError(f"no engine runs the models: {'; '.join(problems)}")


def _compare(
    model: ir.Model, runners: list[Runner], engine: str, cases: int, seed: int, say: Callable[[str], None]
) -> Verdict:
    rng = np.random.default_rng(seed)
    worst: dict[str, OutputVerdict] = {}
    for case in range(cases):
        kind: Kind = "whole" if case % 2 else "normal"
        say(f"case {case + 1} of {cases} ({kind} numbers)")
        found = _case(model, runners, feeds(model, kind, rng))
        for verdict in found:
            worst[verdict.name] = _worse(worst.get(verdict.name), verdict)
    outputs = tuple(worst.values())
    return Verdict(all(output.equivalent for output in outputs), "random", engine, cases, seed, outputs)


def _case(model: ir.Model, runners: list[Runner], inputs: Feeds) -> Iterator[OutputVerdict]:
    original, lowered = runners[0](inputs), runners[1](inputs)
    moved = [runners[2]({**inputs, PHASE: np.array(phase, np.float32)}) for phase in PHASES] if len(runners) > 2 else []
    for index, output in enumerate(model.graph.outputs):
        y, z = original[index], lowered[index]
        allowed = max((_distance(y, each[index]) for each in moved), default=0.0)
        yield _judge(str(output.name), y, z, allowed)


def _judge(name: str, y: Any, z: Any, allowed: float) -> OutputVerdict:
    if type(y) is not type(z) or np.shape(y) != np.shape(z) or getattr(y, "dtype", None) != getattr(z, "dtype", None):
        return OutputVerdict(name, float("inf"), allowed, False, False, "type or shape differs")
    error = _distance(y, z)
    reason = (
        None if error <= allowed else "not a number, or infinite, elsewhere" if np.isinf(error) else "outside its bound"
    )
    return OutputVerdict(name, error, allowed, error == 0, error <= allowed, reason)


def _distance(y: Any, z: Any) -> float:
    """The largest difference of two values; infinite where NaN, infinity, text or shape differ."""
    if isinstance(y, (list, tuple)):
        return max(map(_distance, y, z), default=0.0) if len(y) == len(z) else float("inf")
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


def _interfaces(first: ir.Model, second: ir.Model) -> str | None:
    """What of the inputs and outputs differs, or None."""
    pairs = (("inputs", fed_inputs(first), fed_inputs(second)), ("outputs", first.graph.outputs, second.graph.outputs))
    for what, ours, theirs in pairs:
        left, right = ([(str(value.name), value.dtype) for value in values] for values in (ours, theirs))
        if left != right:
            return f"the {what} differ: {', '.join(sorted({name for name, _ in set(left) ^ set(right)})) or 'in order'}"
    return None


def _changed(first: ir.Model, second: ir.Model) -> set[str]:
    """Outputs of nodes that the second model computes with another operator, or not at all."""
    made = [
        {value.name: node.op_type for graph in all_graphs(model) for node in graph for value in node.outputs}
        for model in (first, second)
    ]
    return {str(name) for name, op_type in made[0].items() if made[1].get(name) != op_type}


def _whole(model: ir.Model) -> onnx.ModelProto:
    """The model as protobuf with all of its weights inside."""
    read_external_data(model)
    proto = ir.to_proto(model)
    carry_over(model, proto)
    return proto
