"""`onnxtile verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxtile.cli.options import Bind, Json, parse_bind

if TYPE_CHECKING:
    from onnxtile.verification import Verdict

EXAMPLES = "Example:\n\nonnxtile verify model.onnx model.tiled.onnx --cases 10 --seed 7"


def command(
    original: Annotated[Path, typer.Argument(metavar="ORIGINAL", help="The model as it was.")],
    lowered: Annotated[Path, typer.Argument(metavar="LOWERED", help="The model as it is now.")],
    cases: Annotated[int, typer.Option(min=1, help="Random inputs to try; every other one is of whole numbers.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Where the random inputs start.")] = 0,
    bind: Bind = None,
    input: Annotated[
        Path | None, typer.Option("--input", metavar="FILE.npz", help="Values to take for inputs, by name.")
    ] = None,
    json: Json = False,
) -> None:
    """Run both models and hold their difference against what rounding explains.

    Exit status: 0 equivalent, 1 not equivalent, 2 the call or a file is bad.
    """
    from onnxtile.cli.output import print_json, progress
    from onnxtile.verification import verify
    from onnxtile.verification.inputs import read_inputs

    given = None if input is None else read_inputs(input)
    with progress("verify") as say:
        verdict = verify(original, lowered, cases=cases, seed=seed, bind=parse_bind(bind), inputs=given, progress=say)
    if json:
        print_json(verdict.to_json())
    else:
        print_verdict(verdict)
    if not verdict.equivalent:
        raise typer.Exit(1)


def print_verdict(verdict: Verdict) -> None:
    """Each output's difference beside what is allowed, then the verdict."""
    from rich.markup import escape
    from rich.table import Table

    from onnxtile.cli.output import console

    screen = console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("output", "largest difference", "allowed", "verdict"):
        table.add_column(heading, justify="left" if heading in ("output", "verdict") else "right", overflow="fold")
    for output in verdict.outputs:
        said = "[green]equal, bit for bit[/]" if output.exact else "[green]within its bound[/]"
        said = said if output.equivalent else f"[red]{escape(str(output.reason))}[/]"
        table.add_row(escape(output.name), f"{output.max_abs_error:.3g}", f"{output.allowed:.3g}", said)
    if verdict.outputs:
        screen.print(table)
    cases = f"{verdict.cases} cases from seed {verdict.seed} in {verdict.engine}"
    said, style = ("equivalent", "green") if verdict.equivalent else ("NOT equivalent", "red")
    screen.print(f"{said}: {cases if verdict.outputs else verdict.reason}", style=style, markup=False)
