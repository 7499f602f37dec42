"""Set how much the program tells: nothing but errors, the report, or what is being done as well."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from onnxtile.errors import UsageError
from onnxtile.ir.printable import printable

_quiet: ContextVar[bool] = ContextVar("quiet", default=False)
_on_stderr: ContextVar[bool] = ContextVar("on_stderr", default=False)
_verbose: ContextVar[bool] = ContextVar("verbose", default=False)


@contextmanager
def telling(quiet: bool = False, verbose: bool = False) -> Iterator[None]:
    """Print no reports meanwhile, or what is being done as well; UsageError for both."""
    if quiet and verbose:
        raise UsageError("--quiet prints nothing, and --verbose what is being done; give one of them")
    tokens = _quiet.set(quiet), _verbose.set(verbose)
    try:
        yield
    finally:
        _quiet.reset(tokens[0])
        _verbose.reset(tokens[1])


def is_quiet() -> bool:
    """Return whether reports aren't to be printed."""
    return _quiet.get()


def is_verbose() -> bool:
    """Return whether what is being done is to be told on standard error."""
    return _verbose.get()


@contextmanager
def reports_on_stderr() -> Iterator[None]:
    """Print reports on standard error meanwhile: standard output is a model's."""
    token = _on_stderr.set(True)
    try:
        yield
    finally:
        _on_stderr.reset(token)


def is_on_stderr() -> bool:
    """Return whether reports go to standard error."""
    return _on_stderr.get()


class Steps:
    """Tells on standard error what is being done: a line for each kind of work as it begins, with the time so far."""

    def __init__(self, label: str) -> None:
        self._label, self._start, self._kind = label, time.perf_counter(), ""

    def __call__(self, words: str, done: int = 0, total: int | None = None) -> None:
        kind = words.partition(" ")[0]
        if kind != self._kind or not (done or total):
            self._kind = kind
            self.tell(words)

    def tell(self, words: str) -> None:
        line = printable(f"{self._label}: {words}")
        print(f"{time.perf_counter() - self._start:8.2f} s  {line}", file=sys.stderr)
