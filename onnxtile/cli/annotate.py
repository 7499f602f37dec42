"""`onnxtile annotate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onnxtile.cli.options import Bind, FollowLinks, Json, Model, parse_bind

EXAMPLES = """Examples:

onnxtile annotate model.onnx --bind batch=1

onnxtile annotate model.annotated.onnx --clear -o plain.onnx"""


def command(
    model: Model,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT", help="Where to; MODEL.annotated.onnx (cleared) by default."),
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Take out what an earlier call wrote.")] = False,
    bind: Bind = None,
    follow_links: FollowLinks = False,
    json: Json = False,
) -> None:
    """Write what each node of MODEL costs into its metadata, where viewers such as Netron show it.

    Nothing else of the model changes; --bind gives sizes to reckon with, and leaves the model's own as they are.

    Exit status: 0 it's written, 2 the call or a file is bad.
    """
    from onnxtile.cli.output import console, print_json, progress
    from onnxtile.ir.graphs import nodes_within
    from onnxtile.ir.io.files import check_output, real
    from onnxtile.ir.io.load import external_files, load
    from onnxtile.lowering.model_file import saving
    from onnxtile.profiling.annotate import annotate
    from onnxtile.profiling.annotate_pass import has_unknown
    from onnxtile.tiling.forms.table import form_of

    target = output or _beside(model, "cleared" if clear else "annotated")
    check_output(target, model)
    with progress(f"annotate {model.name}") as say:
        say("read the model")
        loaded = load(model)
        check_output(target, *external_files(loaded))
        say("work out what each node costs")
        changed = annotate(loaded, parse_bind(bind), clear)
        nodes = list(nodes_within(loaded.graph))
        unknown = sum(map(has_unknown, nodes))
        same_folder = real(target).parent == real(model.parent)
        as_it_is = form_of("function")
        with saving(loaded, target, as_it_is, "split", keep_external=same_folder, say=say):
            pass
    if json:
        counts = {"nodes": len(nodes), "unknown": unknown}
        print_json(
            {"schema": "onnxtile.annotate/1", "output": str(target), "cleared": clear, "changed": changed} | counts
        )
        return
    screen = console()
    if unknown:
        words = "1 node has an amount" if unknown == 1 else f"{unknown:,} nodes have amounts"
        screen.print(f"{words} that can't be told, or only from below", style="yellow")
    counted = "1 node" if len(nodes) == 1 else f"{len(nodes):,} nodes"
    words = f"{counted} {'cleared' if clear else 'annotated'} in {target}{'' if changed else ' (nothing changed)'}"
    screen.print(words, style="green")


def _beside(model: Path, what: str) -> Path:
    """`net.annotated.onnx` for `net.onnx`, and `net.cleared.onnx` for that."""
    return model.with_name(f"{model.name.removesuffix('.onnx').removesuffix('.annotated')}.{what}.onnx")
