"""`onnxtile engine new|check|show|list|schema|fit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxtile.cli import completion
from onnxtile.cli.help_text import Commands
from onnxtile.cli.options import Json

if TYPE_CHECKING:
    from onnxtile.engine.description import Engine
    from onnxtile.exploration.fit import Fitted

app = Commands(help="Describe the engine: start a file, check it, look at it.")
NAMED = Annotated[
    str,
    typer.Argument(
        metavar="NAME|FILE", autocompletion=completion.engines, help="A built-in engine, or an engine file."
    ),
]


@app.callback(invoke_without_command=True)
def _engine(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command(epilog="Examples:\n\nonnxtile engine new edge-32\n\nonnxtile engine new mine --from tpu-like -o tpu.toml")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The engine's name.")] = "engine",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where to; NAME.toml by default.")
    ] = None,
    built_in: Annotated[
        str | None, typer.Option("--from", metavar="BUILTIN", help="Copy this built-in engine; see `engine list`.")
    ] = None,
    json: Json = False,
) -> None:
    """Write an engine file with every field and what it means, to be changed.

    Exit status: 0 it's written, 2 it can't be, or is there already.
    """
    from onnxtile.cli.screen import console
    from onnxtile.engine.template import template
    from onnxtile.errors import UsageError
    from onnxtile.ir.io.files import check_output, replacing

    text = template(name, built_in)
    if output is None and (Path(name).name != name or name.startswith(".")):
        raise UsageError(f"engine {name!r}: no file can be called so; give one with -o FILE")
    target = output or Path(f"{name}.toml")
    check_output(target)
    if target.exists():
        raise UsageError(f"output {target} is there already; give another with -o FILE, or remove it")
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
    if json:
        from onnxtile.cli.output import print_json

        print_json({"schema": "onnxtile.engine-new/1", "output": str(target), "name": name})
        return
    console().print(f"{target} is written; change it, then: onnxtile engine check {target}", style="green")


@app.command(epilog="Example:\n\nonnxtile engine check edge-32.toml")
def check(file: NAMED, json: Json = False) -> None:
    """Check an engine file, and list what is assumed where a field isn't given.

    Exit status: 0 it describes an engine, 2 it doesn't, and one line says where and why.
    """
    from onnxtile.cli.screen import console
    from onnxtile.cli.table import Column, Table
    from onnxtile.engine.assumptions import assumed, remarks
    from onnxtile.engine.load import load
    from onnxtile.engine.summary import types_text

    engine = load(file)
    missing, words = assumed(engine), remarks(engine)
    if json:
        from onnxtile.cli.output import print_json

        print_json({"schema": "onnxtile.engine-check/1", "name": engine.name, "assumed": missing, "remarks": words})
        return
    table = Table([Column("not given"), Column("assumed"), Column("what it is", shorten="wrap", least=24, style="dim")])
    table.print_first(missing, lambda one: (one.field, one.value, one.meaning), len(missing))
    screen = console()
    for remark in words:
        screen.print(remark, style="yellow")
    screen.print(f"{file} describes {engine.name}: {types_text(engine)}", style="green")


@app.command(epilog="Examples:\n\nonnxtile engine show systolic-32\n\nonnxtile engine show edge-32.toml --json")
def show(engine: NAMED, json: Json = False) -> None:
    """Show what an engine does at most, and what its file says."""
    from onnxtile.cli.screen import console
    from onnxtile.engine.load import load

    loaded = load(engine)
    if json:
        from onnxtile.cli.output import print_json

        print_json(_document(loaded))
        return
    for line in str(loaded).splitlines():
        console().print(line)


@app.command("list", epilog="Example:\n\nonnxtile engine list")
def list_(json: Json = False) -> None:
    """List the built-in engines, and those of plugins: MACs of a cycle at most, memory's bandwidth, local memory."""
    from onnxtile.cli.table import Column, Table, numbers
    from onnxtile.engine.load import engines
    from onnxtile.engine.quantities import number_text
    from onnxtile.engine.summary import local_text, peak

    loaded = list(engines())
    if json:
        from onnxtile.cli.output import print_json

        print_json({"schema": "onnxtile.engines/1", "engines": [_document(engine) for engine in loaded]})
        return
    table = Table([Column("engine"), *numbers("MACs/cycle", "TOPS", "bytes/cycle"), Column("local memory")])
    for engine in loaded:
        best = max((peak(unit, engine) for unit in engine.product), key=lambda one: one.macs)
        tops = "" if best.tops is None else number_text(best.tops)
        bandwidth = "" if engine.memory.bandwidth is None else number_text(engine.memory.bandwidth)
        table.rows.append((engine.name, f"{best.macs:,}", tops, bandwidth, local_text(engine)))
    table.print()


@app.command(epilog="Example:\n\nonnxtile engine schema > engine.schema.json")
def schema(json: Json = False) -> None:
    """Print the JSON Schema of engine files, with which editors complete and check them; --json changes nothing."""
    from onnxtile.cli.output import print_json
    from onnxtile.engine.schema import json_schema

    print_json(json_schema())


@app.command(epilog="Example:\n\nonnxtile engine fit measured.csv --engine edge-32.toml -o edge-32-fitted.toml")
def fit(
    measured: Annotated[
        Path, typer.Argument(metavar="MEASURED.csv", help="Layers: columns m, k, n, cycles; also batch, types, name.")
    ],
    engine: Annotated[str, typer.Option("--engine", metavar="FILE|NAME", help="The engine they were measured on.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="The engine file with the numbers found.")
    ] = None,
    json: Json = False,
) -> None:
    """Fit fill, call and the memory's bandwidth to measured layers, and tell how well that predicts them.

    Errors are means of what predicted cycles are off. Held out: each third of the layers, predicted by a fit to the
    others. docs/engine.md has all columns.

    Exit status: 0 it's fitted, 2 the call or a file is bad.
    """
    from onnxtile.cli.output import print_json, progress
    from onnxtile.engine.load import load, text_of
    from onnxtile.exploration.fit import fit as fit_numbers
    from onnxtile.exploration.fitted_file import check_writer, with_numbers
    from onnxtile.exploration.measured import read_measured
    from onnxtile.ir.io.files import check_output, replacing

    if output is not None:
        check_output(output, measured)
        check_writer()
    described, layers = load(engine), read_measured(measured)
    with progress("fit") as say:
        say(f"{len(layers)} layers")
        found = fit_numbers(layers, described)
    if output is not None:
        with replacing(output) as temporary:
            temporary.write_text(with_numbers(text_of(engine), found.numbers), encoding="utf-8", newline="")
    if json:
        print_json(found)
    else:
        _print_fit(found, output)


def _print_fit(found: Fitted, output: Path | None) -> None:
    from onnxtile.cli.screen import console
    from onnxtile.cli.table import Column, Table, numbers

    table = Table([Column("layer", shorten="middle"), *numbers("measured", "before", "after", "off by")])
    table.print_first(
        found.layers,
        lambda layer: (
            layer.name, f"{layer.measured:,.0f}", "-" if layer.before is None else f"{layer.before:,}",
            f"{layer.after:,}", f"{layer.after / layer.measured - 1:+.1%}",
        ),
    )  # fmt: skip
    screen = console()
    before = "" if found.before is None else f"{found.before:.1%} before, "
    screen.print(f"off by {before}{found.after:.1%} after, {found.held_out:.1%} held out, in the mean")
    for types, cycles in found.numbers.fill.items():
        screen.print(f"{types}: fill {cycles}, call {found.numbers.call[types]}")
    screen.print(f"memory: bandwidth {found.numbers.bandwidth:g} bytes a cycle")
    for note in found.notes:
        screen.print(note, style="yellow")
    if output is None:
        screen.print("nothing was written; -o FILE writes an engine file with these numbers", style="dim")
    else:
        screen.print(f"{output} is written", style="green")


def _document(engine: Engine) -> dict[str, object]:
    from onnxtile.engine.summary import peak

    fields = engine.model_dump(mode="json")
    return {"schema": "onnxtile.engine/1", "engine": fields, "peak": [peak(unit, engine) for unit in engine.product]}
