"""Load models of torch from files, and from the user's own code."""

from __future__ import annotations

import importlib
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from onnxtile.errors import ModelError, UsageError
from onnxtile.ir.io.checker import one_line
from onnxtile.ir.printable import beginning
from onnxtile.torch_frontend.detection import names_callable
from onnxtile.torch_frontend.untrusted.torch_files import check_torch_file

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
