"""`onnxtile capture`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxtile.cli import completion
from onnxtile.cli.options import Bind, FollowLinks, Json, parse_bind
from onnxtile.cli.torch_models import Device, Model, Timeout, isolate_engine, isolate_file, opened, refuse
from onnxtile.errors import UsageError
from onnxtile.torch_frontend.detection import is_torch

if TYPE_CHECKING:
    import numpy as np

    from onnxtile.cli.table import Cell
    from onnxtile.debugging.capture.report import Captured, CapturedValue, CaptureReport
    from onnxtile.ir.io.progress import Progress

EXAMPLES = """Examples:

onnxtile capture model.onnx --op Conv --op Gemm

onnxtile capture model.onnx --name 'features.*' --input real.npz -o values.npz

onnxtile capture model.pt --input 1x3x224x224 --op Conv2d --name 'inception4*' -o values.npz

onnxtile capture model.tiled.onnx --name fc1 --name 'fc1/m0_n0_k*' -o values/"""
MEMORY = 256
MOST_ROWS = 40
"""Values that a terminal shows; files, pipes and --json get all."""


def command(
    model: Model,
    op: Annotated[
        list[str] | None,
        typer.Option(
            "--op",
            metavar="OPERATOR",
            autocompletion=completion.operators,
            help="Nodes of this operator; may be repeated.",
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(
            "--name",
            metavar="PATTERN",
            autocompletion=completion.nodes,
            help="Nodes whose names fit, such as 'fc*'; may be repeated.",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE.npz|FOLDER/", help="Where to; without, values are only shown."),
    ] = None,
    input: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="FILE.npz|[NAME=]SHAPE[:TYPE]",
            help="Values of all inputs, or for a torch model their shapes; random ones otherwise.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Where random inputs start.")] = 0,
    bind: Bind = None,
    memory: Annotated[
        int, typer.Option(min=1, metavar="MB", help="Values are computed in runs of so many megabytes.")
    ] = MEMORY,
    device: Device = None,
    timeout: Timeout = None,
    follow_links: FollowLinks = False,
    json: Json = False,
) -> None:
    """Run MODEL in onnxruntime and keep what nodes inside it give; or in torch, and what modules give.

    Nodes have to fit --op and --name, where both are given. In a lowered model the name of an original node stands for
    its value, put together from its tiles; a tile goes by its own name.

    Exit status: 0 captured, 2 the call or a file is bad, or nothing can be captured.
    """
    isolate_file(model, timeout)
    if not is_torch(model):
        isolate_engine(model, timeout=timeout)
    from onnxtile.cli.output import print_json, progress
    from onnxtile.debugging.capture.capture import capture
    from onnxtile.debugging.capture.report import Captured
    from onnxtile.debugging.capture.selection import Selection

    Selection.of(op, name)  # refuses what is malformed, before torch or a file is read
    if is_torch(model):
        refuse(model, bind=bind, memory=memory != MEMORY)
    else:
        refuse(model, device=device)
    arrays, sizes = _arrays(model, input, output), parse_bind(bind)
    with progress(f"capture {model.name}") as say:
        if is_torch(model):
            report = _of_torch(model, input, arrays, seed, device, op, name, output, say)
        else:
            report = capture(
                model, op=op, name=name, inputs=arrays, seed=seed, bind=sizes, output=output, memory=memory, keep=False,
                progress=say,
            )  # fmt: skip
    assert not isinstance(report, Captured)
    if json:
        print_json(report)
    else:
        print_captured(report)


def _arrays(model: Path, inputs: list[str] | None, output: str | None) -> dict[str, np.ndarray] | None:
    """Return the arrays of --input FILE.npz; None where shapes are given, or nothing."""
    from onnxtile.ir.io.files import check_output
    from onnxtile.verification.inputs import read_inputs

    files = [Path(text) for text in inputs or () if text.endswith(".npz") or not is_torch(model)]
    if not files:
        return None
    if len(files) < len(inputs or ()) or len(files) > 1:
        raise UsageError(f"--input {files[0]}: give one file that has all inputs")
    if output is not None and Path(output).is_file():
        check_output(Path(output), files[0])
    return read_inputs(files[0])


def _of_torch(
    model: Path, inputs: list[str] | None, arrays: dict[str, np.ndarray] | None, seed: int, device: str | None,
    op: list[str] | None, name: list[str] | None, output: str | None, say: Progress,
) -> Captured | CaptureReport:  # fmt: skip
    network = opened(model, arrays or inputs, seed)
    from onnxtile.torch_frontend.capture import capture_torch

    return capture_torch(
        network, op=op, name=name, output=output, keep=False, device=device,
        source=model if model.exists() else None, progress=say,
    )  # fmt: skip


def print_captured(report: CaptureReport) -> None:
    """Print the values, what isn't there, and a line that sums up."""
    from onnxtile.cli.screen import console, first
    from onnxtile.cli.table import Column, Table, numbers

    screen = console()
    columns = [Column("value, operator", shorten="middle"), Column("type, shape"), *numbers("min", "max", "mean")]
    Table([*columns, Column("first", shorten="end", least=8)]).print_first(report.values, _cells, MOST_ROWS)
    skipped = first(report.skipped, MOST_ROWS)
    for node in skipped:
        screen.print(f"skipped: {f'{node.op} {node.node!r} {node.reason}'.lstrip()}", style="yellow")
    if len(report.skipped) > len(skipped):
        screen.print(f"... and {len(report.skipped) - len(skipped):,} more are skipped", style="dim")
    for words in (*report.unmatched, *report.warnings):
        screen.print(words, style="yellow")
    screen.print(_summary(report), style="green")


def _cells(row: CapturedValue) -> Sequence[Cell]:
    from onnxtile.cli.screen import styled
    from onnxtile.cli.table import Name
    from onnxtile.debugging.capture.statistics import shown

    sizes = "x".join(map(str, row.shape)) or "number"
    figures = ("" if number is None else shown(number) for number in (row.min, row.max, row.mean))
    odd = [f"{count:,} {what} " for count, what in ((row.nan, "NaN"), (row.infinite, "infinite")) if count]
    return (
        Name(row.value, f"{row.nodes:,} nodes" if row.nodes > 1 else row.op), f"{row.dtype} {sizes}", *figures,
        styled(("".join(odd), "red"), (" ".join(row.first), "")),
    )  # fmt: skip


def _summary(report: CaptureReport) -> str:
    from onnxtile.ir.printable import several

    count, size = len(report.values), sum(row.bytes for row in report.values)
    where = "shown, not written" if report.output is None else f"in {report.output}"
    fed = report.inputs
    made = f", {', '.join(fed.made_up)} taken as 2" if fed.made_up else ""
    inputs = f"random inputs from seed {fed.seed}{made}" if fed.source == "random" else "given inputs"
    stored = sum(row.stored is not None for row in report.values)
    note = f"; {stored:,} stored as numpy can (--json says how)" if stored else ""
    much = f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size:,} bytes"
    return f"{several(count, 'value')} ({much}) {where}; {inputs}{note}"
