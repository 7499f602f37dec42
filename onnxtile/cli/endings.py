"""End the program where something stops it: with one line on standard error, and an exit status."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

import typer

from onnxtile.errors import OnnxtileError, did_you_mean, system_words
from onnxtile.ir.printable import printable

BAD, STOPPED = 2, 130
"""Exit statuses: the call, a file or the program is bad; the user stopped it (128 and the signal's number)."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EBADF)
"""Errors of writing; those of files are told by `files.py`, with the file's name, and don't come here."""

_NOT_ONE_OF = re.compile(r"'([^']*)' is not one of (.*)")
"""Words of typer for a value that isn't among those of an option."""


@dataclass(frozen=True)
class Ending:
    """A line that says why, the exit status, lines beneath that show the place, and those of other mistakes, if any."""

    words: str
    status: int = BAD
    beneath: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    def tell(self, error: BaseException | None = None) -> int:
        """Print the line, behind the traceback of `error` if that's given; return the exit status."""
        _settle_output()
        with contextlib.suppress(OSError, ValueError):  # standard error is closed or full: the status has to do
            if error is not None:
                traceback.print_exception(error)
            lines = [f"onnxtile: {printable(words)}" for words in (self.words, *self.others)]
            lines += [f"  {printable(line)}" for line in self.beneath]
            print(*lines, sep="\n", file=sys.stderr, flush=True)
        return self.status


OUTPUT_CLOSED = Ending("standard output is closed; not all of the report was read")


def ending(error: BaseException) -> Ending:
    """Return how this error ends the program."""
    if isinstance(error, OnnxtileError):
        first, *others = error.lines or ("",)
        return Ending(first, beneath=error.beneath, others=tuple(others))
    if isinstance(error, typer.TyperException):
        return Ending(f"{_of_call(error)}; see --help")
    if isinstance(error, (typer.Abort, KeyboardInterrupt)):
        return Ending("stopped; nothing was written", STOPPED)
    if isinstance(error, MemoryError):
        return Ending("memory ran out; the model is too large for this machine or for the limit on the process")
    if isinstance(error, RecursionError):
        return Ending("the model is nested too deeply to be read: graphs, types or formulas within each other")
    if isinstance(error, OSError) and isinstance(error.filename, (str, bytes)):
        return Ending(f"{os.fsdecode(error.filename)}: {system_words(error)}")
    if isinstance(error, BrokenPipeError):
        return OUTPUT_CLOSED
    if isinstance(error, OSError) and error.errno in _FULL:
        return Ending(f"standard output can't be written: {system_words(error)}")
    words = f"internal error: {type(error).__name__}: {error}".rstrip(": ")
    return Ending(f"{words}; run with --debug for the traceback, and report it")


def _of_call(error: typer.TyperException) -> str:
    """Return what is wrong with a call, and what was meant by an option, or by a value out of a few."""
    words = " ".join(error.format_message().split()).rstrip(".").replace("Value error, ", "")
    if possible := getattr(error, "possibilities", None) or _begin_alike(error):
        return f"{error.message}; did you mean {' or '.join(sorted(possible))}?"
    value = _NOT_ONE_OF.search(words)
    return words if value is None else words + did_you_mean(value[1], re.findall(r"'([^']*)'", value[2]))


def _begin_alike(error: typer.TyperException) -> list[str]:
    """Return the options of the command that begin as one does that it hasn't: `--bind` for `--batch`."""
    wrong, context = getattr(error, "option_name", ""), getattr(error, "ctx", None)
    if not wrong.startswith("--") or context is None:
        return []
    options = (option for parameter in context.command.params for option in parameter.opts)
    return [option for option in options if len(wrong) > 2 and option.startswith(wrong[:3])]


def complete_streams() -> None:
    """Give the program standard streams where the caller closed them; what's written to them fails, or is lost.

    What the encoding of standard output lacks is spelled out there, as Python does on standard error.
    """
    if sys.stdout is None:
        reading, writing = os.pipe()
        os.close(reading)
        sys.stdout = os.fdopen(writing, "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # open for as long as the program runs
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _settle_output() -> None:
    """Write what standard output still holds; where it can't be written, let that go, or Python would complain last."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
