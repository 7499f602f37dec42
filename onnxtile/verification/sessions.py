"""A model in onnxruntime on the CPU, without graph optimizations; and errors of engines in one line."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

import onnx
import onnx_ir as ir

from onnxtile.errors import UnsupportedError
from onnxtile.ir.bounds import most, raise_hint
from onnxtile.ir.printable import beginning

Result = TypeVar("Result")
_STATUS = re.compile(r"\[ONNXRuntimeError\] : \d+ : \w+ : ")
"""Match the status that onnxruntime puts in front of its words."""


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
    """The model in onnxruntime on the CPU; EngineError where it can't be loaded.

    Raises UnsupportedError for sparse weights that would be too large there: they are written out.
    """
    import onnxruntime

    sparse = model.graph.sparse_initializer
    size = sum(math.prod(tensor.dims) * -(-ir.DataType(tensor.values.data_type).bitwidth // 8) for tensor in sparse)
    if size > most("sparse-bytes"):
        words = f"sparse weights that onnxruntime writes out come to {size:,} bytes"
        raise UnsupportedError(f"{words}, {raise_hint('sparse-bytes')}")
    return guarded(
        "onnxruntime",
        lambda: onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]),
    )


def guarded(engine: str, action: Callable[[], Result]) -> Result:
    """Return what `action` gives; whatever an engine raises meanwhile becomes an EngineError in one line."""
    try:
        return action()
    except Exception as error:  # engines raise types of their own, of many kinds; all mean the same here
        words = _STATUS.sub("", " ".join(str(error).split()))
        raise EngineError(f"{engine}: {type(error).__name__}: {beginning(words)}") from error
