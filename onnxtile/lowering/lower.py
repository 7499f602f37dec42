"""Lower a model to the limits of an engine: the order of the passes, and what becomes of each product."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import onnx
import onnx_ir as ir

from onnxtile.errors import UsageError
from onnxtile.ir.dimensions import LARGEST
from onnxtile.ir.graphs import count_nodes, is_tiled_product, scopes
from onnxtile.ir.io.files import check_output
from onnxtile.ir.io.interop import AnyModel, ModelInMemory, like, to_ir
from onnxtile.ir.io.load import external_files
from onnxtile.ir.io.progress import Progress, silent
from onnxtile.lowering.declared_shapes import DeclaredShapes
from onnxtile.lowering.form_costs import Cost, choose, costs
from onnxtile.lowering.model_file import Written, saving
from onnxtile.lowering.model_writer import UNROLLED, to_proto
from onnxtile.lowering.options import AUTO, LoweringOptions
from onnxtile.lowering.plan import LoweringPlan, functions_fit
from onnxtile.lowering.postcondition import left_over
from onnxtile.lowering.report import Report, Row
from onnxtile.lowering.unrolled_products import DataTypes, Shapes
from onnxtile.lowering.value_info import describe
from onnxtile.operators.contractions import contractions
from onnxtile.passes.bind_dims import BindDims
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.instrument import Watch
from onnxtile.passes.manager import PassManager
from onnxtile.passes.restore_products import RestoreProducts
from onnxtile.passes.specialize_functions import SpecializeFunctions
from onnxtile.passes.unroll_tiles import UnrollTiles
from onnxtile.tiling.forms.form import Form
from onnxtile.tiling.forms.table import form_names


@dataclass(frozen=True)
class Lowered:
    """A lowered model in its compact form, and what was done to each product."""

    model: ir.Model
    plan: LoweringPlan
    rows: tuple[Row, ...]
    options: LoweringOptions
    shapes: Shapes | None
    types: DataTypes
    nodes_before: int

    def report(self, nodes_after: int, form: Form = UNROLLED, written: AnyModel | Written | None = None) -> Report:
        """Return what was done, and what is left in what was written; PassError where its names don't fit together."""
        limits, rows, how = self.options.limits, self.rows, self.options
        if written is not None:
            shapes = self.shapes if form.ability.writes_each_tile or form.keeps_calls else None
            compact = self.model if form.keeps_calls else None
            families = self.options.families
            rows += tuple(left_over(written, nodes_after, rows, limits, families, shapes, compact, self.types))
        pads, wrote = form.pads or how.pad_tiles, (None, None) if written is None else (form.name, how.weights)
        return Report("lower", limits, rows, self.nodes_before, nodes_after, pads, *wrote)


def lower(
    model: AnyModel,
    options: LoweringOptions,
    bind: Mapping[str, int] | None = None,
    progress: Progress | None = None,
) -> tuple[ModelInMemory, Callable[[], Report]]:
    """Return an equivalent model, of the kind that was given, in which each product asked for is within the limits.

    What can't be lowered stays as it is; the function that comes with it judges the result and returns the report.
    `bind`: sizes of free dimensions by name. `progress` is told what is done. Raises UsageError, ModelError or
    UnsupportedError.
    """
    say = progress or silent
    say("read the model")
    lowered = lower_ir(to_ir(model), options, bind or {}, say)
    form = form_to_write(lowered.model, options)
    say(f"write the tiles, {form.name}")

    def as_ir() -> ir.Model:
        UnrollTiles(form.name, options.weights, options.max_fan_in, options.max_fan_out, options.splits)(lowered.model)
        if options.value_info:
            describe(lowered.model)
        return lowered.model

    def as_proto() -> onnx.ModelProto:
        return to_proto(lowered.model, form, options.weights, keep_external=False, value_info=options.value_info)

    result = like(model, as_proto, as_ir)
    return result, lambda: lowered.report(count_nodes(to_ir(result)), form, result)


@contextmanager
def lowering_to(
    model: AnyModel,
    output: str | os.PathLike[str],
    options: LoweringOptions,
    bind: Mapping[str, int] | None = None,
    progress: Progress | None = None,
    others: Sequence[Path] = (),
    instruments: Watch = (),
) -> Iterator[tuple[Path, Report]]:
    """Lower to a file beside `output`, and give it with the report; it's moved there if nothing is raised meanwhile.

    `others`: files that are written too, and mustn't be the same; `instruments` watch the passes. Errors: see `lower`.
    """
    say = progress or silent
    if not isinstance(output, (str, os.PathLike)):
        raise UsageError(f"output is {output!r}: give a path")
    target, source = Path(output), Path(model) if isinstance(model, (str, os.PathLike)) else None
    check_output(target, *(() if source is None else (source,)), *others)
    say("read the model")
    loaded = to_ir(model)
    for path in (target, *others):
        check_output(path, *external_files(loaded))
    lowered = lower_ir(loaded, options, bind or {}, say, instruments)
    form = form_to_write(lowered.model, options)
    say(f"write the tiles, {form.name}")
    with saving(lowered.model, target, form, options.weights, source, options.data, say, options.value_info) as written:
        say("check what was written")
        yield written.path, lowered.report(written.nodes, form, written)


def estimate(
    model: AnyModel, options: LoweringOptions, bind: Mapping[str, int] | None = None
) -> tuple[Report, list[Cost]]:
    """Return what `lower` would do to each product, and what each form would cost; nothing is written.

    Raises what `lower` raises.
    """
    lowered = lower_ir(to_ir(model), replace(options, form=AUTO, max_nodes=LARGEST), bind or {}, silent)
    forms = [options.form_named(name) for name in form_names()]
    report = lowered.report(lowered.nodes_before)
    return report, costs(lowered.model, forms, options.weights, report)


def form_to_write(model: ir.Model, options: LoweringOptions) -> Form:
    """Return the form to write a compact model in."""
    if options.form != AUTO:
        return options.form_named(options.form)
    return choose(model, options.weights, options.max_nodes, options.form_named(UNROLLED.name))


def lower_ir(
    model: ir.Model, options: LoweringOptions, bind: Mapping[str, int], say: Progress, watch: Watch = ()
) -> Lowered:
    """Lower `model` in place to its compact form; its shapes and types stay as they were declared."""
    if not isinstance(bind, Mapping):
        raise UsageError(f"bind is {bind!r}: give sizes by name, such as {{'batch': 1}}")

    def run(pass_: ir.passes.PassBase) -> None:
        PassManager([pass_], check=False, instruments=watch)(model, say)

    nodes_before, declared = count_nodes(model), DeclaredShapes(model)
    if bind:
        run(BindDims(bind))
        declared.take_bound_sizes(model)
    run(InferShapes())
    declared.drop_disproved(model)
    lowered_before = any(map(is_tiled_product, model.functions.values()))
    if lowered_before:
        run(RestoreProducts(options.limits))
    products = list(contractions(model))
    functions_already_fit = functions_fit(model, products, options)
    if not functions_already_fit:
        run(SpecializeFunctions())
        products = list(contractions(model))
    plan = LoweringPlan(model, options, products, functions_already_fit)
    # reading checked the model; binding and inference change sizes alone, so only other passes call for a new check
    manager = PassManager(plan.passes, instruments=watch, checked=functions_already_fit and not lowered_before)
    cut = manager(model, say).modified
    rows, shapes = plan.outcome(model), _shapes(model, cut)
    types = {str(value.name): value.dtype for value in _values(model) if value.name and value.dtype is not None}
    declared.restore(model)
    return Lowered(model, plan, rows, options, shapes, types, nodes_before)


def _values(model: ir.Model) -> Iterator[ir.Value]:
    """Yield what nodes of the main graph read and write."""
    return (value for node in model.graph for value in (*node.inputs, *node.outputs) if value is not None)


def _shapes(model: ir.Model, cut: bool) -> Shapes | None:
    """Return the shapes of the main graph's values, by which the written file can be judged without inference.

    None if a tiled call is in a body or a function, or if nothing is tiled and products were rewritten (`cut`) or there
    are local functions: the file is then inferred anew, and functions are judged call by call.
    """
    if any(is_tiled_product(node) for scope in scopes(model) if scope.name for node in scope.graph):
        return None
    calls = any(is_tiled_product(node) for node in model.graph)
    if not calls and (cut or model.functions):
        return None
    return {
        str(value.name): tuple(size if isinstance(size, int) else None for size in value.shape)
        for value in _values(model) if value.name and value.shape is not None
    }  # fmt: skip
