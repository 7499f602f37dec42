"""The program: its commands, and how errors end it."""

from __future__ import annotations

import sys

import typer

from onnxtile.cli import check, lower, passes, run, verify
from onnxtile.errors import OnnxtileError

app = typer.Typer(
    name="onnxtile",
    help="Fit ONNX models to a matrix engine of bounded size, and prove it.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (lower, check, verify, run, passes):
    app.command(name=command.__name__.rpartition(".")[2], epilog=command.EXAMPLES)(command.command)


@app.callback(invoke_without_command=True)
def _program(version: bool = typer.Option(False, "--version", help="Print the version and stop.")) -> None:
    if version:
        from onnxtile import __version__

        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the program. Exit status: 0 it holds, 1 the answer is no, 2 the call or a file is bad."""
    try:
        app()
    except OnnxtileError as error:
        print(f"onnxtile: {error}", file=sys.stderr)
        sys.exit(2)
