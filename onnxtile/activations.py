"""`capture` for every kind of model: ONNX by onnxruntime, torch by torch."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, overload

from onnxtile.capturing.capturer import MEMORY
from onnxtile.capturing.capturer import capture as capture_onnx
from onnxtile.capturing.record import Captured, CaptureReport
from onnxtile.capturing.selection import Texts
from onnxtile.errors import UsageError
from onnxtile.interop import AnyModel
from onnxtile.kinds import is_torch
from onnxtile.progress import Progress


@overload
def capture(
    model: AnyModel, *, op: Texts = None, name: Texts = None, inputs: Any = None, seed: int = 0,
    bind: Mapping[str, int] | None = None, output: None = None, memory: int = MEMORY, progress: Progress | None = None,
) -> Captured: ...  # fmt: skip
@overload
def capture(
    model: AnyModel, *, op: Texts = None, name: Texts = None, inputs: Any = None, seed: int = 0,
    bind: Mapping[str, int] | None = None, output: str | os.PathLike[str], memory: int = MEMORY,
    progress: Progress | None = None,
) -> CaptureReport: ...  # fmt: skip
def capture(
    model: AnyModel,
    *,
    op: Texts = None,
    name: Texts = None,
    inputs: Any = None,
    seed: int = 0,
    bind: Mapping[str, int] | None = None,
    output: str | os.PathLike[str] | None = None,
    memory: int = MEMORY,
    progress: Progress | None = None,
) -> Captured | CaptureReport:
    """What nodes or modules inside a model give when it's run.

    `model`: ONNX, as a path, ModelProto, onnx_ir.Model or onnx_graphsurgeon.Graph: see
    `onnxtile.capturing.capture` for all that follows. Or of torch, as a module, ScriptModule, ExportedProgram, a path
    of a .pt or .pt2 file, or `module:callable`: then `op` names classes of modules, `name` their paths, and `inputs` is
    needed: tensors or arrays by place (a tuple or list, or one alone) or by name (a dict), or texts such as
    `1x3x224x224` for random ones from `seed`; see `onnxtile.torching.capturing.capture_torch` for what comes back.

    Raises UsageError, ModelError, UnsupportedError, having written nothing.
    """
    if not is_torch(model):
        run: Any = capture_onnx  # it has overloads for what it's given here either way
        found: Captured | CaptureReport = run(
            model, op=op, name=name, inputs=inputs, seed=seed, bind=bind, output=output, memory=memory,
            progress=progress,
        )  # fmt: skip
        return found
    if bind:
        raise UsageError("a torch model has no free dimensions to bind: its inputs have the sizes")
    if inputs is None:
        raise UsageError("a torch model doesn't say what it takes: give inputs, such as '1x3x224x224'")
    from onnxtile.torching.loading import load, require_torch

    source = os.fspath(model) if isinstance(model, (str, os.PathLike)) else None
    loaded = model if source is None else load(source).model
    torch = require_torch()
    from onnxtile.torching.capturing import capture_torch
    from onnxtile.torching.inputs import as_inputs, example_inputs, parse_inputs

    texts = _texts(inputs)
    args, kwargs = as_inputs(inputs) if texts is None else example_inputs(parse_inputs(texts), seed)
    args, kwargs = (_tensors(torch, each) for each in (args, kwargs))
    return capture_torch(
        loaded, args, kwargs, op=op, name=name, output=output, seed=None if texts is None else seed, source=source,
        progress=progress,
    )  # fmt: skip


def _texts(inputs: Any) -> Sequence[str] | None:
    """The inputs, if they are texts that say shapes."""
    given = [inputs] if isinstance(inputs, str) else inputs
    is_texts = isinstance(given, (list, tuple)) and given and all(isinstance(each, str) for each in given)
    return list(given) if is_texts else None


def _tensors(torch: Any, given: Any) -> Any:
    """The inputs with tensors in place of arrays."""
    import numpy as np

    if isinstance(given, np.ndarray):
        return torch.from_numpy(given.copy())
    if isinstance(given, tuple) and not hasattr(given, "_fields"):
        return tuple(_tensors(torch, each) for each in given)
    if isinstance(given, list):
        return [_tensors(torch, each) for each in given]
    if isinstance(given, dict):
        return {name: _tensors(torch, each) for name, each in given.items()}
    return given
