"""The program: its commands, and how errors end it."""

from __future__ import annotations

import sys

import typer

from onnxtile.cli import annotate, capture, check, lower, passes, profile, reduce, run, verify
from onnxtile.errors import OnnxtileError

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
) -> None:
    if version:
        from onnxtile import __version__

        typer.echo(__version__)
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run the program. Exit status: 0 it holds, 1 the answer is no, 2 the call or a file is bad.

    A bad call or file gets one line on standard error.
    """
    try:
        status = app(standalone_mode=False)
    except OnnxtileError as error:
        print(f"onnxtile: {error}", file=sys.stderr)
        sys.exit(2)
    except typer.TyperException as error:
        words = " ".join(error.format_message().split()).rstrip(".")
        print(f"onnxtile: {words}; see --help", file=sys.stderr)
        sys.exit(2)
    except (typer.Abort, KeyboardInterrupt):
        print("onnxtile: stopped; nothing was written", file=sys.stderr)
        sys.exit(130)
    sys.exit(status if isinstance(status, int) else 0)
