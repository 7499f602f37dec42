"""Two independent engines behind one call: onnxruntime and onnx's reference evaluator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import onnx

from onnxtile.verification.saturation import SATURATES, judged_elsewhere
from onnxtile.verification.sessions import EngineError, guarded, onnxruntime_options, onnxruntime_session

Feeds = Mapping[str, np.ndarray]
Runner = Callable[[Feeds], list[Any]]
Result = TypeVar("Result")

MANY_NODES = 5_000
"""From here the reference evaluator is tried first: onnxruntime's loading time grows with the square of the nodes."""
REFERENCE = "onnx.reference"


def onnxruntime_runner(model: onnx.ModelProto) -> Runner:
    """A function that runs the model in onnxruntime on the CPU, without graph optimizations.

    Raises EngineError, also where onnxruntime doesn't compute the model's 8-bit products exactly on this processor.
    """
    if judged_elsewhere(model):
        raise EngineError(SATURATES)
    session = onnxruntime_session(model, onnxruntime_options())
    return lambda feeds: guarded("onnxruntime", lambda: list(session.run(None, dict(feeds))))


def reference_runner(model: onnx.ModelProto) -> Runner:
    """A function that runs the model in onnx.reference, quantized products as `integers` has them."""
    from onnx.reference import ReferenceEvaluator

    from onnxtile.verification.integers import OPERATORS

    evaluator = guarded(REFERENCE, lambda: ReferenceEvaluator(model, new_ops=list(OPERATORS)))

    def run(feeds: Feeds) -> list[Any]:
        with np.errstate(all="ignore"):
            return guarded(REFERENCE, lambda: list(evaluator.run(None, dict(feeds))))

    return run


ENGINES: dict[str, Callable[[onnx.ModelProto], Runner]] = {
    "onnxruntime": onnxruntime_runner,
    REFERENCE: reference_runner,
}


def preferred(nodes: int, *models: onnx.ModelProto) -> list[str]:
    """The engines in the order to try them for models of so many nodes: both have to be right for all of them."""
    order = list(ENGINES) if nodes < MANY_NODES else list(reversed(ENGINES))
    return [REFERENCE] if judged_elsewhere(*models) else order


def first_that_runs(nodes: int, models: Sequence[onnx.ModelProto], run: Callable[[str], Result]) -> Result:
    """Return what `run` gives for the name of the first engine in which it doesn't fail; EngineError if all do."""
    problems = []
    for engine in preferred(nodes, *models):
        try:
            return run(engine)
        except EngineError as error:
            problems.append(str(error))
    raise EngineError("; ".join(problems))


def warning(*models: onnx.ModelProto) -> str | None:
    """Return what to say of how these models are judged, if onnxruntime can't."""
    return f"{SATURATES}; judged by {REFERENCE}" if judged_elsewhere(*models) else None
