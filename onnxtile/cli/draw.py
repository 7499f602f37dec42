"""`onnxtile draw`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onnxtile.cli import completion
from onnxtile.cli.options import Bind, FollowLinks, Json, Model, parse_bind
from onnxtile.cli.overwriting import check_apart
from onnxtile.ir.collector import collector_paused

EXAMPLES = """Examples:

onnxtile draw model.onnx model.tiled.onnx -o model.html

onnxtile draw model.tiled.onnx -o model.svg

onnxtile draw model.onnx model.tiled.onnx --node fc6 -o fc6.svg"""


def command(
    model: Model,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Where to: .svg, .html, or .png.")],
    lowered: Annotated[
        Path | None, typer.Argument(metavar="[LOWERED]", help="What a lowering made of it, drawn beside it.")
    ] = None,
    node: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=completion.nodes,
            help="The products of this node alone; in .html, those shown first.",
        ),
    ] = None,
    bind: Bind = None,
    follow_links: FollowLinks = False,
    json: Json = False,
) -> None:
    """Draw MODEL: its products with their tiles, and the rest layer by layer.

    Exit status: 0 it's drawn, 2 the call or a file is bad.
    """
    from onnxtile.api.draw import draw
    from onnxtile.cli.output import console, print_json, progress

    check_apart(output, (model, lowered))
    with progress(f"draw {model.name}") as say, collector_paused(for_good=True):
        drawn = draw(model, lowered, node=node, bind=parse_bind(bind), output=output, progress=say)
    if json:
        print_json(drawn)
        return
    for words in drawn.left_out:
        console().print(f"not drawn: {words}", style="yellow")
    console().print(f"{output} is written", style="green")
