"""Export a model of torch to an ONNX file, by torch's own exporters."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from onnxtile.errors import UnsupportedError
from onnxtile.ir.io.checker import one_line
from onnxtile.ir.printable import beginning
from onnxtile.torch_frontend.load import unlogged
from onnxtile.torch_frontend.network import Network
from onnxtile.torch_frontend.trace.environment import inference

OPSET = 18
"""What the exporter's own operators are written in; others are converted from it."""
OPSET_OF_SCRIPTS = 17
"""The newest that the older exporter knows without doubt."""
LARGEST = 1_500_000_000
"""Bytes of weights from which on they go into a file beside the model: protobuf ends at 2 GB."""
_LOUD = ("torch.onnx", "onnxscript", "onnx_ir", "torch.export", "torch.fx")


def export(network: Network, path: Path) -> None:
    """Write the network, as it runs with its inputs, to `path`, in opset 18 or 17; its sizes are those of the inputs.

    Modules and exported programs go by torch's exporter on `torch.export`; TorchScript, which that one doesn't take, by
    the older one. Raises UnsupportedError for what the exporter can't do, with its reason.
    """
    network = network.in_order()
    model, args, kwargs = network.model, network.args, dict(network.kwargs)
    with quiet(), contextlib.ExitStack() as stack:
        try:
            if isinstance(model, torch.nn.Module):
                stack.enter_context(inference(model))
            if isinstance(model, torch.jit.ScriptModule):
                torch.onnx.export(
                    model, args, str(path), kwargs=kwargs, input_names=_input_names(network), dynamo=False,
                    opset_version=OPSET_OF_SCRIPTS,
                )  # fmt: skip
                return
            if network.is_exported:
                args, kwargs = (), {}  # it has its own
            program = torch.onnx.export(
                model, args, kwargs=kwargs or None, dynamo=True, verbose=False, opset_version=OPSET
            )
            assert program is not None
            tensors = (value.const_value for value in program.model.graph.initializers.values())
            weights = sum(tensor.nbytes for tensor in tensors if tensor is not None)
            program.save(str(path), external_data=weights > LARGEST)
        except Exception as error:  # the exporters raise what comes up, of any kind; all mean the same here
            raise UnsupportedError(f"torch can't export this model to ONNX: {_reason(error)}") from error


def _input_names(network: Network) -> list[str] | None:
    """Return what forward of a scripted module calls the inputs; None where it doesn't say."""
    schema = getattr(getattr(network.model, "forward", None), "schema", None)
    if schema is None:
        return None
    names = [argument.name for argument in schema.arguments[1:]]
    count = len(network.args)
    return [*names[:count], *(name for name in names[count:] if name in network.kwargs)]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the exporters from printing, logging and warning of their own affairs; what matters is raised."""
    with unlogged(logging.ERROR, *_LOUD), _silent():
        yield


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep stdout empty, also of what C++ writes: the older exporter prints whole graphs where it fails."""
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
    """Return the first words of the error at the bottom."""
    while error.__cause__ is not None:
        error = error.__cause__
    return beginning(one_line(error))
