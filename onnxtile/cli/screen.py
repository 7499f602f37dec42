"""Write reports on standard output, progress on standard error; no name, path or word is broken."""

from __future__ import annotations

import os
import shlex
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console
from rich.text import Text

from onnxtile.cli.telling import Steps, is_on_stderr, is_quiet, is_verbose
from onnxtile.ir.io.progress import silent
from onnxtile.ir.printable import printable

if TYPE_CHECKING:
    from onnxtile.ir.io.progress import Progress

_UNBOUNDED = 1_000_000
_Row = TypeVar("_Row")
Segments = tuple[tuple[str, str], ...]
"""Texts one behind the other, each with its style; none of them steers a terminal."""


class _Screen(Console):
    """Takes strings as they are, but for control characters: no markup, no emoji, no wrapping."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **options)


def console() -> Console:
    """Return what writes reports to standard output, or to standard error where that has a model."""
    return _Screen(
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=True,
        width=_UNBOUNDED,
        quiet=is_quiet(),
        stderr=is_on_stderr(),
    )


def terminal_width() -> int | None:
    """Return the columns of the terminal that standard output is; None where it's a file or a pipe."""
    if not sys.stdout.isatty():
        return None
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):  # one without a size, or without a descriptor
        return 80


def first(rows: Sequence[_Row], most: int) -> Sequence[_Row]:
    """Return the rows to show: of so many that they'd fill a terminal the first, for a file or a pipe all."""
    return rows if terminal_width() is None else rows[:most]


def styled(*parts: tuple[str, str]) -> Segments:
    """Return texts with their styles; what would steer a terminal is spelled out."""
    return tuple((printable(text), style) for text, style in parts)


def say(words: str, style: str = "") -> None:
    """Print words, which a terminal gets in lines between blanks; names of files are printed otherwise, whole."""
    width = terminal_width()
    if width is not None:
        text = printable(words)
        deeper = " " * (len(text) - len(text.lstrip()) + 2)
        lines = textwrap.wrap(
            text, max(width, 40), subsequent_indent=deeper, break_long_words=False, break_on_hyphens=False
        )
    else:
        lines = [words]
    for line in lines:
        console().print(line, style=style)


def suggest(words: str, *call: object) -> None:
    """Tell what may be called next, on a terminal only."""
    if terminal_width() is not None:
        console().print(f"{words}: {shlex.join(['onnxtile', *map(str, call)])}", style="dim")


def print_rest(count: int, where: str) -> None:
    """Say how many rows a terminal doesn't get, if any, and where they are."""
    if count > 0:
        console().print(f"... and {count:,} more; {where}", style="dim")


def reasons_with_names(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Return each reason with the first name that it's given for, and how many more there are.

    Reasons of one kind with one cure, `kind: what; cure`, are told once, by the first of them.
    """
    told: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for reason, name in pairs:
        (kind, colon, _), (_, _, cure) = reason.partition(": "), reason.rpartition("; ")
        told.setdefault((kind, cure) if colon and cure != reason else (reason,), []).append((reason, name))
    lines = []
    for (reason, name), *others in told.values():
        like = " like it" if any(other != reason for other, _ in others) else ""
        lines.append(f"{reason}  ({name}{f' and {len(others):,} more{like}' if others else ''})")
    return lines


@contextmanager
def progress(label: str) -> Iterator[Progress]:
    """Show what is being done, how far it is and how fast, on a terminal only; gone when it's over.

    Verbose, it's told line by line instead, wherever standard error leads; quiet, not at all.
    What other people's code prints meanwhile goes to standard error: the report stands alone.
    """
    with redirect_stdout(sys.stderr):
        if is_verbose():
            steps = Steps(label)
            yield steps
            steps.tell("done")
        elif is_quiet():
            yield silent
        else:
            with _bar(label) as say:
                yield say


@contextmanager
def _bar(label: str) -> Iterator[Progress]:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

    screen = Console(stderr=True)
    if not screen.is_terminal:
        yield silent
        return
    words, speed = TextColumn("{task.description}", markup=False), TaskProgressColumn(show_speed=True)
    columns = [SpinnerColumn(), words, BarColumn(), speed, TimeElapsedColumn()]
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task(printable(label), total=None)
        state = {"words": ""}

        def say(words: str, done: int = 0, total: int | None = None) -> None:
            kind = words.partition(" ")[0]
            if kind != state["words"]:
                bar.reset(task)  # another kind of work: its rate is its own
                state["words"] = kind
            bar.update(task, description=printable(f"{label}: {words}"), completed=done, total=total)

        yield say
