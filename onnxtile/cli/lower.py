"""`onnxtile lower`."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from onnxtile.cli.options import Bind, Json, Max, Model, Ops, parse_bind

if TYPE_CHECKING:
    from onnxtile.report import Report
    from onnxtile.verification import Verdict

EXAMPLES = """Examples:

onnxtile lower model.onnx --max 64,64,64

onnxtile lower model.onnx --max '*,128,128' --bind batch=1 -o small.onnx --verify"""


def command(
    model: Model,
    max: Max,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="OUT", help="Where to; MODEL.tiled.onnx by default.")
    ] = None,
    ops: Ops = "matmul",
    form: Annotated[
        str, typer.Option(help="How tiles are spelled: unrolled, batched, loop, function; or auto.")
    ] = "unrolled",
    weights: Annotated[
        str, typer.Option(help="Cut constants ahead of time (pretile) or at run time (split).")
    ] = "pretile",
    accumulate: Annotated[Literal["chain", "tree", "sum"], typer.Option(help="How partial sums are added.")] = "chain",
    max_nodes: Annotated[
        int, typer.Option(min=0, help="With --form auto: nodes up to which tiles are unrolled.")
    ] = 10_000,
    max_fan_in: Annotated[int | None, typer.Option(min=2, help="Most inputs of a Concat or Sum that is made.")] = None,
    max_fan_out: Annotated[int | None, typer.Option(min=2, help="Most outputs of a Split that is made.")] = None,
    bind: Bind = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare the result with the original; write it only if it's equivalent.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what each form would cost, and write nothing.")
    ] = False,
    json: Json = False,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the JSON report to this file too.")] = None,
) -> None:
    """Rewrite MODEL so that every matrix product fits the engine.

    The result is an equivalent, plain ONNX model; what can't be cut stays and is listed with the reason. Exit status: 0
    all products asked for fit, 1 some don't or the result isn't equivalent, 2 the call or the file is bad.
    """
    from onnxtile.cli.output import progress
    from onnxtile.files import check_output, replacing
    from onnxtile.lowering import lower
    from onnxtile.verification import verify as compare

    if dry_run:
        _estimate(model, max, ops, weights, accumulate, max_fan_in, max_fan_out, bind, json)
        return
    target = output or model.with_suffix(".tiled.onnx")
    sizes = parse_bind(bind)
    check_output(target, model)
    if report is not None:
        check_output(report, model, target)
    verdict = None
    with replacing(target) as temporary:
        with progress(f"lower {model.name}") as say:
            result = lower(
                model, max, ops=ops, form=form, weights=weights, accumulate=accumulate, max_nodes=max_nodes,
                max_fan_in=max_fan_in, max_fan_out=max_fan_out, bind=sizes, output=temporary, progress=say,
            )  # fmt: skip
            if verify:
                verdict = compare(model, temporary, bind=sizes, progress=say)
        kept = verdict is None or verdict.equivalent
        _tell(result, verdict, target if kept else None, json, report)
        if not kept:
            raise typer.Exit(1)
    if not result.ok:
        raise typer.Exit(1)


def _tell(result: Report, verdict: Verdict | None, target: Path | None, json: bool, report: Path | None) -> None:
    """Print what was done, and write it to the report file."""
    from onnxtile.cli.output import print_json, print_report, summary
    from onnxtile.cli.verify import print_verdict
    from onnxtile.files import replacing

    document = result.to_json() | {"output": None if target is None else str(target)}
    if verdict is not None:
        document["verify"] = verdict.to_json()
    if report is not None:
        with replacing(report) as temporary:
            temporary.write_text(json_module.dumps(document, indent=2) + "\n")
    if json:
        print_json(document)
        return
    where = (
        f"{result.nodes_before:,} nodes became {result.nodes_after:,} in {target}" if target else "nothing was written"
    )
    print_report(result, f"{summary(result)}; {where}")
    if verdict is not None:
        print_verdict(verdict)


def _estimate(
    model: Path, max: str, ops: str, weights: str, accumulate: Literal["chain", "tree", "sum"], max_fan_in: int | None,
    max_fan_out: int | None, bind: list[str] | None, json: bool,
) -> None:  # fmt: skip
    """Print what each form would cost."""
    import dataclasses

    from onnxtile.cli.output import print_costs, print_json, print_report, progress, summary
    from onnxtile.lowering import estimate

    with progress(f"estimate {model.name}"):
        result, found = estimate(
            model, max, ops=ops, weights=weights, accumulate=accumulate, max_fan_in=max_fan_in,
            max_fan_out=max_fan_out, bind=parse_bind(bind),
        )  # fmt: skip
    if json:
        forms = [dataclasses.asdict(cost) for cost in found]
        print_json(result.to_json() | {"dry_run": True, "nodes_after": None, "forms": forms})
    else:
        print_report(result, f"{summary(result)}; nothing was written")
        print_costs(found)
    if not result.ok:
        raise typer.Exit(1)
