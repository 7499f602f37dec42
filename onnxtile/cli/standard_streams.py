"""Take `-` for standard input where a command reads a model, and for standard output where it writes one."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import typer

from onnxtile.cli.telling import reports_on_stderr
from onnxtile.errors import OnnxtileError, UnsupportedError, UsageError

Command = TypeVar("Command", bound=Callable[..., None])
STANDARD = "-"
_INPUTS = ("model", "original", "lowered", "against")
"""Parameters of commands that are models to read."""
_spooled: list[Path] = []
"""The file that standard input was written to; a command that goes on in a process of its own finds it there."""
_outputs: list[Path] = []
"""The file whose bytes go to standard output, while a command writes it."""


def standard_streams(command: Command, writes_model: bool = False, beside: bool = False) -> Command:
    """Let a command take `-` for one of the models that it reads, and for the model that it writes.

    `beside`: without an output the result goes beside the model, and has its name.
    """

    @wraps(command)
    def call(**values: Any) -> None:
        inputs = [name for name in _INPUTS if str(values.get(name)) == STANDARD]
        if len(inputs) > 1:
            raise UsageError("standard input holds one model; give the path of the other")
        for name in inputs:
            values[name] = _standard_input()
        if inputs and beside and values["output"] is None and not values.get("dry_run"):
            to_output = ", -o - to output" if writes_model else ""
            raise UsageError(f"a model from standard input has no name; say with -o where the result goes{to_output}")
        with _errors_named():
            if str(values.get("output")) == STANDARD:
                if not writes_model:
                    raise UsageError("only a model goes to standard output; give -o a path")
                _to_output(command, values)
            else:
                command(**values)

    return call  # type: ignore[return-value]  # of the same parameters


def name_of(path: Path) -> str:
    """Return a path as it was given: `-` for what stands for standard input or output."""
    return STANDARD if path in _spooled or path in _outputs else str(path)


def words_for(path: Path) -> str:
    """Return a path as a report names it: `standard input`, or `standard output`, for what stands for it."""
    return "standard input" if path in _spooled else "standard output" if path in _outputs else str(path)


def _standard_input() -> Path:
    """Return a file that has what standard input had; it's removed when the program ends."""
    if not _spooled:
        if sys.stdin is None:
            raise UsageError("standard input is closed; give the path of a model, or lead one there")
        if sys.stdin.isatty():
            raise UsageError("standard input is a terminal; give the path of a model, or lead one there")
        folder, owner = Path(tempfile.mkdtemp(prefix="onnxtile-")), os.getpid()
        atexit.register(_remove, folder, owner)
        path = folder / "standard-input.onnx"
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        _spooled.append(path)
    return _spooled[0]


def _remove(folder: Path, owner: int) -> None:
    """Remove a folder, in the process that made it: one that was forked leaves it."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _errors_named() -> Iterator[None]:
    """Have errors speak of standard input, and not of the file that stands for it."""
    try:
        yield
    except OnnxtileError as error:
        lines = error.lines
        for path in _spooled:
            lines = tuple(words.replace(str(path), "standard input") for words in lines)
        if lines == error.lines:
            raise
        raise type(error)(*lines) from error


def _to_output(command: Callable[..., None], values: dict[str, Any]) -> None:
    """Run a command that writes a model, which goes to standard output, and its report to standard error."""
    if values.get("json"):
        raise UsageError("-o - and --json both write to standard output; name a file, or use --report FILE")
    if values.get("external_data"):
        raise UsageError("--external-data writes a second file, which standard output can't hold; name a file with -o")
    if sys.stdout.isatty():
        raise UsageError(
            "standard output is a terminal, and a model isn't text; lead it to a file, or name one with -o"
        )
    with tempfile.TemporaryDirectory(prefix="onnxtile-") as folder:
        target = Path(folder) / "model.onnx"
        _outputs[:] = [target]
        try:
            with reports_on_stderr():
                command(**values | {"output": target})
        except typer.Exit:  # the answer is no, and the model may be written
            _copy(target)
            raise
        _copy(target)


def _copy(target: Path) -> None:
    if not target.exists():
        return
    if list(target.parent.iterdir()) != [target]:
        raise UnsupportedError("the weights go to a data file, which standard output can't hold; name a file with -o")
    with target.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.buffer.flush()
