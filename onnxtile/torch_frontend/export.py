"""From a torch model to an ONNX file, by torch's own exporters."""

from __future__ import annotations

import contextlib
import inspect
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from onnxtile.errors import UnsupportedError
from onnxtile.ir.io.checker import one_line
from onnxtile.ir.printable import beginning
from onnxtile.torch_frontend.trace.environment import inference
from onnxtile.torch_frontend.trace.recording import Network

OPSET = 18
"""What the exporter's own operators are written in; others are converted from it."""
OPSET_OF_SCRIPTS = 17
"""The newest that the older exporter knows without doubt."""
LARGEST = 1_500_000_000
"""Bytes of weights from which on they go into a file beside the model: protobuf ends at 2 GB."""
_LOUD = ("torch.onnx", "onnxscript", "onnx_ir", "torch.export", "torch.fx")


def export(model: Network, args: tuple[Any, ...], kwargs: Mapping[str, Any], path: Path) -> None:
    """Write `model`, as it runs with these inputs, to `path`, in opset 18 or 17; its sizes are those of the inputs.

    Modules and exported programs go by torch's exporter on `torch.export`; TorchScript, which that one doesn't take, by
    the older one. Raises UnsupportedError for what the exporter can't do, with its reason.
    """
    args, kwargs = in_order(model, args, kwargs)
    with quiet(), contextlib.ExitStack() as stack:
        try:
            if isinstance(model, torch.nn.Module):
                stack.enter_context(inference(model))
            if isinstance(model, torch.jit.ScriptModule):
                names = _names(model, len(args), kwargs)
                torch.onnx.export(
                    model, args, str(path), kwargs=dict(kwargs), input_names=names, dynamo=False,
                    opset_version=OPSET_OF_SCRIPTS,
                )  # fmt: skip
                return
            if isinstance(model, torch.export.ExportedProgram):
                program = torch.onnx.export(model, dynamo=True, verbose=False, opset_version=OPSET)
            else:
                program = torch.onnx.export(
                    model, args, kwargs=dict(kwargs), dynamo=True, verbose=False, opset_version=OPSET
                )
            tensors = (value.const_value for value in program.model.graph.initializers.values())
            weights = sum(tensor.nbytes for tensor in tensors if tensor is not None)
            program.save(str(path), external_data=weights > LARGEST)
        except Exception as error:  # the exporters raise what comes up, of any kind; all mean the same here
            raise UnsupportedError(f"torch can't export this model to ONNX: {_reason(error)}") from error


def in_order(
    model: Network, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The inputs in the order of forward's parameters, by place where they can be: exported models have that order."""
    if not kwargs or not isinstance(model, torch.nn.Module) or isinstance(model, torch.jit.ScriptModule):
        return args, dict(kwargs)
    try:
        bound = inspect.signature(model.forward).bind(*args, **kwargs)
    except (TypeError, ValueError):  # running the model says what is wrong
        return args, dict(kwargs)
    return bound.args, bound.kwargs


def _names(model: torch.jit.ScriptModule, places: int, kwargs: Mapping[str, Any]) -> list[str] | None:
    """What forward calls its inputs; None where it doesn't say."""
    schema = getattr(getattr(model, "forward", None), "schema", None)
    if schema is None:
        return None
    names = [argument.name for argument in schema.arguments[1:]]
    return [*names[:places], *(name for name in names[places:] if name in kwargs)]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """The exporters print, log and warn of their own affairs; what matters is raised."""
    loggers = [logging.getLogger(name) for name in _LOUD]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), _silent():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Nothing reaches the standard output, be it from C++: the older exporter prints whole graphs where it fails."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(io.StringIO()):  # noqa: PTH123  # no path
            os.dup2(nowhere.fileno(), 1)
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _reason(error: BaseException) -> str:
    """The first line of what lies at the bottom."""
    while error.__cause__ is not None:
        error = error.__cause__
    return beginning(one_line(error))
