"""The program: its commands, and how errors end it."""

from __future__ import annotations

import gc
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from onnxtile.cli import (
    annotate,
    capture,
    check,
    draw,
    engine,
    lower,
    passes,
    profile,
    reduce,
    report,
    run,
    schema,
    sweep,
    verify,
)
from onnxtile.cli.endings import OUTPUT_CLOSED, STOPPED, complete_streams, ending
from onnxtile.cli.help_text import Commands
from onnxtile.cli.isolation import IsolationError, run_isolated
from onnxtile.cli.standard_streams import standard_streams
from onnxtile.cli.telling import telling
from onnxtile.errors import PluginWarning
from onnxtile.ir.bounds import BOUNDS, allowing, parse_bounds
from onnxtile.ir.printable import printable

_DEBUG, _ALLOW = "--debug", "--allow"
_QUIET, _VERBOSE = ("-q", "--quiet"), ("-v", "--verbose")
"""Options of the program that are taken behind a command as well."""
YOUNG = 50_000
"""Objects that are made before they are looked at as garbage: a model's nodes live as long as the program."""

app = Commands(
    name="onnxtile",
    help="Fit ONNX models to a matrix engine of bounded size, and prove it.",
    add_completion=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (lower, check, verify, profile, draw, report, capture, annotate, run, reduce, sweep, passes, schema):
    streaming = standard_streams(
        command.command, writes_model=command in (lower, annotate, run), beside=command in (lower, annotate, reduce)
    )
    app.command(name=command.__name__.rpartition(".")[2], epilog=command.EXAMPLES)(streaming)
app.add_typer(engine.app, name="engine")


@app.callback(invoke_without_command=True)
def _program(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
    debug: Annotated[
        bool, typer.Option(_DEBUG, help="Show the traceback of what ends the program; also behind the command.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option(*_QUIET, help="Print no report, only what goes wrong, and --json; also behind the command.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option(*_VERBOSE, help="Tell what is being done on standard error; also behind the command.")
    ] = False,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            _ALLOW, metavar="NAME=NUMBER", help=f"Move bounds ({', '.join(BOUNDS)}); also behind the command."
        ),
    ] = None,
) -> None:
    if version:
        from onnxtile import __version__

        typer.echo(__version__)
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _run(arguments: list[str]) -> object:
    """Run the command, in a process of its own where it asks for that; return the exit status."""
    try:
        return app(args=arguments, prog_name="onnxtile", standalone_mode=False)
    except IsolationError as error:
        wanted = error
    return run_isolated(main, wanted)


@contextmanager
def _quiet(debug: bool) -> Iterator[None]:
    """Keep libraries from warning and logging on standard error, which has lines of ours only; but for --debug.

    A plugin that is left out is named there.
    """
    level = logging.root.manager.disable
    with warnings.catch_warnings():
        if not debug:
            logging.disable(logging.CRITICAL)
            if not sys.warnoptions:
                warnings.simplefilter("ignore")
            warnings.filterwarnings("always", category=PluginWarning)
            told: set[str] = set()
            warnings.showwarning = lambda message, *_, **__: _tell(str(message), told)
        try:
            yield
        finally:
            logging.disable(level)


def _tell(words: str, told: set[str]) -> None:
    """Print a warning as one line, once."""
    if words not in told:
        told.add(words)
        print(f"onnxtile: {printable(words)}", file=sys.stderr)


def main() -> None:
    """Run the program. Exit status: 0 it holds, 1 the answer is no, 2 the call or a file is bad, or the program is.

    What ends it early gets one line on standard error, whatever it is; `--debug` shows its traceback, too.
    """
    complete_streams()
    gc.set_threshold(YOUNG, 20, 100)
    arguments, own, allowed = _without_own(sys.argv[1:])
    debug, told = _DEBUG in own, (not own.isdisjoint(_QUIET), not own.isdisjoint(_VERBOSE))
    try:
        with _quiet(debug), telling(*told), allowing(parse_bounds(allowed)):
            status = _run(arguments)
        sys.stdout.flush()
        gc.freeze()  # Python looks for cycles once more when it ends
    except SystemExit as ended:  # of libraries; they leave so where standard output was closed
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        sys.exit(OUTPUT_CLOSED.tell())
    except (Exception, KeyboardInterrupt) as error:  # the last place where it can be told in one line
        sys.exit(ending(error).tell(error if debug else None))
    if status == STOPPED:  # typer has taken the interrupt
        ending(KeyboardInterrupt()).tell()
    sys.exit(status if isinstance(status, int) else 0)


def _without_own(arguments: list[str]) -> tuple[list[str], set[str], list[str]]:
    """Return the arguments without the program's own options, which may stand anywhere before `--`; and those."""
    kept, allowed, own = [], [], set()
    left = iter(arguments)
    for argument in left:
        if argument == "--":
            kept += [argument, *left]
        elif argument in (_DEBUG, *_QUIET, *_VERBOSE):
            own.add(argument)
        elif argument == _ALLOW:
            allowed.append(next(left, ""))
        elif argument.startswith(f"{_ALLOW}="):
            allowed.append(argument.removeprefix(f"{_ALLOW}="))
        else:
            kept.append(argument)
    return kept, own, allowed
