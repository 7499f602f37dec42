"""Lower a model to the limits of an engine: the order of the passes, and what becomes of each product."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import onnx_ir as ir

from onnxtile.errors import UsageError
from onnxtile.ir.graphs import count_nodes, is_tiled_product, scopes
from onnxtile.ir.io.files import check_output
from onnxtile.ir.io.interop import AnyModel, ModelInMemory, like, to_ir
from onnxtile.ir.io.load import external_files
from onnxtile.ir.io.progress import Progress, silent
from onnxtile.lowering.check import not_asked
from onnxtile.lowering.declared_shapes import borne_out, declared, restore, with_sizes
from onnxtile.lowering.form_costs import Cost, choose, costs
from onnxtile.lowering.model_file import saving
from onnxtile.lowering.model_writer import UNROLLED, to_proto
from onnxtile.lowering.options import AUTO, DecidingPass, LoweringOptions
from onnxtile.lowering.postcondition import Shapes, left_over
from onnxtile.lowering.report import Report, Row
from onnxtile.operators.contractions import Contraction, contractions
from onnxtile.passes.bind_dims import BindDims
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.inline import inlined
from onnxtile.passes.instrument import Watch
from onnxtile.passes.manager import PassManager
from onnxtile.passes.restore_products import RestoreProducts
from onnxtile.passes.specialize_functions import SpecializeFunctions
from onnxtile.passes.unroll_tiles import UnrollTiles
from onnxtile.tiling.forms.table import FORMS, Form, form_of
from onnxtile.tiling.legality import Decision, Refusal, legality
from onnxtile.tiling.plan import TilePlan

UNCUT = Refusal("postcondition", "it's still there after all passes; please report this")


@dataclass(frozen=True)
class Lowered:
    """A lowered model in its compact form, and what was done to each product."""

    model: ir.Model
    rows: tuple[Row, ...]
    options: LoweringOptions
    shapes: Shapes | None
    nodes_before: int

    def report(self, nodes_after: int, form: Form = UNROLLED, written: AnyModel | None = None) -> Report:
        """What was done, and what is left in what was written in `form`; PassError where that doesn't fit together."""
        limits, rows = self.options.limits, self.rows
        if written is not None:
            shapes = self.shapes if form.ability.spells_each_tile else None
            rows += tuple(left_over(written, nodes_after, rows, limits, self.options.families, shapes))
        return Report("lower", limits, rows, self.nodes_before, nodes_after, form.pads or self.options.pad_tiles)


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
    say(f"spell the tiles out, {form.name}")

    def as_ir() -> ir.Model:
        UnrollTiles(form.name, options.weights, options.max_fan_in, options.max_fan_out)(lowered.model)
        return lowered.model

    result = like(model, lambda: to_proto(lowered.model, form, options.weights, keep_external=False), as_ir)
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
    """Lower to a file beside `output`, given with the report; it's moved onto `output` if nothing is raised meanwhile.

    `others`: files that are written too, and mustn't be the same; `instruments` watch the passes. Errors: see `lower`.
    """
    say = progress or silent
    target, sources = _path(output), [_path(model)] if isinstance(model, (str, os.PathLike)) else []
    check_output(target, *sources, *others)
    say("read the model")
    loaded = to_ir(model)
    for path in (target, *others):
        check_output(path, *external_files(loaded))
    lowered = lower_ir(loaded, options, bind or {}, say, instruments)
    form = form_to_write(lowered.model, options)
    say(f"spell the tiles out, {form.name}")
    source = next(iter(sources), None)
    with saving(lowered.model, target, form, options.weights, source, options.data, say) as (temporary, nodes):
        say("check what was written")
        yield temporary, lowered.report(nodes, form, temporary)


def _path(path: str | os.PathLike[str]) -> Path:
    if not isinstance(path, (str, os.PathLike)):
        raise UsageError(f"output is {path!r}: give a path")
    return Path(path)


def estimate(
    model: AnyModel, options: LoweringOptions, bind: Mapping[str, int] | None = None
) -> tuple[Report, list[Cost]]:
    """Return what `lower` would do to each product, and what each form would cost; nothing is written.

    Raises what `lower` raises.
    """
    lowered = lower_ir(to_ir(model), replace(options, form=AUTO), bind or {}, silent)
    every = [form_of(name, options.max_fan_in, options.max_fan_out) for name in FORMS]
    return (report := lowered.report(lowered.nodes_before)), costs(lowered.model, every, options.weights, report)


def form_to_write(model: ir.Model, options: LoweringOptions) -> Form:
    """Return the form to write a compact model in."""
    if options.form != AUTO:
        return form_of(options.form, options.max_fan_in, options.max_fan_out)
    unrolled = form_of(UNROLLED.name, options.max_fan_in, options.max_fan_out)
    return choose(model, options.weights, options.max_nodes, unrolled)


def lower_ir(
    model: ir.Model, options: LoweringOptions, bind: Mapping[str, int], say: Progress, watch: Watch = ()
) -> Lowered:
    """Lower `model` in place to its compact form; its shapes and types stay as they were declared."""
    nodes_before = count_nodes(model)
    said = declared(model)
    if not isinstance(bind, Mapping):
        raise UsageError(f"bind is {bind!r}: give sizes by name, such as {{'batch': 1}}")
    PassManager([BindDims(bind)] if bind else [], False, watch)(model, say)
    said = with_sizes(said, declared(model))
    PassManager([InferShapes()], False, watch)(model, say)
    said = borne_out(model, said)
    lowered_before = any(map(is_tiled_product, model.functions.values()))
    PassManager([RestoreProducts(options.limits)] if lowered_before else [], False, watch)(model, say)
    functions_fit = _functions_fit(model, options)
    if not functions_fit:
        PassManager([SpecializeFunctions()], False, watch)(model, say)
    steps = options.passes()
    rows = tuple(
        _lower_row(each, decision, options.families) for each, decision in _all(model, options, steps, functions_fit)
    )
    as_read = functions_fit and not lowered_before
    cut = PassManager(steps, instruments=watch, checked=as_read)(model, say).modified
    rows += tuple(_left(model, options, steps, {row.name for row in rows}))
    shapes = _operands(model, cut)
    restore(model, said)
    return Lowered(model, rows, options, shapes, nodes_before)


def _operands(model: ir.Model, cut: bool) -> Shapes | None:
    """Shapes of what is going to be cut, if that's in the main graph alone; none where nothing was.

    In models with functions that doesn't count: these are looked into call by call only when the file is judged.
    """
    if any(is_tiled_product(node) for scope in scopes(model) if scope.name for node in scope.graph):
        return None
    shapes = {
        str(value.name): tuple(size if isinstance(size, int) else None for size in value.shape)
        for node in model.graph if is_tiled_product(node)
        for value in node.inputs if value is not None and value.shape is not None
    }  # fmt: skip
    return shapes if shapes or not (cut or model.functions) else None


def _left(model: ir.Model, options: LoweringOptions, steps: Sequence[DecidingPass], known: set[str]) -> Iterable[Row]:
    """Products that the passes made and couldn't cut."""
    products = list(contractions(model))
    for step in steps:
        for found, decision in step.decide(model, products):
            if decision is not None and found.name not in known:
                yield _lower_row(found, decision if isinstance(decision, Refusal) else UNCUT, options.families)


def _all(
    model: ir.Model, options: LoweringOptions, steps: Sequence[DecidingPass], functions_fit: bool
) -> Iterable[tuple[Contraction, Decision]]:
    """Every product with the decision of the pass that it concerns; what concerns none is refused."""
    limits, products = options.limits, list(contractions(model))
    decided: dict[tuple[ir.Node, str], Decision] = {}
    for step in steps:
        decided |= {(found.node, found.part): decision for found, decision in step.decide(model, products)}
    for found in products:
        fits = legality(found, limits) == "fits" or (found.in_function and functions_fit)
        unlowered = None if fits else Refusal("operator", f"{found.node.op_type} isn't lowered yet")
        decision = decided.get((found.node, found.part), unlowered)
        yield found, None if fits and not isinstance(decision, TilePlan) else decision


def _functions_fit(model: ir.Model, options: LoweringOptions) -> bool:
    """Whether all products in local functions that were asked for are within the limits, in every call."""
    if not model.functions or not any(found.in_function for found in contractions(model)):
        return True
    outside = {(found.scope, found.node.outputs[0].name) for found in contractions(model) if not found.in_function}
    every = contractions(inlined(model))
    within = (found for found in every if (found.scope, found.node.outputs[0].name) not in outside)
    return all(legality(found, options.limits) == "fits" for found in within if found.family in options.families)


def _lower_row(found: Contraction, decision: TilePlan | Refusal | None, asked: Sequence[str]) -> Row:
    if found.family not in asked:
        return not_asked(found)
    if isinstance(decision, TilePlan):
        return Row.of(found, "tiled", tiles=decision.tile)
    if isinstance(decision, Refusal) and decision.code == "operator" and found.reason:
        return Row.of(found, "unknown", f"{decision}; {found.reason}")
    return Row.of(found, "fits") if decision is None else Row.of(found, "refused", decision)
