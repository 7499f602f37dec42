"""`onnxtile lower`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from onnxtile.cli import completion
from onnxtile.cli.options import (
    All,
    Bind,
    DumpAfter,
    Engine,
    FollowLinks,
    Json,
    Listed,
    Max,
    Minimize,
    Only,
    Ops,
    TimePasses,
    limits_of,
    parse_bind,
)
from onnxtile.cli.overwriting import Force, check_apart, check_earlier
from onnxtile.cli.standard_streams import name_of, words_for
from onnxtile.cli.torch_models import Input, Model, Timeout, isolate_engine, isolate_file, opened, outcome, refuse
from onnxtile.errors import UsageError
from onnxtile.torch_frontend.detection import is_torch

if TYPE_CHECKING:
    from onnxtile.ir.io.progress import Progress
    from onnxtile.lowering.convolution_costs import ConvolutionCost
    from onnxtile.lowering.form_costs import Cost
    from onnxtile.lowering.options import FormName
    from onnxtile.lowering.report import Report
    from onnxtile.passes.instrument import Instrument, Step
    from onnxtile.tiling.call_writer import WeightsName
    from onnxtile.verification.verdict import Verdict

EXAMPLES = """Examples:

onnxtile lower model.onnx --max 64,64,64

onnxtile lower model.onnx --max '*,128,128' --bind batch=1 -o small.onnx --verify

onnxtile lower model.pt --input 1x3x224x224 --max 64,64,64 --verify"""


def command(
    model: Model,
    max: Max = None,
    engine: Engine = None,
    minimize: Minimize = "cycles",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="OUT", help="Where to; MODEL.tiled.onnx by default.")
    ] = None,
    ops: Ops = "all",
    form: Annotated[
        str,
        typer.Option(
            autocompletion=completion.one_of(completion.forms_or_auto),
            help="How tiles are written: unrolled, batched, loop, function; or auto.",
        ),
    ] = "unrolled",
    weights: Annotated[
        str,
        typer.Option(
            autocompletion=completion.one_of(completion.weights),
            help="Cut constants ahead of time (pretile) or at run time (split).",
        ),
    ] = "pretile",
    accumulate: Annotated[Literal["chain", "tree", "sum"], typer.Option(help="How partial sums are added.")] = "chain",
    max_nodes: Annotated[
        int, typer.Option(min=0, help="With --form auto: nodes up to which tiles are unrolled.")
    ] = 10_000,
    max_fan_in: Annotated[int | None, typer.Option(min=2, help="Most inputs of a Concat or Sum that is made.")] = None,
    max_fan_out: Annotated[int | None, typer.Option(min=2, help="Most outputs of a Split that is made.")] = None,
    splits: Annotated[
        Literal["split", "slice"], typer.Option(help="Unrolled, cut values by Split, or by a Slice for each tile.")
    ] = "split",
    pad_tiles: Annotated[
        bool, typer.Option("--pad-tiles", help="Pad every product with zeros to full tiles of M x K x N.")
    ] = False,
    narrow_products: Annotated[
        bool,
        typer.Option("--narrow-products", help="Leave cut products of float16 and bfloat16 in their type."),
    ] = False,
    steps: Annotated[
        Literal["scan", "unroll"], typer.Option(help="Write steps of RNN, LSTM, GRU as a Scan, or one by one.")
    ] = "scan",
    depthwise: Annotated[
        Literal["vector", "keep", "gemm"],
        typer.Option(help="Write depthwise convolutions as sums (vector) or products (gemm), or keep them."),
    ] = "vector",
    conv: Annotated[
        Literal["gemm", "split"],
        typer.Option(help="Write convolutions as products (gemm), or as smaller convolutions (split)."),
    ] = "gemm",
    value_info: Annotated[
        bool, typer.Option("--value-info", help="Write types and shapes of new values, which viewers show.")
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
    input: Input = None,
    timeout: Timeout = None,
    keep_exported: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep what a torch model is exported to, before it's lowered.")
    ] = None,
    dump_after: DumpAfter = None,
    time_passes: TimePasses = False,
    force: Force = False,
    follow_links: FollowLinks = False,
    everything: All = False,
    only: Only = None,
    json: Json = False,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the JSON report to this file too.")] = None,
) -> None:
    """Rewrite MODEL so that every matrix product fits the engine.

    The result is an equivalent, plain ONNX model; what can't be cut stays and is listed with the reason. A model of
    torch is exported first, as it runs with --input; --verify holds the result against torch, too.

    Exit status: 0 all products asked for fit, 1 some don't or it isn't equivalent, 2 the call or a file is bad.
    """
    listed = Listed.of(everything, only, json)
    isolate_file(model, timeout)
    runs_engine = verify and not is_torch(model)
    if runs_engine:
        isolate_engine(model, timeout=timeout)
    from onnxtile.cli.output import progress
    from onnxtile.debugging.instruments.dump_after import DumpAfter as DumpAfterPass
    from onnxtile.ir.io.files import check_output
    from onnxtile.lowering.convolution_costs import convolution_costs
    from onnxtile.lowering.lower import estimate, lowering_to
    from onnxtile.lowering.options import LoweringOptions
    from onnxtile.passes.instrument import Timing
    from onnxtile.verification.verify import verify as compare

    options = LoweringOptions.of(
        limits_of(max, engine, minimize), ops=ops, form=cast("FormName", form), weights=cast("WeightsName", weights),
        accumulate=accumulate, max_nodes=max_nodes, max_fan_in=max_fan_in, max_fan_out=max_fan_out, splits=splits,
        pad_tiles=pad_tiles, narrow_products=narrow_products, steps=steps, depthwise=depthwise, conv=conv,
        value_info=value_info,
        external_data=external_data,
        align_data=align_data,
    )  # fmt: skip
    if is_torch(model):
        refuse(model, bind=bind)
    else:
        refuse(model, input=input, keep_exported=keep_exported, timeout=None if runs_engine else timeout)
    sizes = parse_bind(bind)
    if dry_run:
        with progress(f"estimate {model.name}") as say, _source(model, input, None, say) as source:
            result, costs = estimate(source.path, options, sizes)
            convolutions = convolution_costs(source.path, options, sizes, result)
        _print_estimate(model, result, costs, convolutions, listed, json)
        return
    target, also = output or _beside(model), [path for path in (report, keep_exported) if path is not None]
    if is_torch(model):  # what lowers checks it for files of ONNX, which it reads itself
        check_output(target, model)
    for path in also:
        check_apart(path, (model,), target, engine, *(input or ()))
    timing = Timing()
    watch: list[Instrument] = [timing]
    if dump_after is not None:
        watch.append(DumpAfterPass(*dump_after, keep=[model, target, *also], elsewhere=options.pass_names()))
    timed = timing.steps if time_passes else None
    verdicts: dict[str, Verdict] = {}
    try:
        with (
            progress(f"lower {model.name}") as say,
            _source(model, input, keep_exported, say) as source,
            _kept(target, source.path, force),
            lowering_to(source.path, target, options, sizes, say, also, watch) as (temporary, result),
        ):
            if verify:
                verdicts["verify"] = compare(source.path, temporary, bind=sizes, progress=say)
                if verdicts["verify"].equivalent and source.against_torch is not None:
                    verdicts["verify_torch"] = source.against_torch(temporary)
                if not all(verdict.equivalent for verdict in verdicts.values()):
                    raise _AbandonedError
    except _AbandonedError:
        _print(model, result, verdicts, None, listed, json, report, timed)
        raise typer.Exit(1) from None
    _print(model, result, verdicts, target, listed, json, report, timed)
    if not result.ok:
        raise typer.Exit(1)


@contextmanager
def _kept(target: Path, source: Path, force: bool) -> Iterator[None]:
    """Refuse to write over another model's result, before any work."""
    check_earlier(target, source, force)
    yield


class _AbandonedError(Exception):
    """Raised where the result isn't to be kept."""


@dataclass(frozen=True)
class _Source:
    """The ONNX model to lower, and what compares a lowered one with the torch model that it comes from, if any."""

    path: Path
    against_torch: Callable[[Path], Verdict] | None = None


@contextmanager
def _source(model: Path, inputs: list[str] | None, keep: Path | None, say: Progress) -> Iterator[_Source]:
    """Give MODEL itself, or what a torch model is exported to."""
    if not is_torch(model):
        yield _Source(model)
        return
    say("load the model")
    network = opened(model, inputs)
    from onnxtile.torch_frontend.compare import compare_with_torch
    from onnxtile.torch_frontend.lower import exported

    with exported(network, keep, say) as path:
        yield _Source(path, lambda lowered: compare_with_torch(network, lowered, progress=say))


def _beside(model: Path) -> Path:
    """`net.tiled.onnx` for `net.onnx`, `net-1.5.tiled.onnx` for `net-1.5`."""
    if model.exists() and not (model.is_file() or model.is_dir()):
        raise UsageError(f"{model} isn't a regular file; say with -o where the result goes")
    if is_torch(model):
        return outcome(model, "tiled.onnx")
    return model.parent / f"{model.name.removesuffix('.onnx')}.tiled.onnx"


def _print(
    model: Path,
    result: Report,
    verdicts: Mapping[str, Verdict],
    target: Path | None,
    listed: Listed,
    json: bool,
    report: Path | None,
    steps: Sequence[Step] | None,
) -> None:
    """Print what was done, and write it to the report file."""
    from onnxtile.cli.output import print_json, print_report, print_steps, provenance, steps_to_json
    from onnxtile.cli.screen import suggest
    from onnxtile.cli.verify import print_verdict
    from onnxtile.ir.io.files import replacing
    from onnxtile.ir.json_encoding import json_text
    from onnxtile.ir.printable import several

    output = None if target is None else name_of(target)
    document = {**result.to_json(), **provenance(model), "output": output, **verdicts}
    if steps is not None:
        document["passes"] = steps_to_json(steps)
    if report is not None:
        with replacing(report) as temporary:
            temporary.write_text(json_text(document))
    if json:
        print_json(document)
        return
    became = "nothing was written"
    if target is not None:
        nodes = f"{several(result.nodes_before, 'node')} became {result.nodes_after:,}"
        became = f"{nodes}, form {result.form}, in {words_for(target)}"
    print_report(result, listed, became)
    for verdict in verdicts.values():
        print_verdict(verdict)
    if steps is not None:
        print_steps(steps)
    if target is not None and name_of(target) == str(target) and not verdicts and not is_torch(model):
        suggest("to prove it equivalent", "verify", model, target)


def _print_estimate(
    model: Path, result: Report, costs: list[Cost], convolutions: list[ConvolutionCost], listed: Listed, json: bool
) -> None:  # fmt: skip
    """Print what each form would cost, and each way to write convolutions."""
    from onnxtile.cli.output import print_convolution_costs, print_costs, print_json, print_report, provenance

    if json:
        forms = {"forms": costs, "convolutions": convolutions}
        estimated = {"schema": "onnxtile.estimate/1", "dry_run": True, "nodes_after": None}
        print_json(result.to_json() | provenance(model) | estimated | forms)
    else:
        print_report(result, listed, "nothing was written")
        print_costs(costs)
        print_convolution_costs(convolutions)
    if not result.ok:
        raise typer.Exit(1)
