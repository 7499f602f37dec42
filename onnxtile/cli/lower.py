"""`onnxtile lower`."""

from __future__ import annotations

import json as json_module
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from onnxtile.cli.options import Bind, DumpAfter, Json, Max, Model, Ops, TimePasses, parse_bind
from onnxtile.errors import UsageError

if TYPE_CHECKING:
    from onnxtile.instrument import Instrument, Step
    from onnxtile.lowering import Wish
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
    pad_tiles: Annotated[
        bool, typer.Option("--pad-tiles", help="Pad every product with zeros to full tiles of M x K x N.")
    ] = False,
    external_data: Annotated[
        bool, typer.Option("--external-data", help="Put weights into a data file; above 2 GB they go there anyway.")
    ] = False,
    align_data: Annotated[int, typer.Option(metavar="BYTES", help="Start each of them at a multiple of this.")] = 4,
    bind: Bind = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare the result with the original; write it only if it's equivalent.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what each form would cost, and write nothing.")
    ] = False,
    dump_after: DumpAfter = None,
    time_passes: TimePasses = False,
    json: Json = False,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the JSON report to this file too.")] = None,
) -> None:
    """Rewrite MODEL so that every matrix product fits the engine.

    The result is an equivalent, plain ONNX model; what can't be cut stays and is listed with the reason.

    Exit status: 0 all products asked for fit, 1 some don't or it isn't equivalent, 2 the call or a file is bad.
    """
    from onnxtile.checking import families
    from onnxtile.cli.output import progress
    from onnxtile.files import check_output
    from onnxtile.instruments import DumpAfter as DumpAfterPass
    from onnxtile.instruments import Timing
    from onnxtile.limits import Limits
    from onnxtile.lowering import Wish, lowering_to
    from onnxtile.saving import DataFile
    from onnxtile.verification import verify as compare

    data = DataFile(external_data, align_data)
    wish = Wish(
        Limits.parse(max), families(ops), form, weights, accumulate, max_nodes, max_fan_in, max_fan_out, data, pad_tiles
    )
    sizes = parse_bind(bind)
    if dry_run:
        _estimate(model, wish, sizes, json)
        return
    target, also = output or _beside(model), [] if report is None else [report]
    for path in also:
        check_output(path, model, target)
    timing = Timing()
    watch: list[Instrument] = [timing]
    if dump_after is not None:
        watch.append(DumpAfterPass(*dump_after, keep=[model, target, *also], elsewhere=wish.pass_names()))
    steps = timing.steps if time_passes else None
    verdict = None
    try:
        with (
            progress(f"lower {model.name}") as say,
            lowering_to(model, target, wish, sizes, say, also, watch) as (temporary, result),
        ):
            if verify:
                verdict = compare(model, temporary, bind=sizes, progress=say)
                if not verdict.equivalent:
                    raise _AbandonedError
    except _AbandonedError:
        _tell(result, verdict, None, json, report, steps)
        raise typer.Exit(1) from None
    _tell(result, verdict, target, json, report, steps)
    if not result.ok:
        raise typer.Exit(1)


class _AbandonedError(Exception):
    """The result isn't to be kept."""


def _beside(model: Path) -> Path:
    """`net.tiled.onnx` for `net.onnx`, `net-1.5.tiled.onnx` for `net-1.5`."""
    if model.exists() and not (model.is_file() or model.is_dir()):
        raise UsageError(f"{model} isn't a regular file; say with -o where the result goes")
    return model.parent / f"{model.name.removesuffix('.onnx')}.tiled.onnx"


def _tell(
    result: Report,
    verdict: Verdict | None,
    target: Path | None,
    json: bool,
    report: Path | None,
    steps: Sequence[Step] | None,
) -> None:
    """Print what was done, and write it to the report file."""
    from onnxtile.cli.output import amount_text, console, print_json, print_report, print_steps, steps_to_json, summary
    from onnxtile.cli.verify import print_verdict
    from onnxtile.files import replacing

    document = result.to_json() | {"output": None if target is None else str(target)}
    if verdict is not None:
        document["verify"] = verdict.to_json()
    if steps is not None:
        document["passes"] = steps_to_json(steps)
    if report is not None:
        with replacing(report) as temporary:
            temporary.write_text(json_module.dumps(document, indent=2) + "\n")
    if json:
        print_json(document)
        return
    if target is None:
        print_report(result, f"{summary(result)}; nothing was written")
    else:
        print_report(
            result, f"{summary(result)}; {result.nodes_before:,} nodes became {result.nodes_after:,} in {target}"
        )
    if result.having("tiled"):
        words = f"tiled: {amount_text(result.macs)} MACs, {amount_text(result.padded_macs)} with the padding of tiles"
        console().print(words, markup=False)
    if verdict is not None:
        print_verdict(verdict)
    if steps is not None:
        print_steps(steps)


def _estimate(model: Path, wish: Wish, sizes: dict[str, int], json: bool) -> None:
    """Print what each form would cost."""
    from onnxtile.cli.output import print_costs, print_json, print_report, progress, summary
    from onnxtile.lowering import estimate

    with progress(f"estimate {model.name}"):
        result, found = estimate(
            model, wish.limits, ops=wish.families, weights=wish.weights, accumulate=wish.accumulate,
            max_fan_in=wish.max_fan_in, max_fan_out=wish.max_fan_out, pad_tiles=wish.pad_tiles, bind=sizes,
        )  # fmt: skip
    if json:
        forms = [cost.to_json() for cost in found]
        print_json(result.to_json() | {"dry_run": True, "nodes_after": None, "forms": forms})
    else:
        print_report(result, f"{summary(result)}; nothing was written")
        print_costs(found)
    if not result.ok:
        raise typer.Exit(1)
