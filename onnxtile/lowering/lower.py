"""The main job: `lower` a model to an engine's limits, and `check` whether it is within them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx_ir as ir

from onnxtile.errors import UsageError
from onnxtile.ir.graphs import count_nodes, is_tiled_product, scopes
from onnxtile.ir.io.files import check_output, real
from onnxtile.ir.io.interop import AnyModel, like, to_ir
from onnxtile.ir.io.load import external_files
from onnxtile.ir.io.progress import Progress, silent
from onnxtile.lowering.check import not_asked
from onnxtile.lowering.declared_shapes import borne_out, declared, restore, with_sizes
from onnxtile.lowering.form_costs import Cost, choose, costs
from onnxtile.lowering.model_file import DataFile, saving
from onnxtile.lowering.model_writer import UNROLLED, to_proto
from onnxtile.lowering.postcondition import Shapes, left_over
from onnxtile.lowering.report import Report, Row
from onnxtile.lowering.weight_stream import ALIGNMENT
from onnxtile.operators.table import Contraction, contractions, families
from onnxtile.passes.base import Decompose
from onnxtile.passes.bind_dims import BindDims
from onnxtile.passes.decompose_attention import DecomposeAttention
from onnxtile.passes.decompose_blockwise import DecomposeBlockwise
from onnxtile.passes.decompose_einsum import DecomposeEinsum
from onnxtile.passes.decompose_fused import DecomposeFused
from onnxtile.passes.decompose_gemm import DecomposeGemm
from onnxtile.passes.decompose_qdq import DecomposeQdq
from onnxtile.passes.decompose_quantized import DecomposeQuantized
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.inline import inlined
from onnxtile.passes.instrument import Watch
from onnxtile.passes.manager import PassManager
from onnxtile.passes.registry import pass_name
from onnxtile.passes.restore_products import RestoreProducts
from onnxtile.passes.specialize_functions import SpecializeFunctions
from onnxtile.passes.tile_matmul import TileMatMul
from onnxtile.passes.unroll_tiles import UnrollTiles
from onnxtile.tiling.emitter import WEIGHTS
from onnxtile.tiling.forms.table import FORMS, Form, form_of
from onnxtile.tiling.legality import Decision, Refusal, legality
from onnxtile.tiling.limits import AnyLimits, Limits
from onnxtile.tiling.plan import Accumulate, TilePlan

MAX_NODES = 10_000
"""Nodes up to which form auto unrolls: onnxruntime loads so many in seconds, and ten times as many in minutes."""
AUTO = "auto"
UNCUT = Refusal("postcondition", "it's still there after all passes; please report this")
ATTENTION: tuple[type[Decompose], ...] = (DecomposeAttention,)
MATMUL: tuple[type[Decompose], ...] = (
    DecomposeEinsum, DecomposeFused, DecomposeBlockwise, DecomposeQdq, DecomposeQuantized, DecomposeGemm
)  # fmt: skip
Decides = Decompose | TileMatMul


@dataclass(frozen=True)
class Lowered:
    """A lowered model in its compact form, and what was done to each product."""

    model: ir.Model
    rows: tuple[Row, ...]
    wish: Wish
    shapes: Shapes | None
    nodes_before: int

    def report(self, nodes_after: int, form: Form = UNROLLED, written: Path | None = None) -> Report:
        """What was done, and what is left in what was written in `form`; PassError where that doesn't fit together."""
        limits, rows = self.wish.limits, self.rows
        if written is not None:
            shapes = self.shapes if form.ability.spells_each_tile else None
            rows += tuple(left_over(written, nodes_after, rows, limits, self.wish.families, shapes))
        return Report("lower", limits, rows, self.nodes_before, nodes_after, form.pads or self.wish.pad_tiles)


def lower(
    model: AnyModel,
    max: AnyLimits,
    *,
    ops: str | Sequence[str] = "matmul",
    form: str = "unrolled",
    weights: str = "pretile",
    accumulate: Accumulate = "chain",
    max_nodes: int = MAX_NODES,
    max_fan_in: int | None = None,
    max_fan_out: int | None = None,
    pad_tiles: bool = False,
    external_data: bool = False,
    align_data: int = ALIGNMENT,
    bind: Mapping[str, int] | None = None,
    output: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Any:
    """An equivalent model in which every product of `ops` is at most `max` (M, K, N; None: no limit), where possible.

    `model`: a path, ModelProto, onnx_ir.Model or onnx_graphsurgeon.Graph. The same kind comes back, a ModelProto for a
    path; the caller's model isn't changed. With `output` the result goes to that file and the Report comes back.

    `form`: how tiles are spelled (unrolled, batched, loop, function; auto: unrolled up to `max_nodes` nodes, batched
    beyond). `weights`: cut constants ahead of time (pretile) or at run time (split). `accumulate`: how partial sums are
    added (chain, tree, sum; form loop always by chain). `max_fan_in`, `max_fan_out`: the most inputs of a Concat or
    Sum, and outputs of a Split, that are made (None: any). `bind`: sizes of free dimensions by name. `progress` is told
    what is being done. `pad_tiles`: products are padded with zeros to the size of `max`, for engines that take only
    full tiles. With `output`: `external_data` puts weights into a data file beside the model (one above 2 GB gets one
    anyway), each from a multiple of `align_data` bytes on.

    What can't be lowered stays as it is; `check` on the result, or the Report, lists it with the reason. Raises
    UsageError, ModelError or UnsupportedError, having written nothing.
    """
    data = DataFile(external_data, align_data)
    wish = Wish(
        Limits.of(max), families(ops), form, weights, accumulate, max_nodes, max_fan_in, max_fan_out, data, pad_tiles
    )
    if output is not None:
        with lowering_to(model, output, wish, bind, progress) as (_, report):
            return report
    say = progress or silent
    say("read the model")
    lowered = lower_ir(to_ir(model), wish, bind or {}, say)
    spelling = wish.spelling(lowered.model)
    say(f"spell the tiles out, {spelling.name}")

    def as_ir() -> ir.Model:
        UnrollTiles(spelling.name, weights, max_fan_in, max_fan_out)(lowered.model)
        return lowered.model

    return like(model, lambda: to_proto(lowered.model, spelling, weights, keep_external=False), as_ir)


@contextmanager
def lowering_to(
    model: AnyModel,
    output: str | os.PathLike[str],
    wish: Wish,
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
    lowered = lower_ir(loaded, wish, bind or {}, say, instruments)
    spelling = wish.spelling(lowered.model)
    say(f"spell the tiles out, {spelling.name}")
    beside = bool(sources) and real(target).parent == real(sources[0].parent)
    with saving(lowered.model, target, spelling, wish.weights, beside, wish.data, say) as (temporary, nodes):
        say("check what was written")
        yield temporary, lowered.report(nodes, spelling, temporary)


def _path(path: str | os.PathLike[str]) -> Path:
    if not isinstance(path, (str, os.PathLike)):
        raise UsageError(f"output is {path!r}: give a path")
    return Path(path)


def estimate(
    model: AnyModel,
    max: AnyLimits,
    *,
    ops: str | Sequence[str] = "matmul",
    weights: str = "pretile",
    accumulate: Accumulate = "chain",
    max_fan_in: int | None = None,
    max_fan_out: int | None = None,
    pad_tiles: bool = False,
    bind: Mapping[str, int] | None = None,
) -> tuple[Report, list[Cost]]:
    """What `lower` would do to each product, and what each form would cost; nothing is written.

    Arguments and errors are those of `lower`.
    """
    names = families(ops)
    wish = Wish(
        Limits.of(max), names, AUTO, weights, accumulate, MAX_NODES, max_fan_in, max_fan_out, pad_tiles=pad_tiles
    )
    lowered = lower_ir(to_ir(model), wish, bind or {}, silent)
    every = [form_of(name, max_fan_in, max_fan_out) for name in FORMS]
    return (report := lowered.report(lowered.nodes_before)), costs(lowered.model, every, weights, report)


@dataclass(frozen=True)
class Wish:
    """What is asked of a lowering; UsageError for what can't be."""

    limits: Limits
    families: tuple[str, ...]
    form: str
    weights: str
    accumulate: Accumulate
    max_nodes: int = MAX_NODES
    max_fan_in: int | None = None
    max_fan_out: int | None = None
    data: DataFile = field(default_factory=DataFile)
    pad_tiles: bool = False

    def __post_init__(self) -> None:
        if self.form != AUTO:
            form_of(self.form)
        if self.weights not in WEIGHTS:
            raise UsageError(f"weights is {self.weights!r}: take one of {', '.join(WEIGHTS)}")
        TileMatMul(self.limits, self.accumulate)
        form_of(UNROLLED.name, self.max_fan_in, self.max_fan_out)

    @property
    def ability(self) -> str:
        """The form that says what may be cut: with auto, the one that is taken when unrolled won't do."""
        return "batched" if self.form == AUTO else self.form

    def steps(self) -> list[Decides]:
        """The passes that cut what is asked for."""
        limits, how = self.limits, (self.ability, True, self.pad_tiles)
        steps: list[Decides] = []
        if "attention" in self.families:
            steps += (decompose(limits, *how) for decompose in ATTENTION)
        if "matmul" in self.families:
            steps += (decompose(limits, *how) for decompose in MATMUL)
        made_only = "matmul" not in self.families
        return [*steps, TileMatMul(limits, self.accumulate, *how, made_only)] if steps else []

    def pass_names(self) -> list[str]:
        """The passes that a lowering may run."""
        return [
            *map(
                pass_name,
                (BindDims(), InferShapes(), RestoreProducts(self.limits), SpecializeFunctions(), *self.steps()),
            )
        ]

    def spelling(self, model: ir.Model) -> Form:
        """The form to write a compact model in."""
        if self.form != AUTO:
            return form_of(self.form, self.max_fan_in, self.max_fan_out)
        return choose(model, self.weights, self.max_nodes, form_of(UNROLLED.name, self.max_fan_in, self.max_fan_out))


def lower_ir(model: ir.Model, wish: Wish, bind: Mapping[str, int], say: Progress, watch: Watch = ()) -> Lowered:
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
    PassManager([RestoreProducts(wish.limits)] if lowered_before else [], False, watch)(model, say)
    functions_fit = _functions_fit(model, wish)
    if not functions_fit:
        PassManager([SpecializeFunctions()], False, watch)(model, say)
    steps = wish.steps()
    rows = tuple(
        _lower_row(each, decision, wish.families) for each, decision in _all(model, wish, steps, functions_fit)
    )
    as_read = functions_fit and not lowered_before
    cut = PassManager(steps, instruments=watch, checked=as_read)(model, say).modified
    rows += tuple(_left(model, wish, steps, {row.name for row in rows}))
    shapes = _operands(model, cut)
    restore(model, said)
    return Lowered(model, rows, wish, shapes, nodes_before)


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


def _left(model: ir.Model, wish: Wish, steps: Sequence[Decides], known: set[str]) -> Iterable[Row]:
    """Products that the passes made and couldn't cut."""
    products = list(contractions(model))
    for step in steps:
        for found, decision in step.decisions(model, wish.limits, products):
            if decision is not None and found.name not in known:
                yield _lower_row(found, decision if isinstance(decision, Refusal) else UNCUT, wish.families)


def _all(
    model: ir.Model, wish: Wish, steps: Sequence[Decides], functions_fit: bool
) -> Iterable[tuple[Contraction, Decision]]:
    """Every product with the decision of the pass that it concerns; what concerns none is refused."""
    limits, products = wish.limits, list(contractions(model))
    decided: dict[tuple[ir.Node, str], Decision] = {}
    for step in steps:
        decided |= {(found.node, found.part): decision for found, decision in step.decisions(model, limits, products)}
    for found in products:
        fits = legality(found, limits) == "fits" or (found.in_function and functions_fit)
        unlowered = None if fits else Refusal("operator", f"{found.node.op_type} isn't lowered yet")
        decision = decided.get((found.node, found.part), unlowered)
        yield found, None if fits and not isinstance(decision, TilePlan) else decision


def _functions_fit(model: ir.Model, wish: Wish) -> bool:
    """Whether all products in local functions that were asked for are within the limits, in every call."""
    if not model.functions or not any(found.in_function for found in contractions(model)):
        return True
    outside = {(found.scope, found.node.outputs[0].name) for found in contractions(model) if not found.in_function}
    every = contractions(inlined(model))
    within = (found for found in every if (found.scope, found.node.outputs[0].name) not in outside)
    return all(legality(found, wish.limits) == "fits" for found in within if found.family in wish.families)


def _lower_row(found: Contraction, decision: TilePlan | Refusal | None, asked: Sequence[str]) -> Row:
    if found.family not in asked:
        return not_asked(found)
    if isinstance(decision, TilePlan):
        return Row.of(found, "tiled", tiles=decision.tile)
    if isinstance(decision, Refusal) and decision.code == "operator" and found.reason:
        return Row.of(found, "unknown", f"{decision}; {found.reason}")
    return Row.of(found, "fits") if decision is None else Row.of(found, "refused", decision)
