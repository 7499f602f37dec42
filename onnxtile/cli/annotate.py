"""`onnxtile annotate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onnxtile.cli.options import Bind, Engine, FollowLinks, Json, Minimize, Model, parse_bind
from onnxtile.cli.overwriting import Force, check_earlier
from onnxtile.cli.standard_streams import words_for

EXAMPLES = """Examples:

onnxtile annotate model.onnx --bind batch=1

onnxtile annotate model.onnx --engine systolic-32

onnxtile annotate model.annotated.onnx --clear -o plain.onnx"""


def command(
    model: Model,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT", help="Where to; MODEL.annotated.onnx (cleared) by default."),
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Take out what an earlier call wrote.")] = False,
    bind: Bind = None,
    engine: Engine = None,
    minimize: Minimize = "cycles",
    force: Force = False,
    follow_links: FollowLinks = False,
    json: Json = False,
) -> None:
    """Write what each node of MODEL costs into its metadata, where viewers such as Netron show it.

    Nothing else of the model changes; --bind gives sizes to reckon with, and leaves the model's own as they are.

    Exit status: 0 it's written, 2 the call or a file is bad.
    """
    from onnxtile.api.annotate import annotate
    from onnxtile.cli.output import console, print_json, progress
    from onnxtile.ir.printable import several

    target = output or _beside(model, "cleared" if clear else "annotated")
    check_earlier(target, model, force)
    with progress(f"annotate {model.name}") as say:
        written = annotate(
            model, bind=parse_bind(bind), clear=clear, output=target, progress=say, engine=engine, minimize=minimize
        )
    if json:
        counts = {"changed": written.changed, "nodes": written.nodes, "unknown": written.unknown}
        print_json({"schema": "onnxtile.annotate/1", "output": str(target), "cleared": clear, **counts})
        return
    screen = console()
    if written.unknown:
        words = f"amounts of {several(written.unknown, 'node')} can't be told, or only from below"
        screen.print(words, style="yellow")
    done = f"{'cleared' if clear else 'annotated'} in {words_for(target)}"
    counted, unchanged = several(written.nodes, "node"), "" if written.changed else " (nothing changed)"
    screen.print(f"{counted} {done}{unchanged}", style="green")


def _beside(model: Path, what: str) -> Path:
    """`net.annotated.onnx` for `net.onnx`, and `net.cleared.onnx` for that."""
    return model.with_name(f"{model.name.removesuffix('.onnx').removesuffix('.annotated')}.{what}.onnx")
