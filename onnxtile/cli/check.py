"""`onnxtile check`."""

from __future__ import annotations

import typer

from onnxtile.cli.options import (
    All,
    Bind,
    Engine,
    FollowLinks,
    Json,
    Listed,
    Max,
    Model,
    Only,
    Ops,
    limits_of,
    parse_bind,
)

EXAMPLES = "Example:\n\nonnxtile check model.onnx --max 64,64,64 --bind batch=1"


def command(
    model: Model,
    max: Max = None,
    engine: Engine = None,
    ops: Ops = "all",
    bind: Bind = None,
    follow_links: FollowLinks = False,
    everything: All = False,
    only: Only = None,
    json: Json = False,
) -> None:
    """Tell which matrix products of MODEL exceed the engine.

    Exit status: 0 all products asked for fit, 1 some don't, or may not, 2 the call or the file is bad.
    """
    listed = Listed.of(everything, only, json)
    from onnxtile.cli.output import print_json, print_report, progress, provenance
    from onnxtile.cli.screen import suggest
    from onnxtile.lowering.check import check

    limits = limits_of(max, engine, "cycles")
    with progress(f"check {model.name}"):
        report = check(model, limits, ops=ops, bind=parse_bind(bind))
    if json:
        print_json(report.to_json() | provenance(model))
    else:
        print_report(report, listed)
        if report.having("over"):
            given = ("--engine", engine) if max is None else ("--max", max)
            suggest("to cut them", "lower", model, *given, *(part for one in bind or () for part in ("--bind", one)))
    if not report.ok:
        raise typer.Exit(1)
