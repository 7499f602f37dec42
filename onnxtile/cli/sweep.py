"""`onnxtile sweep`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxtile.cli.options import Bind, FollowLinks, Json, On, parse_bind
from onnxtile.cli.overwriting import check_apart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onnxtile.exploration.results import Point, Sweep

EXAMPLES = """Examples:

onnxtile sweep model.onnx --engine systolic-32 --vary product.array=16x16,32x32 --vary local.size=64KiB:4MiB:x2

onnxtile sweep a.onnx b.onnx --engine my.toml --vary memory.bandwidth=8GB/s:64GB/s:+8GB/s -o rows.csv --workers 8

onnxtile sweep model.onnx --engine my.toml --vary local.size=64KiB:4MiB:x2 -o rows.parquet --on dask://host:8786"""
MOST_ROWS = 12
"""Engines that are shown on a terminal: the Pareto front, of least cost first."""
STOPPED = 130

Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes of this machine that compute; this one by default.")
]


def command(
    models: Annotated[list[Path], typer.Argument(metavar="MODEL...", help="The ONNX model files.")],
    engine: Annotated[str, typer.Option("--engine", metavar="FILE|NAME", help="The engine whose fields vary.")],
    vary: Annotated[
        list[str],
        typer.Option(
            metavar="FIELD=VALUES",
            help="A field of the engine file and its values: A,B or FIRST:LAST:xFACTOR or :+STEP; several times.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="All rows, as .csv or .parquet; goes on there."),
    ] = None,
    minimize: Annotated[
        str, typer.Option(help="What tiles and orders are chosen by: cycles, bytes or calls.")
    ] = "cycles",
    bind: Bind = None,
    workers: Workers = None,
    on: On = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A picture of what the engines trade, as .svg or .html.")
    ] = None,
    follow_links: FollowLinks = False,
    json: Json = False,
) -> None:
    """Tell what models cost on many engines: all combinations of values of an engine file's fields.

    The table shows the Pareto front: engines that none beats in cycles, array and local memory at once; -o has all. A
    run that was ended goes on from the rows that it has written. A combination that isn't an engine is a row with the
    reason.

    Exit status: 0 it's told, 1 no engine runs all models, 2 the call or a file is bad.
    """
    from onnxtile.cli.output import print_json, progress
    from onnxtile.exploration.sweep import sweep
    from onnxtile.plots.pictures import check_picture, write_trade

    if plot is not None:
        check_picture(plot)
    for path in (path for path in (output, plot) if path is not None):
        check_apart(path, models, engine, *(other for other in (output, plot) if other is not path))
    try:
        with progress("sweep") as say:
            study = sweep(
                models, engine, vary, bind=parse_bind(bind), minimize=minimize, output=output, workers=workers, on=on,  # type: ignore[arg-type]
                follow_links=follow_links, progress=say,
            )  # fmt: skip
    except KeyboardInterrupt as stopped:
        if output is None or not output.parent.exists():
            raise
        typer.echo(f"onnxtile: stopped; the same command goes on from the rows in {output}", err=True)
        raise typer.Exit(STOPPED) from stopped
    if plot is not None:
        names = ", ".join(study.models)
        write_trade(plot, study, f"{names} on {len(study.rows) // len(study.models):,} engines like {engine}")
    if json:
        print_json(study)
    else:
        print_sweep(study, output)
    if study.best is None:
        raise typer.Exit(1)


def print_sweep(study: Sweep, output: Path | None) -> None:
    """Print the Pareto front, the best engine, and what isn't in the figures."""
    from onnxtile.cli.screen import console, print_rest, reasons_with_names, say
    from onnxtile.cli.table import Column, Table, numbers
    from onnxtile.cli.views.profile import MOST_REASONS
    from onnxtile.ir.printable import several

    screen = console()
    fields = [Column(field.rpartition(".")[2] if _unique(study.fields) else field) for field in study.fields]
    figures = numbers(study.measure, "of best", "MACs a cycle", "local memory", "moved")
    best = study.best
    if best is not None:
        table = Table([*fields, *figures])
        table.print_first(study.front, lambda point: _cells(point, best), MOST_ROWS, "--json and -o have all")
    engines = len(study.rows) // len(study.models)
    bad = reasons_with_names((row.reason, ", ".join(row.values.values())) for row in study.rows if row.reason)
    for line in bad[:MOST_REASONS]:
        say(f"left out: {line}", "yellow")
    print_rest(len(bad) - MOST_REASONS, "--json and -o have all")
    for reason, count in study.left_out.items():
        say(f"not counted on any engine: {several(count, 'product')}: {reason}", "yellow")
    where = f"; all rows are in {output}" if output is not None else ""
    if best is None:
        screen.print(f"none of {several(engines, 'engine')} runs all models{where}", style="red")
        return
    words = ", ".join(f"{field} {text}" for field, text in best.values.items())
    screen.print(f"best of {several(engines, 'engine')} by {study.measure}: {words}{where}", style="green")


def _unique(fields: Sequence[str]) -> bool:
    return len({field.rpartition(".")[2] for field in fields}) == len(fields)


def _cells(point: Point, best: Point) -> list[str]:
    from onnxtile.cli.views.view import bytes_text
    from onnxtile.plots.drawing import memory

    cost = f"{point.cost:,}" if isinstance(point.cost, int) else f"{point.cost:.4g}"
    times = f"{point.cost / best.cost:.2f}x" if best.cost else "-"
    sizes = (f"{point.macs_a_cycle:,}", memory(point.local_size))
    return [*point.values.values(), cost, times, *sizes, bytes_text(point.bytes)]
