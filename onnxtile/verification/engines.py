"""Two independent engines behind one call: onnxruntime and onnx's reference evaluator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import onnx

Feeds = Mapping[str, np.ndarray]
Runner = Callable[[Feeds], list[Any]]
Result = TypeVar("Result")

MANY_NODES = 5_000
"""From here the reference evaluator is tried first: onnxruntime's loading time grows with the square of the nodes."""


class EngineError(Exception):
    """An engine can't load or run a model; the message is the engine's."""


def onnxruntime_options() -> Any:
    """Options of an onnxruntime session: no graph optimizations, and nothing printed."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    return options


def onnxruntime_session(model: onnx.ModelProto, options: Any) -> Any:
    """The model in onnxruntime on the CPU; EngineError where it can't be loaded."""
    import onnxruntime

    return guarded(
        "onnxruntime",
        lambda: onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]),
    )


def onnxruntime_runner(model: onnx.ModelProto) -> Runner:
    """A function that runs the model in onnxruntime on the CPU, without graph optimizations."""
    session = onnxruntime_session(model, onnxruntime_options())
    return lambda feeds: guarded("onnxruntime", lambda: list(session.run(None, dict(feeds))))


def reference_runner(model: onnx.ModelProto) -> Runner:
    """A function that runs the model in onnx.reference."""
    from onnx.reference import ReferenceEvaluator

    evaluator = guarded("onnx.reference", lambda: ReferenceEvaluator(model))

    def run(feeds: Feeds) -> list[Any]:
        with np.errstate(all="ignore"):
            return guarded("onnx.reference", lambda: list(evaluator.run(None, dict(feeds))))

    return run


ENGINES: dict[str, Callable[[onnx.ModelProto], Runner]] = {
    "onnxruntime": onnxruntime_runner,
    "onnx.reference": reference_runner,
}


def preferred(nodes: int) -> list[str]:
    """The engines in the order to try them for models of so many nodes."""
    return list(ENGINES) if nodes < MANY_NODES else list(reversed(ENGINES))


def guarded(engine: str, action: Callable[[], Result]) -> Result:
    """What `action` gives; whatever an engine raises meanwhile becomes an EngineError in one line."""
    try:
        return action()
    except Exception as error:  # engines raise types of their own, of many kinds; all mean the same here
        raise EngineError(f"{engine}: {type(error).__name__}: {' '.join(str(error).split())[:300]}") from error
