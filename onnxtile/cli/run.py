"""`onnxtile run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onnxtile.cli.options import Model

EXAMPLES = (
    "Example:\n\nonnxtile run model.onnx --passes 'infer-shapes,decompose-gemm,tile-matmul{max=64,64,64}' -o out.onnx"
)


def command(
    model: Model,
    passes: Annotated[
        str, typer.Option(metavar="PIPELINE", help="Passes with their options: name,name{option=value}.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT", help="Where to.")],
    form: Annotated[str, typer.Option(help="How tiles are spelled: unrolled, batched, loop or function.")] = "unrolled",
    weights: Annotated[
        str, typer.Option(help="Cut constants ahead of time (pretile) or at run time (split).")
    ] = "pretile",
) -> None:
    """Run passes over MODEL and write the result; the model is checked between passes."""
    from onnxtile.cli.output import console, progress
    from onnxtile.files import check_output
    from onnxtile.forms import form_of
    from onnxtile.pipeline import PassManager
    from onnxtile.saving import saving
    from onnxtile.source import external_files, load

    spelling = form_of(form)
    manager = PassManager(passes)
    check_output(output, model)
    with progress(f"run {model.name}") as say:
        loaded = load(model)
        check_output(output, *external_files(loaded))
        result = manager(loaded, say).model
        same_folder = output.resolve().parent == model.parent.resolve()
        with saving(result, output, spelling, weights, keep_external=same_folder) as (_, nodes):
            pass
    screen = console()
    for step in manager.steps:
        screen.print(
            f"{step.seconds * 1000:9.1f} ms  {step.name}{'' if step.modified else ' (changed nothing)'}", markup=False
        )
    screen.print(f"{nodes:,} nodes in {output}", style="green", markup=False)
