"""`reduce`: find the pass of a pipeline that's wrong, and the few nodes that show it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import onnx_ir as ir

from onnxtile.debugging.reduce.bisection import Guilty, guilty_pass
from onnxtile.debugging.reduce.checks import TIMEOUT, Check, CommandCheck, VerifyCheck
from onnxtile.debugging.reduce.evidence import commands, telling_inputs, write_folder
from onnxtile.debugging.reduce.extraction import Cutter
from onnxtile.debugging.reduce.failure import WRONG, Failure, failure_of, sizes_of
from onnxtile.debugging.reduce.minimizing import minimal
from onnxtile.errors import OnnxtileError, UnsupportedError, UsageError, suggesting_options
from onnxtile.ir.attributes import node_name
from onnxtile.ir.graphs import count_nodes, is_tiled_product
from onnxtile.ir.io.files import check_new_folder
from onnxtile.ir.io.interop import AnyModel, to_ir
from onnxtile.ir.io.load import copy_of
from onnxtile.ir.io.progress import Progress, silent
from onnxtile.ir.json_encoding import JsonRecord
from onnxtile.ir.printable import printable, several
from onnxtile.passes.manager import PassManager
from onnxtile.passes.pipelines.pipeline import GivenPass, pipeline_text
from onnxtile.passes.rewrites.inlining import Inline

Predicate = Callable[[ir.Model, ir.Model], bool]


@dataclass(frozen=True)
class Reduction(
    JsonRecord,
    members="schema fails pass=guilty pipeline failure nodes_before inputs_fail cuts nodes",
):
    """The guilty pass, and the smallest model on which it fails.

    `guilty`: the pass as text; `pipeline`: the passes that fail on `model`, the guilty one last and mostly alone;
    `failure`: how they fail; `lowered`: what they make of `model`, None where they raise; `inputs`: inputs for it, and
    `inputs_fail`: whether `verify` says no on these alone; `nodes`: operators and names of what is left, of the whole
    model's `nodes_before`; `cuts`: how many parts of it were tried.
    """

    schema: ClassVar[str] = "onnxtile.reduce/1"
    fails: ClassVar[bool] = True
    guilty: str
    pipeline: str
    failure: str
    model: ir.Model
    lowered: ir.Model | None
    inputs: dict[str, np.ndarray]
    inputs_fail: bool
    nodes: tuple[str, ...]
    nodes_before: int
    cuts: int

    @property
    def lines(self) -> tuple[str, str, str]:
        """Return for people which pass it is, how it fails, and what is left of the model."""
        left = ", ".join(self.nodes[:10]) + (", ..." if len(self.nodes) > 10 else "")
        before, cuts = several(self.nodes_before, "node"), several(self.cuts, "cut")
        return f"guilty: {self.guilty}", self.failure, f"{before} became {len(self.nodes):,} ({cuts} tried): {left}"

    def __str__(self) -> str:
        return "\n".join(map(printable, self.lines))


@suggesting_options
def reduce(
    model: AnyModel,
    passes: str | Sequence[GivenPass],
    *,
    check: str | Predicate | None = None,
    output: str | os.PathLike[str] | None = None,
    cases: int = 4,
    seed: int = 0,
    timeout: float = TIMEOUT,
    timeout_fails: bool = False,
    progress: Progress | None = None,
) -> Reduction | None:
    """Find the pass after which the check fails, and cut the model down to the nodes that show it; None: nothing fails.

    `check` says whether a lowered model is right: by `verify` on `cases` inputs from `seed` (None), by the exit status
    of a command in which `{original}` and `{lowered}` stand for the models' files (at most `timeout` seconds each
    time), or by a function of both models that is true where all is well. A pass that raises, or that leaves an invalid
    model, fails too; one that refuses to run doesn't. `output`: a new folder for the models, inputs and commands.

    A smaller model counts if it fails in the same manner: the same type is raised, or the result is wrong. Raises
    UsageError (among them: the check fails before any pass), ModelError, UnsupportedError, and what a pass says that
    refuses the model.
    """
    say, checker = progress or silent, _checker(check, cases, seed, timeout, timeout_fails)
    if output is not None:
        check_new_folder(Path(output))
    pipeline = PassManager(passes).passes
    if not pipeline:
        raise UsageError("the pipeline is empty: name at least one pass, such as infer-shapes")
    say("read the model")
    whole = to_ir(model)
    guilty = guilty_pass(whole, pipeline, checker, say)
    if guilty is None:
        return None
    scene = _without_functions(_start(whole, guilty, checker), checker)
    scene, cuts = _cut_down(scene, checker, seed, say)
    say("run the passes on what is left")
    lowered = scene.lowered()
    comparable = lowered if scene.failure.compared else None
    inputs, inputs_fail = telling_inputs(scene.model, comparable, sizes_of(scene.passes), checker)
    reduction = Reduction(
        pipeline_text([guilty.passes[guilty.index]]), pipeline_text(scene.passes), scene.failure.words, scene.model,
        lowered, inputs, inputs_fail, tuple(f"{node.op_type} {node_name(node)}" for node in scene.model.graph),
        count_nodes(whole), cuts,
    )  # fmt: skip
    if output is not None:
        run = commands(Path(output), scene.passes, checker, inputs_fail, scene.failure.compared)
        write_folder(Path(output), reduction, scene.failure.compared, run)
    return reduction


@dataclass(frozen=True)
class _Scene:
    """A model, and passes that fail on it."""

    model: ir.Model
    passes: Sequence[ir.passes.PassBase]
    failure: Failure

    def with_model(self, model: ir.Model | None, check: Check) -> _Scene | None:
        """Return the scene on another model; None where the passes don't fail on it in this way, or that's unknown."""
        failure = None if model is None else _failure(model, self.passes, check)
        if model is None or failure is None or failure.kind != self.failure.kind:
            return None
        return _Scene(model, self.passes, failure)

    def lowered(self) -> ir.Model | None:
        """Return what the passes make of the model, where they don't raise."""
        if self.failure.kind != WRONG:
            return None
        return PassManager(self.passes, check=False)(copy_of(self.model)).model


def _checker(check: str | Predicate | None, cases: int, seed: int, timeout: float, timeout_fails: bool) -> Check:
    if check is None:
        return VerifyCheck(cases, seed)
    if isinstance(check, str):
        return CommandCheck(check, timeout, timeout_fails)
    holds = check  # gets copies
    return lambda original, lowered, sizes: None if holds(copy_of(original), copy_of(lowered)) else "the check says no"


def _failure(model: ir.Model, passes: Sequence[ir.passes.PassBase], check: Check) -> Failure | None:
    """Return how the passes fail on the model; None also where that can't be told: such a model is no use."""
    try:
        return failure_of(model, passes, check)
    except OnnxtileError:
        return None


def _start(whole: ir.Model, guilty: Guilty, check: Check) -> _Scene:
    """Return the guilty pass on what it got, if it fails by itself; else all passes up to it on the whole model."""
    upto = guilty.passes[: guilty.index + 1]
    for model, chosen in ((guilty.before, upto[-1:]), (whole, upto)):
        failure = _failure(model, chosen, check)
        if failure is not None:
            return _Scene(model, chosen, failure)
    name = pipeline_text(upto[-1:])
    raise UnsupportedError(f"the failure doesn't repeat: {guilty.words}, after {name}; is it, or the check, random?")


def _without_functions(scene: _Scene, check: Check) -> _Scene:
    """Return the scene with local functions inlined, if it fails then too: so that they can be cut."""
    if all(is_tiled_product(function) for function in scene.model.functions.values()):
        return scene
    flat = copy_of(scene.model)
    try:
        PassManager([Inline(lambda function: not is_tiled_product(function))])(flat)
    except OnnxtileError:  # functions of another opset stay
        return scene
    return scene.with_model(flat, check) or scene


def _cut_down(scene: _Scene, check: Check, seed: int, say: Progress) -> tuple[_Scene, int]:
    """Return the scene on the fewest nodes, and how many parts of the model were tried."""
    cutter, cuts, smallest = Cutter(scene.model, seed), 0, scene

    def fails(nodes: Sequence[ir.Node]) -> bool:
        nonlocal cuts, smallest
        cuts += 1
        say(f"cut {len(scene.model.graph)} nodes down to {len(smallest.model.graph)}; {len(nodes)} in try {cuts}")
        smaller = scene.with_model(cutter.cut(nodes), check)
        smallest = smaller or smallest
        return smaller is not None

    minimal(list(scene.model.graph), fails)  # what fails is taken, so the last that did is the smallest
    return smallest, cuts
