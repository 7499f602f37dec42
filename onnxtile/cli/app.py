"""The program: its commands, and how errors end it."""

from __future__ import annotations

import sys
import warnings

import typer

from onnxtile.cli import annotate, capture, check, lower, passes, profile, reduce, run, verify
from onnxtile.cli.endings import OUTPUT_CLOSED, STOPPED, complete_streams, ending
from onnxtile.cli.isolation import IsolationError, run_isolated

_DEBUG = "--debug"

app = typer.Typer(
    name="onnxtile",
    help="Fit ONNX models to a matrix engine of bounded size, and prove it.",
    add_completion=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (lower, check, verify, profile, capture, annotate, run, reduce, passes):
    app.command(name=command.__name__.rpartition(".")[2], epilog=command.EXAMPLES)(command.command)


@app.callback(invoke_without_command=True)
def _program(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and stop."),
    debug: bool = typer.Option(
        False, _DEBUG, help="Show the traceback of what ends the program; may also stand behind the command."
    ),
) -> None:
    if version:
        from onnxtile import __version__

        typer.echo(__version__)
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _run(arguments: list[str]) -> object:
    """Run the command, in a process of its own where it asks for that; return the exit status."""
    try:
        return app(args=arguments, standalone_mode=False)
    except IsolationError as error:
        wanted = error
    return run_isolated(main, wanted)


def main() -> None:
    """Run the program. Exit status: 0 it holds, 1 the answer is no, 2 the call or a file is bad, or the program is.

    What ends it early gets one line on standard error, whatever it is; `--debug` shows its traceback, too.
    """
    complete_streams()
    arguments, behind = _split(sys.argv[1:])
    debug = _DEBUG in arguments
    arguments = [*(each for each in arguments if each != _DEBUG), *behind]
    try:
        with warnings.catch_warnings():
            if not (debug or sys.warnoptions):
                warnings.simplefilter("ignore")
            status = _run(arguments)
        sys.stdout.flush()
    except SystemExit as ended:  # of libraries; they leave so where standard output was closed
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        sys.exit(OUTPUT_CLOSED.tell())
    except (Exception, KeyboardInterrupt) as error:  # the last place where it can be told in one line
        sys.exit(ending(error).tell(error if debug else None))
    if status == STOPPED:  # typer has taken the interrupt
        ending(KeyboardInterrupt()).tell()
    sys.exit(status if isinstance(status, int) else 0)


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return the arguments before `--`, and the others."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], arguments[at:]
