"""Load models of torch from files, and from the user's own code, and open them with the inputs that they run with."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from onnxtile.errors import ModelError, OnnxtileError, UsageError
from onnxtile.ir.io.checker import one_line
from onnxtile.ir.printable import beginning
from onnxtile.torch_frontend.detection import names_callable
from onnxtile.torch_frontend.untrusted.torch_files import check_torch_file

if TYPE_CHECKING:
    from onnxtile.torch_frontend.network import Network

NO_TORCH = "torch isn't installed: pip install 'onnxtile[torch]'"


def load(path_or_spec: str) -> Any:
    """Return the ScriptModule or ExportedProgram in a file, or the module that `module:callable` gives.

    A file is judged before anything of it is loaded: one that is or holds a pickle of other things than tensors, or
    whose code reaches for files or other processes, is refused. `module:callable` runs that code, which is the user's
    own: `module` is looked for in the current folder too; `callable` gives an `nn.Module`.

    Raises ModelError for what is refused or can't be read, UsageError where torch isn't installed and for a
    `module:callable` that fails.
    """
    if names_callable(path_or_spec):
        return _load_callable(path_or_spec)
    path = Path(path_or_spec)
    kind = check_torch_file(path)
    torch = require_torch()
    try:
        with unlogged(logging.CRITICAL, "torch.export"):  # the error says what it would log
            if kind == "script":
                return torch.jit.load(str(path), map_location="cpu")
            with path.open("rb") as file:
                return torch.export.load(file)
    except Exception as error:  # torch raises any kind for files that it can't read
        raise ModelError(f"{path}: torch {torch.__version__} can't load it: {beginning(one_line(error))}") from error


@contextmanager
def unlogged(level: int, *names: str) -> Iterator[None]:
    """Ignore warnings, and what loggers of these names log below a level."""
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(level)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, previous in zip(loggers, before, strict=True):
            logger.setLevel(previous)


def require_torch() -> ModuleType:
    """Return the module torch. Raises UsageError with what to install where it isn't there."""
    try:
        return importlib.import_module("torch")
    except ModuleNotFoundError as error:
        raise UsageError(NO_TORCH) from error
    except (ImportError, OSError) as error:
        raise UsageError(f"torch can't be imported: {one_line(error)}") from error


def _load_callable(spec: str) -> Any:
    """Return the module that the user's own code gives. Raises UsageError where it fails or gives none."""
    torch = require_torch()
    if not {"", str(Path.cwd())} & set(sys.path):
        sys.path.insert(0, str(Path.cwd()))
    module, _, attributes = spec.partition(":")
    try:
        network: Any = importlib.import_module(module)
        for attribute in attributes.split("."):
            network = getattr(network, attribute)
        if not isinstance(network, torch.nn.Module):
            network = network()
    except (Exception, SystemExit) as error:  # it runs the user's code, which may raise anything
        raise UsageError(f"{spec} fails: {described(error)}") from error
    if not isinstance(network, torch.nn.Module):
        raise UsageError(f"{spec} gives a {type(network).__name__}; it should give a torch.nn.Module")
    return network


def described(error: BaseException) -> str:
    """Return an error's type and the beginning of its words, on one line."""
    return f"{type(error).__name__}: {beginning(one_line(error))}"


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
