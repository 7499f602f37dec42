"""What a call names: a network and the inputs that it runs with."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any

from onnxtile.errors import OnnxtileError, UsageError
from onnxtile.ir.io.checker import one_line
from onnxtile.ir.printable import beginning
from onnxtile.torch_frontend.load import load


@dataclass(frozen=True)
class Opened:
    """A network with the inputs of one run. `seed`: where they are random, what they were made from."""

    model: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    seed: int | None = None

    @property
    def run(self) -> tuple[Any, tuple[Any, ...], Mapping[str, Any]]:
        """The network and its inputs, as most functions take them."""
        return self.model, self.args, self.kwargs


def open_torch(model: object, inputs: object = None, seed: int = 0) -> Opened:
    """The network that `model` is or names, and its inputs: tensors, arrays, or texts as `--input` has them.

    Without `inputs` an exported program has its own. Raises ModelError and UsageError as `loading.load` does, and
    UsageError where there are no inputs.
    """
    with redirect_stdout(sys.stderr):  # code of the user's, which may print
        network = load(os.fspath(model)).model if isinstance(model, (str, os.PathLike)) else model
    if type(network).__name__ == "OptimizedModule":  # of torch.compile; what it was made of is what is told
        network = getattr(network, "_orig_mod", network)
    from onnxtile.torch_frontend.inputs import as_inputs, tensors  # torch is there by now, or load has said so

    if inputs is None or (isinstance(inputs, (list, tuple)) and not inputs):
        own = getattr(network, "example_inputs", None)
        if not own:
            raise UsageError("a model of torch doesn't say what it takes: give inputs (--input 1x3x224x224)")
        return Opened(network, tuple(own[0]), dict(own[1]))
    args, kwargs = as_inputs(tensors(inputs), seed)
    texts = isinstance(inputs, str) or (isinstance(inputs, (list, tuple)) and isinstance(inputs[0], str))
    return Opened(network, args, kwargs, seed if texts else None)


@contextmanager
def running() -> Iterator[None]:
    """Whatever the model's own code raises meanwhile becomes a UsageError in one line; what it prints isn't output."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except OnnxtileError:
        raise
    except (Exception, SystemExit) as error:  # the model's own code runs, which may raise anything
        words = f"{type(error).__name__}: {beginning(one_line(error))}"
        raise UsageError(f"the model fails on these inputs: {words}") from error
