"""`onnxtile reduce`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onnxtile.cli.isolation import isolate
from onnxtile.cli.options import FollowLinks, Json, Model, Passes

EXAMPLES = """Examples:

onnxtile reduce model.onnx --passes 'infer-shapes,my.module:MyPass{max=64,64,64},check-limits{max=64,64,64}'

onnxtile reduce model.onnx --passes my.module:MyPass --check 'python compare.py {original} {lowered}' -o small"""


def command(
    model: Model,
    passes: Passes,
    check: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="Says whether a result is right: status 0. {original} and {lowered} are paths. verify by default.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="A new folder; MODEL.reduced by default."),
    ] = None,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="How long the command may take.")] = 60.0,
    timeout_fails: Annotated[
        bool, typer.Option("--timeout-fails", help="A command that takes longer says no; else it's an error.")
    ] = False,
    cases: Annotated[int, typer.Option(min=1, help="Random inputs to try, without a command.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Where the random inputs start.")] = 0,
    follow_links: FollowLinks = False,
    total_timeout: Annotated[
        float | None,
        typer.Option(min=0, metavar="SECONDS", help="How long all of it may take; 600 by default, 0 any time."),
    ] = None,
    json: Json = False,
) -> None:
    """Find the pass that breaks MODEL, and the few nodes that show it.

    The pipeline is halved until one pass is left, then nodes are taken out of the model for as long as that pass fails.

    Exit status: 0 found and written, 1 nothing fails, 2 the call or the file is bad.
    """
    isolate(f"{model}: reduce", total_timeout, "--total-timeout")
    from onnxtile.cli.output import console, print_json, progress
    from onnxtile.debugging.reduce.reducer import Reduction, reduce
    from onnxtile.ir.json_encoding import members_of

    folder = output or model.with_name(f"{model.name.removesuffix('.onnx')}.reduced")
    with progress(f"reduce {model.name}") as say:
        reduction = reduce(
            model, passes, check=check, output=folder, cases=cases, seed=seed,
            timeout=timeout, timeout_fails=timeout_fails, progress=say,
        )  # fmt: skip
    if reduction is None:
        if json:
            unknown = dict.fromkeys(name for name, _ in members_of(Reduction))
            print_json(unknown | {"schema": Reduction.schema, "fails": False, "output": None})
        else:
            console().print("nothing fails: the check holds after all passes; nothing was written", style="green")
        raise typer.Exit(1)
    if json:
        print_json(reduction.to_json() | {"output": str(folder)})
        return
    screen = console()
    guilty, *rest = reduction.lines
    screen.print(guilty, style="red")
    for line in rest:
        screen.print(line)
    screen.print(f"{folder} has the model, and in command.txt what repeats the failure", style="green")
