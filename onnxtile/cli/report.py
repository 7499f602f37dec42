"""`onnxtile report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onnxtile.cli.options import Bind, Engine, FollowLinks, Json, Max, Model, limits_of, parse_bind
from onnxtile.cli.overwriting import check_apart
from onnxtile.cli.torch_models import Timeout, isolate_engine
from onnxtile.errors import UsageError
from onnxtile.ir.collector import collector_paused

EXAMPLES = """Examples:

onnxtile report model.onnx model.tiled.onnx --max 64,64,64 --verify -o report.html

onnxtile report model.onnx model.tiled.onnx --engine systolic-32 -o report.html"""


def command(
    model: Model,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.html", help="Where to.")],
    lowered: Annotated[Path | None, typer.Argument(metavar="[LOWERED]", help="What a lowering made of it.")] = None,
    max: Max = None,
    engine: Engine = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Prove LOWERED equivalent, and tell of each region.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Repeat a proof's random numbers; others are drawn each time by default.")
    ] = None,
    bind: Bind = None,
    follow_links: FollowLinks = False,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Write a page on MODEL: its products, its costs before and after a lowering, plots, and the proof.

    Exit status: 0 it's written, 2 the call or a file is bad.
    """
    if verify and lowered is None:
        raise UsageError("--verify proves a lowered model; name it behind MODEL")
    if seed is not None and not verify:
        raise UsageError("--seed is a proof's; give --verify, too")
    if max is not None or engine is not None:
        limits_of(max, engine, "cycles")  # refuses both at once
    if output.suffix.lower() != ".html":
        raise UsageError(f"output {output}: a report is a page; give a name that ends in .html")
    files = [path for path in (model, lowered) if path is not None]
    if verify:
        isolate_engine(*files, timeout=timeout)
    from onnxtile.api.report import report
    from onnxtile.cli.output import console, print_json, progress

    check_apart(output, files, engine)
    limits = None if max is None else limits_of(max, None, "cycles")
    with progress(f"report {model.name}") as say, collector_paused(for_good=True):
        written = report(
            model, lowered, max=limits, engine=engine, verify=verify, seed=seed, timeout=timeout or None,
            bind=parse_bind(bind), output=output, progress=say,
        )  # fmt: skip
    if json:
        print_json(written)
    else:
        console().print(f"{output} is written", style="green")
