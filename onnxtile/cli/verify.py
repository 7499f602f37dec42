"""`onnxtile verify`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxtile.cli import completion
from onnxtile.cli.options import Bind, FollowLinks, Json, On, parse_bind
from onnxtile.cli.overwriting import check_apart
from onnxtile.cli.torch_models import Timeout, isolate_engine
from onnxtile.errors import UsageError, wrong_name

if TYPE_CHECKING:
    from onnxtile.cli.table import Cell
    from onnxtile.verification.verdict import RegionVerdict, Verdict

EXAMPLES = """Examples:

onnxtile verify model.onnx model.tiled.onnx

onnxtile verify model.onnx model.tiled.onnx --certificate model.proof.json

onnxtile verify --recheck model.proof.json

onnxtile verify model.onnx model.tiled.onnx --method bound --input real.npz"""


def command(
    original: Annotated[Path | None, typer.Argument(metavar="ORIGINAL", help="The model as it was.")] = None,
    lowered: Annotated[Path | None, typer.Argument(metavar="LOWERED", help="The model as it is now.")] = None,
    method: Annotated[
        str | None,
        typer.Option(
            autocompletion=completion.one_of(completion.methods),
            help="Prove each rewritten region (exact, the default), or run the whole models (bound).",
        ),
    ] = None,
    cases: Annotated[
        int | None, typer.Option(min=1, help="Sets of inputs to run the whole models on, 4 by default; method bound.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Repeat a proof's random numbers; others are drawn each time by default.")
    ] = None,
    require: Annotated[
        str | None, typer.Option(metavar="proven", help="Exit with 1 also where a region is tested, not proven.")
    ] = None,
    bind: Bind = None,
    input: Annotated[
        Path | None, typer.Option("--input", metavar="FILE.npz", help="Values to take for inputs; method bound.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads that prove regions, for large models; 1 by default.")
    ] = None,
    on: On = None,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write down what was shown, with the files' hashes.")
    ] = None,
    recheck: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Repeat a certificate instead of comparing two models.")
    ] = None,
    follow_links: FollowLinks = False,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Show that two models are equivalent, or where they aren't.

    Nodes that are as they were need no proof. Each rewritten region is evaluated in a finite field beside the original:
    it's proven where both are the same function of their operands, at all sizes tried. What can't be proven is tested.

    Exit status: 0 nothing differs, 1 something does (or isn't as --require says), 2 the call or a file is bad.
    """
    isolate_engine(*(path for path in (original, lowered, recheck) if path is not None), timeout=timeout, job="verify")
    from onnxtile.cli.output import console, print_json, progress
    from onnxtile.verification.certificate import write_certificate
    from onnxtile.verification.inputs import read_inputs
    from onnxtile.verification.verify import verify

    if recheck is not None:
        others = [original, lowered, method, cases, seed, bind, input, certificate, require, on]
        _recheck(recheck, others, workers, timeout or None, json)
        return
    if require not in (None, "proven"):
        raise wrong_name(f"--require is {require!r}", require, ["proven"])
    if original is None or lowered is None:
        raise UsageError("name two models, ORIGINAL and LOWERED, or a certificate with --recheck FILE")
    if certificate is not None:
        check_apart(certificate, (original, lowered))
        if input is not None:
            raise UsageError("a certificate can't be repeated from given inputs; leave --input or --certificate out")
    values = None if input is None else read_inputs(input)
    with progress("verify") as say:
        verdict = verify(
            original, lowered, method=method, cases=cases, seed=seed, bind=parse_bind(bind), inputs=values,
            workers=workers, on=on, timeout=timeout or None, progress=say,
        )  # fmt: skip
    if certificate is not None and verdict.equivalent:
        write_certificate(certificate, verdict, original, lowered, parse_bind(bind))
    if json:
        print_json(verdict)
    else:
        print_verdict(verdict)
        if certificate is not None and not verdict.equivalent:
            console().print("no certificate was written", style="red")
    if not (verdict.proven if require else verdict.equivalent):
        raise typer.Exit(1)


def _recheck(path: Path, others: Sequence[object], workers: int | None, timeout: float | None, json: bool) -> None:
    """Repeat a certificate; exit status 1 where it doesn't hold any more."""
    from onnxtile.cli.output import console, print_json, progress
    from onnxtile.verification.certificate import recheck

    if any(other is not None for other in others):
        raise UsageError("--recheck takes models, method, cases and sizes from the certificate; leave them out")
    with progress("recheck") as say:
        outcome = recheck(path, workers, say, timeout)
    if json:
        answer = {"holds": outcome.holds, "differences": outcome.differences, "verdict": outcome.verdict}
        print_json({"schema": "onnxtile.recheck/1", **answer})
    else:
        if outcome.verdict is not None:
            print_verdict(outcome.verdict)
        for difference in outcome.differences:
            console().print(difference, style="red")
        words, style = ("the certificate holds", "green") if outcome.holds else ("the certificate does NOT hold", "red")
        console().print(words, style=style)
    if not outcome.holds:
        raise typer.Exit(1)


MOST_ROWS = 20
"""Regions that are shown: the wrong ones, then those that took something else than the exact proof, then others."""


def print_verdict(verdict: Verdict) -> None:
    """Print the regions, or each output's difference beside what is allowed; then the verdict."""
    from onnxtile.cli.screen import say

    if verdict.regions:
        _print_regions(verdict)
    elif verdict.outputs and verdict.method == "bound":
        _print_values(verdict)
    for words in verdict.warnings:
        say(words, "yellow")
    say(verdict.summary, "green" if verdict.equivalent else "red")


_TESTED = {"bound": "run alone", "whole": "by the whole models", "empty": "no elements"}
"""How a region was tested."""


def _print_regions(verdict: Verdict) -> None:
    from onnxtile.cli.screen import console
    from onnxtile.cli.table import Column, Table, numbers
    from onnxtile.verification.verdict import STATUSES

    columns = [Column("region", shorten="middle"), Column("operator"), *numbers("products"), Column("status")]
    rows = sorted(verdict.regions, key=lambda region: -STATUSES.index(region.status))
    Table([*columns, Column("why", shorten="wrap", least=32)]).print_first(rows, _region_cells, MOST_ROWS)
    for region in rows:
        if not region.equivalent and region.where:
            more = f" and {len(region.where) - 5} more" if len(region.where) > 5 else ""
            console().print(f"look at {', '.join(region.where[:5])}{more}", style="red")


def _region_cells(region: RegionVerdict) -> Sequence[Cell]:
    from onnxtile.cli.screen import styled
    from onnxtile.ir.printable import in_scope, several

    sizes = f"at {several(len(region.sizes), 'choice')} of sizes" if region.sizes else ""
    why = {
        "different": f"{region.reason}{_errors(region)}",
        "proven": f"as {region.same_as}" if region.same_as else ", ".join(filter(None, (sizes, _overflow(region)))),
        "unknown": str(region.reason),
        "tested": f"{_TESTED.get(region.method, '')}{_errors(region)}: {region.note}",
    }[region.status]
    style = {"proven": "green", "tested": "yellow", "unknown": "red", "different": "red"}[region.status]
    name, tiles = in_scope(region.scope, region.name), f"{region.tiles:,}" if region.tiles else ""
    return name, region.op, tiles, styled((region.status, style)), why


def _errors(region: RegionVerdict) -> str:
    """Return how far a region that was run is off, and how far it may be; nothing for one that wasn't."""
    if region.method not in ("bound", "whole"):
        return ""
    return f", max error {region.max_abs_error:.3g}, allowed {region.allowed:.3g}"


def _overflow(region: RegionVerdict) -> str:
    """Return up to which magnitude partial products of float16 don't overflow; nothing for wider types."""
    safe = region.safe_majorant
    return f"if |A||B| is at most {safe:,.0f}" if safe is not None and safe < 1e5 else ""  # float16's


def _print_values(verdict: Verdict) -> None:
    from onnxtile.cli.screen import styled
    from onnxtile.cli.table import Column, Table, numbers

    figures = numbers("max error", "allowed")
    table = Table([Column("value", shorten="middle"), *figures, Column("verdict", shorten="wrap", least=32)])
    first = [layer for layer in verdict.layers if layer.name == verdict.first_outside]
    for value in (*first, *verdict.outputs):
        judged = ("equal, bit for bit" if value.exact else "within its bound", "green")
        judged = judged if value.equivalent else (str(value.reason), "red")
        table.add(value.name, f"{value.max_abs_error:.3g}", f"{value.allowed:.3g}", styled(judged))
    table.print()
