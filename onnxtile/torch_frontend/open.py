"""Open what a call names: a network of torch, and the inputs that it runs with."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

from onnxtile.errors import OnnxtileError, UsageError
from onnxtile.torch_frontend.load import described, load

if TYPE_CHECKING:
    from onnxtile.torch_frontend.network import Network


def open_torch(model: object, inputs: object = None, seed: int = 0) -> Network:
    """Return the network that `model` is or names, with its inputs: tensors, arrays, or texts as `--input` has them.

    Without `inputs` an exported program has its own. Raises ModelError and UsageError as `load` does, and UsageError
    where there are no inputs.
    """
    with redirect_stdout(sys.stderr):  # code of the user's, which may print
        loaded = load(os.fspath(model)) if isinstance(model, (str, os.PathLike)) else model
    if type(loaded).__name__ == "OptimizedModule":  # of torch.compile, which keeps the module that it compiles
        loaded = getattr(loaded, "_orig_mod", loaded)
    from onnxtile.torch_frontend.inputs import as_inputs, tensors  # torch is there by now, or load has said so
    from onnxtile.torch_frontend.network import Network

    if inputs is None or (isinstance(inputs, (list, tuple)) and not inputs):
        own = getattr(loaded, "example_inputs", None)
        if not own:
            raise UsageError("a model of torch doesn't say what it takes: give inputs (--input 1x3x224x224)")
        return Network(loaded, tuple(own[0]), dict(own[1]))  # type: ignore[arg-type]  # judged when it runs
    args, kwargs = as_inputs(tensors(inputs), seed)
    random = isinstance(inputs, str) or (isinstance(inputs, (list, tuple)) and isinstance(inputs[0], str))
    return Network(loaded, args, kwargs, seed if random else None)  # type: ignore[arg-type]  # the same


@contextmanager
def running() -> Iterator[None]:
    """Turn whatever the model's own code raises into a UsageError in one line, and keep what it prints from stdout."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except OnnxtileError:
        raise
    except (Exception, SystemExit) as error:  # the model's own code runs, which may raise anything
        raise UsageError(f"the model fails on these inputs: {described(error)}") from error
