"""`onnxtile profile`."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxtile.cli import completion
from onnxtile.cli.options import Bind, Engine, FollowLinks, Json, Minimize, parse_bind
from onnxtile.cli.overwriting import check_apart
from onnxtile.cli.torch_models import Device, Input, Model, Timeout, isolate_file, opened, refuse
from onnxtile.errors import UsageError, wrong_name
from onnxtile.ir.collector import collector_paused
from onnxtile.torch_frontend.detection import is_torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onnxtile.profiling.engine_costs import Layer
    from onnxtile.torch_frontend.trace.calls import Recording

EXAMPLES = """Examples:

onnxtile profile model.onnx --top 20

onnxtile profile model.onnx --by op --csv costs.csv

onnxtile profile model.onnx --against model.tiled.onnx

onnxtile profile model.onnx --engine systolic-32

onnxtile profile model.onnx --bind batch=1 --view memory --sort live_bytes

onnxtile profile model.pt --input 1x3x224x224 --tree

onnxtile profile my.networks:build --input ids=1x128:int64 --by module"""
FIRST_IO = "first-io"


def command(
    model: Model,
    bind: Bind = None,
    against: Annotated[
        Path | None, typer.Option(metavar="LOWERED", help="A lowered model: show what each product became.")
    ] = None,
    engine: Engine = None,
    minimize: Minimize = "cycles",
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --engine: roofline and bytes a layer, as .svg or .html; others too."),
    ] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="Facts instead: operators, their attributes, inputs, outputs, types.")
    ] = False,
    view: Annotated[
        str,
        typer.Option(
            autocompletion=completion.one_of(completion.views),
            help="Columns of the table: costs, memory, bandwidth; or first-io, a table of its own.",
        ),
    ] = "costs",
    convention: Annotated[
        str,
        typer.Option(
            autocompletion=completion.one_of(completion.conventions),
            help="What counts: macs, or ptflops for what that tool prints in their place.",
        ),
    ] = "macs",
    by: Annotated[
        str | None,
        typer.Option(
            autocompletion=completion.one_of(completion.groups), help="Add up the nodes by op, module, origin or scope."
        ),
    ] = None,
    depth: Annotated[
        int | None, typer.Option(min=1, help="With --by module or --tree: so many parts of its path.")
    ] = None,
    tree: Annotated[
        bool, typer.Option("--tree", help="The modules of a torch model instead, and its estimated sizes.")
    ] = False,
    input: Input = None,
    device: Device = None,
    timeout: Timeout = None,
    op: Annotated[
        list[str] | None,
        typer.Option(
            autocompletion=completion.operators, help="Only nodes of this operator; may be given several times."
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            autocompletion=completion.nodes,
            help="Only nodes of such a name, or origin: 'features.*'.",
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD",
            autocompletion=completion.one_of(completion.sortable),
            help="The greatest first: macs, live_bytes, ...",
        ),
    ] = None,
    top: Annotated[int | None, typer.Option(min=1, help="Only so many rows, of most macs or by --sort.")] = None,
    details: Annotated[bool, typer.Option("--details", help="Each node's shapes and attributes too.")] = False,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the table to FILE, - for the output.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="The same as a Markdown table.")] = None,
    follow_links: FollowLinks = False,
    json: Json = False,
) -> None:
    """Tell what every node of MODEL computes, stores and moves, and all of them together.

    The table on the screen is rounded; --json, --csv and --markdown are exact. What can't be told is unknown, with the
    reason, and the totals are lower bounds then.

    Exit status: 0 it's told, 2 the call or the file is bad.
    """
    isolate_file(model, timeout)
    from onnxtile.cli.output import print_json, progress
    from onnxtile.cli.sheets import write_sheet
    from onnxtile.cli.views.comparison import ComparisonView
    from onnxtile.cli.views.engine import ENGINE_VIEWS, EngineComparisonView, EngineView
    from onnxtile.cli.views.first_io import FirstIoView
    from onnxtile.cli.views.profile import VIEWS, CostsView, DetailsView
    from onnxtile.cli.views.summary import FactsView
    from onnxtile.cli.views.tree import TreeView
    from onnxtile.cli.views.view import View
    from onnxtile.profiling.comparison import compare
    from onnxtile.profiling.engine_comparison import compare_on_engine
    from onnxtile.profiling.profile import facts, first_io, profile, profile_lowered
    from onnxtile.profiling.selection import GROUPS, SORTABLE_ON_ENGINE, matching, ordered

    if view not in (*VIEWS, FIRST_IO):
        raise wrong_name(f"view {view!r} is unknown", view, (*VIEWS, FIRST_IO))
    if by is not None and by not in GROUPS:
        raise wrong_name(f"can't group by {by!r}", by, GROUPS)
    options = {
        "--against": against, "--view": view not in ("costs", FIRST_IO), "--convention": convention != "macs",
        "--by": by, "--depth": depth, "--op": op, "--name": name, "--sort": sort, "--top": top, "--details": details,
        "--engine": engine, "--minimize": minimize != "cycles", "--plot": plot, "--tree": tree, "--summary": summary,
        f"--view {FIRST_IO}": view == FIRST_IO,
    }  # fmt: skip
    tables: dict[str, type[View]] = {
        "--tree": TreeView, "--summary": FactsView, f"--view {FIRST_IO}": FirstIoView, "--against": ComparisonView,
    }  # fmt: skip
    if engine is not None:
        tables["--against"] = EngineComparisonView
        refused = [name for name in ("--convention", "--details") if options[name]]
        if refused or view not in (*ENGINE_VIEWS, FIRST_IO):
            wrong = refused[0] if refused else f"--view {view}"
            raise UsageError(f"{wrong} has nothing of an engine; leave it out, or --engine")
    elif plot is not None:
        raise UsageError("--plot draws what products take on an engine; give --engine, too")
    elif minimize != "cycles":
        raise UsageError("--minimize chooses tiles for an engine; give --engine, too")
    table = next((option for option in tables if options[option]), None)
    if table is not None:
        tables[table].reject_options(table, options)
    if depth is not None and by != "module" and not tree:
        raise UsageError("--depth counts parts of modules' paths; give --by module or --tree with it")
    if by is not None and sort == "live_bytes":
        raise UsageError("can't sort groups by live_bytes: what is alive is told of nodes; leave --by out")
    sheets = [(path, kind) for path, kind in ((csv, "csv"), (markdown, "markdown")) if path is not None]
    outputs = [path for path, _ in sheets] + ([] if plot is None else [plot])
    to_screen = json + list(map(str, outputs)).count("-")
    if to_screen > 1 or (csv is not None and csv == markdown):
        raise UsageError("--json, --csv and --markdown write to the same place; name different ones")
    for path in outputs:
        if str(path) != "-":
            check_apart(path, (model, against), engine, *(other for other in outputs if other is not path))
    if plot is not None:
        from onnxtile.plots.pictures import check_picture

        check_picture(plot)
    torch = is_torch(model)
    if torch:
        refuse(model, bind=bind, against=against, summary=summary, view=FIRST_IO * (view == FIRST_IO))
    else:
        refuse(model, input=input, device=device, tree=tree, timeout=timeout)
    sizes = parse_bind(bind)

    shown: View
    with progress(f"profile {model.name}"), nullcontext() if torch else collector_paused(for_good=True):
        if tree:
            recording = _recorded(model, input, device)  # which says so where torch isn't installed
            from onnxtile.torch_frontend.module_tree import tree_of

            shown = TreeView(tree_of(recording, depth))
        elif summary:
            shown = FactsView(facts(model, bind=sizes))
        elif view == FIRST_IO:
            shown = FirstIoView(first_io(model, bind=sizes))
        else:
            if torch:
                recording = _recorded(model, input, device)
                from onnxtile.torch_frontend.profile import profile_of

                costs = profile_of(recording, convention, details, engine, minimize)
            else:
                costs = profile(
                    model, bind=sizes, convention=convention, details=details, engine=engine, minimize=minimize
                )
            if against is not None:
                other = profile_lowered(
                    against, costs, bind=sizes, convention=convention, engine=engine, minimize=minimize
                )
            if against is not None and costs.engine is not None and other.engine is not None:
                compared = compare_on_engine(costs.engine, other.engine)
                shown = EngineComparisonView(compared, model.name, against.name)
            elif costs.engine is not None:
                layers = matching(costs.engine.layers, op or (), name or ())
                how = (sort, top, SORTABLE_ON_ENGINE, "cycles")
                chosen = ordered(costs.engine.by(by, depth, layers), *how) if by else ordered(layers, *how)
                shown = EngineView(costs, costs.engine, chosen, view, by)
                if plot is not None and engine is not None:
                    _draw(plot, layers, engine, model.name)
            elif against is not None:
                shown = ComparisonView(compare(costs, other), model.name, against.name)
            else:
                nodes = matching(costs.nodes, op or (), name or ())
                rows = ordered(costs.by(by, depth, nodes), sort, top) if by else ordered(nodes, sort, top)
                shown = (DetailsView if details and by is None else CostsView)(costs, rows, view, by)
    for path, kind in sheets:
        write_sheet(path, kind, shown.sheet())
    if json:
        print_json(shown)
    elif not to_screen:
        shown.print()


def _draw(plot: Path, layers: Sequence[Layer], engine: str, model: str) -> None:
    from onnxtile.engine.load import load
    from onnxtile.ir.printable import several
    from onnxtile.plots.layer import drawn
    from onnxtile.plots.pictures import write_layers

    described = load(engine)
    shown, bandwidth = drawn(layers, described), described.memory.bandwidth
    products = sum(layer.types is not None for layer in layers)
    lacking = (
        f"; {several(products - len(shown), 'product')} with unknown amounts left out" if products > len(shown) else ""
    )
    rate = None if bandwidth is None else float(bandwidth)
    write_layers(plot, shown, rate, f"{model} on {described.name}", f"{several(len(shown), 'product')}{lacking}")


def _recorded(model: Path, inputs: list[str] | None, device: str | None) -> Recording:
    network = opened(model, inputs)
    from onnxtile.torch_frontend.load import running
    from onnxtile.torch_frontend.trace.recording import record

    with running():
        return record(network, device)
