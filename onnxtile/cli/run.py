"""`onnxtile run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxtile.cli import completion
from onnxtile.cli.options import DumpAfter, Engine, FollowLinks, Json, Minimize, Model, Passes, TimePasses
from onnxtile.cli.overwriting import Force, check_earlier
from onnxtile.cli.standard_streams import STANDARD, name_of, words_for
from onnxtile.cli.torch_models import Timeout, isolate_engine
from onnxtile.errors import UsageError

if TYPE_CHECKING:
    from onnxtile.ir.io.progress import Progress
    from onnxtile.passes.instrument import Instrument

EXAMPLES = """Examples:

onnxtile run model.onnx --passes 'infer-shapes,decompose-gemm,tile-matmul{max=64,64,64}' -o out.onnx

onnxtile run model.onnx --passes 'infer-shapes,decompose-gemm,tile-matmul' --engine systolic-32 -o out.onnx

onnxtile run model.onnx --passes 'infer-shapes,my.module:MyPass' -o out.onnx --verify-each --dump-after all dumps"""


def command(
    model: Model,
    passes: Passes,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT", help="Where to.")],
    engine: Engine = None,
    minimize: Minimize = "cycles",
    form: Annotated[
        str,
        typer.Option(
            autocompletion=completion.one_of(completion.forms),
            help="How tiles are written: unrolled, batched, loop or function.",
        ),
    ] = "unrolled",
    weights: Annotated[
        str,
        typer.Option(
            autocompletion=completion.one_of(completion.weights),
            help="Cut constants ahead of time (pretile) or at run time (split).",
        ),
    ] = "pretile",
    verify_each: Annotated[
        bool, typer.Option("--verify-each", help="Compare the model after each pass with the one before.")
    ] = False,
    dump_after: DumpAfter = None,
    time_passes: TimePasses = False,
    reproducer: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where to write what repeats a failure; OUT.reproducer by default."),
    ] = None,
    force: Force = False,
    follow_links: FollowLinks = False,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Run passes over MODEL and write the result; the model is checked between passes.

    With --engine, passes that take limits and aren't given any have those of the engine.

    A pass that fails leaves a folder with the model before it and the command that repeats the failure.

    Exit status: 0 all passes ran, 2 the call or the file is bad, or a pass failed.
    """
    if verify_each:
        isolate_engine(model, timeout=timeout)
    elif timeout is not None:
        raise UsageError("--timeout is for --verify-each, which runs the model")
    from onnxtile.cli.output import console, print_json, print_steps, progress, steps_to_json
    from onnxtile.debugging.instruments.verify_each import VerifyEach
    from onnxtile.engine.given import limits_given
    from onnxtile.ir.io.files import check_output
    from onnxtile.ir.io.load import external_files, load
    from onnxtile.ir.printable import several
    from onnxtile.lowering.model_file import save
    from onnxtile.passes.manager import PassManager
    from onnxtile.passes.pipelines.pipeline import parse_pipeline
    from onnxtile.tiling.forms.table import form_of

    form_to_write = form_of(form)
    limits = None if engine is None and minimize == "cycles" else limits_given(None, engine, minimize)
    check_output(output, model)
    with progress(f"run {model.name}") as say:
        manager = PassManager(parse_pipeline(passes, limits))
        check_earlier(output, model, force)
        loaded = load(model)
        sources = [model, *external_files(loaded)]
        check_output(output, *sources)
        manager.instruments = tuple(_instruments(output, reproducer, verify_each, dump_after, sources, say))
        declared = {value.name: value.shape for value in loaded.graph.outputs}
        result = manager(loaded, say).model
        for value in result.graph.outputs:  # a pass may not know a shape; the checker wants outputs to have the file's
            value.shape = declared.get(value.name) if value.shape is None else value.shape
        nodes = save(result, output, form_to_write, weights, model)
    verifying = [watching for watching in manager.instruments if isinstance(watching, VerifyEach)]
    unreported = {index for instrument in verifying for index in instrument.unreported}
    if json:
        rows = [
            row | {"verified": verify_each, "unreported": index in unreported}
            for index, row in enumerate(steps_to_json(manager.steps))
        ]
        print_json({"schema": "onnxtile.run/1", "output": str(output), "nodes": nodes, "passes": rows})
        return
    screen = console()
    if time_passes:
        print_steps(manager.steps)
    else:
        for step in manager.steps:
            screen.print(f"{step.seconds * 1000:9.1f} ms  {step.name}{'' if step.modified else ' (changed nothing)'}")
    for index in sorted(unreported):
        screen.print(f"pass {manager.steps[index].name} changed the model and says that it didn't", style="yellow")
    for instrument in verifying:
        screen.print(f"verified: the model is equivalent after each pass that changed it, {instrument.verified} in all")
    screen.print(f"{several(nodes, 'node')} in {words_for(output)}", style="green")


def _instruments(
    output: Path,
    reproducer: Path | None,
    verify_each: bool,
    dump_after: tuple[str, Path] | None,
    sources: list[Path],
    say: Progress,
) -> list[Instrument]:
    """Return the instruments that were asked for, the reproducer outermost, so that it sees what the others find."""
    from onnxtile.debugging.instruments.dump_after import DumpAfter
    from onnxtile.debugging.instruments.reproducer import Reproducer
    from onnxtile.debugging.instruments.verify_each import VerifyEach

    beside = Path("onnxtile.onnx") if name_of(output) == STANDARD else output
    folder = reproducer or beside.with_name(f"{beside.name.removesuffix('.onnx')}.reproducer")
    options = ["--verify-each"] if verify_each else []
    instruments: list[Instrument] = [Reproducer(folder, numbered=reproducer is None, options=options)]
    if verify_each:
        instruments.append(VerifyEach(progress=say))
    if dump_after is not None:
        which, directory = dump_after
        instruments.append(DumpAfter(which, directory, keep=[output, *sources]))
    return instruments
