"""`capture`: run a model of ONNX and keep what chosen nodes inside it give."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from onnxtile.debugging.capture.call_inlining import inline_calls
from onnxtile.debugging.capture.element_types import NotATensorError, from_engine
from onnxtile.debugging.capture.feeds import bind_to, checked
from onnxtile.debugging.capture.output_files import Keep, Target
from onnxtile.debugging.capture.report import Captured, CapturedValue, CaptureReport, Fed, Skipped
from onnxtile.debugging.capture.selection import Selection, Texts, choose
from onnxtile.debugging.capture.session import InnerValues, inner_values
from onnxtile.debugging.capture.statistics import described
from onnxtile.errors import ModelError, UnsupportedError, UsageError
from onnxtile.ir.io.interop import AnyModel, to_ir
from onnxtile.ir.io.load import external_files
from onnxtile.ir.io.progress import Progress, silent
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.manager import PassManager
from onnxtile.verification.inputs import UNBOUND, feeds
from onnxtile.verification.sessions import EngineError

MEMORY = 256
"""Megabytes of captured values that are held at a time."""


def capture(
    model: AnyModel,
    *,
    op: Texts = None,
    name: Texts = None,
    inputs: Mapping[str, object] | None = None,
    seed: int = 0,
    bind: Mapping[str, int] | None = None,
    output: str | os.PathLike[str] | None = None,
    memory: int = MEMORY,
    keep: bool = True,
    progress: Progress | None = None,
) -> Captured | CaptureReport:
    """Return what nodes inside a model give when it's run, in onnxruntime on the CPU, without graph optimizations.

    `model`: a path, ModelProto, onnx_ir.Model or onnx_graphsurgeon.Graph, which isn't changed. `op`: operators, such as
    `Conv` or `com.microsoft::FusedConv`; `name`: patterns of nodes' names, as of files (`features.*`); one or several
    of each. A node has to be one of the operators and fit one of the patterns, where both are given. Every output of
    the chosen nodes is captured. A node `fc` inside a local function is called `layer1/fc` after the call, or `fc` for
    all calls; what's in the body of an If, Loop or Scan can't be captured, and is listed.

    In a lowered model a pattern that fits the name of an original node stands for the value that this gave, put
    together from its tiles and under the same name, in every form; tiles go by their own names (`fc1/m0_n0_k3`). A
    product that was lowered together with the QuantizeLinear behind it gives what that gave.

    `inputs`: arrays by name for all of the model's inputs; without, they are random, normal, from `seed`, as those of
    `verify`. `bind`: sizes of free dimensions; others are as `inputs` have them, or 2. Operators of random numbers
    without a seed get one from `seed`.

    Without `output` the values come back by name, with a `report`; with `keep=False` the report alone. With `output`,
    `FILE.npz` or a folder, they are written there and the report comes back: an .npz member is named as its value, but
    for a `/` in front, and for names that would lead elsewhere when unpacked; a folder has an .npy file a value and
    `index.json`. Types that numpy's files lack are written as bits or numbers of one that they have, which the report
    and the file say. The same values give the same bytes. `memory`: megabytes of values that are computed in one run;
    there are as many runs as it takes.

    Raises UsageError (among them: nothing can be captured), ModelError, UnsupportedError (among them: onnxruntime can't
    compute what was chosen), having written nothing.
    """
    for option, number, least in (("seed", seed, 0), ("memory", memory, 1)):
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise UsageError(f"{option} is {number!r}: give a whole number, {least} or more")
    selection, say = Selection.of(op, name), progress or silent
    target = None if output is None else Target(output, model)
    say("read the model")
    loaded = to_ir(model)
    if target is not None:
        target.check(external_files(loaded))
    fed = bind_to(loaded, inputs, bind or {}, seed)
    choice = choose(loaded, inline_calls(loaded), selection)
    say("find shapes")
    _infer(loaded, fed)
    fed_arrays = feeds(loaded, "normal", np.random.default_rng(seed)) if inputs is None else checked(loaded, inputs)
    arrays: dict[str, np.ndarray] = {}
    values: list[CapturedValue] = []
    skipped = list(choice.skipped)
    names = [chosen.value for chosen in choice.values]
    by_name = {str(value.name): value for node in loaded.graph for value in node.outputs}
    with inner_values(loaded, fed_arrays, seed) as inner, _opened(target, names, arrays if keep else None) as write:
        say("measure values")
        runs = _batches(inner, [by_name[name] for name in names], memory * 1_000_000)
        for chosen, value in zip(choice.values, _computed(inner, runs, say), strict=True):
            try:
                array, dtype = from_engine(value)
            except NotATensorError as error:
                skipped.append(Skipped(chosen.node, chosen.op, f"{chosen.value!r} {error}"))
            else:
                row = described(chosen.value, chosen.node, chosen.op, array, dtype, chosen.nodes)
                values.append(write(row, array))
        if not values:
            raise UsageError(f"nothing can be captured: {skipped[-1].op} {skipped[-1].node!r}: {skipped[-1].reason}")
    report = CaptureReport(
        tuple(values), tuple(skipped), tuple(choice.unmatched), fed, None if target is None else target.path,
        tuple(inner.warnings),
    )  # fmt: skip
    return Captured(arrays, report) if keep and target is None else report


@contextlib.contextmanager
def _opened(target: Target | None, names: Sequence[str], arrays: dict[str, np.ndarray] | None) -> Iterator[Keep]:
    """Yield what writes values to the target, or without one puts them into `arrays`, if there are any."""
    if target is not None:
        with target.open(names) as write:
            yield write
        return

    def keep(row: CapturedValue, array: np.ndarray) -> CapturedValue:
        if arrays is not None:
            arrays[row.value] = array
        return row

    yield keep


def _infer(model: ir.Model, fed: Fed) -> None:
    """Infer shapes; a contradiction may come of sizes that were made up."""
    try:
        PassManager([InferShapes()], check=False)(model)
    except ModelError as error:
        if not fed.made_up:
            raise
        words = f"{', '.join(fed.made_up)} taken as {UNBOUND}: bind other sizes (--bind), or give inputs (--input)"
        raise ModelError(f"{error}; that is with {words}") from error


def _batches(inner: InnerValues, values: Sequence[ir.Value], most: int) -> list[list[str]]:
    """Return the values' names in their order, in batches of at most `most` bytes.

    Where inference doesn't know a shape, a run that computes shapes alone tells it. What's still not known, or larger,
    is a batch of its own.
    """
    shapes = {str(value.name): shape for value in values if (shape := _fixed_sizes(value)) is not None}
    unknown = [str(value.name) for value in values if value.name not in shapes and _item_bytes(value)]
    if unknown and len(values) > 1:
        with contextlib.suppress(EngineError):  # which is raised again when the values themselves are computed
            shapes |= inner.shapes(unknown)
    batches: list[list[str]] = []
    room = 0
    for value in values:
        name, item_bytes = str(value.name), _item_bytes(value)
        size = math.prod(shapes[name]) * item_bytes if name in shapes and item_bytes else None
        if not batches or size is None or size > room:
            batches.append([])
            room = most
        batches[-1].append(name)
        room = 0 if size is None else max(0, room - size)
    return batches


def _fixed_sizes(value: ir.Value) -> tuple[int, ...] | None:
    sizes = [dim for dim in value.shape or () if isinstance(dim, int)]
    return tuple(sizes) if value.shape is not None and len(sizes) == len(value.shape) else None


def _item_bytes(value: ir.Value) -> int | None:
    """Return the bytes of an element in memory; None where that isn't known, or an engine tells no shape."""
    if not isinstance(value.type, ir.TensorType) or value.type.dtype in (ir.DataType.STRING, ir.DataType.UNDEFINED):
        return None
    return -(-value.type.dtype.bitwidth // 8)


def _computed(inner: InnerValues, runs: Sequence[Sequence[str]], say: Progress) -> Iterator[Any]:
    """Yield values as they're computed, and let go of one when the next is asked for."""
    for number, names in enumerate(runs):
        say(f"run {number + 1} of {len(runs)}", number, len(runs))
        try:
            values = inner.run(names)
        except EngineError as error:
            cure = "give other inputs (--input FILE.npz) or sizes (--bind), or choose nodes before what fails"
            raise UnsupportedError(f"what was chosen can't be computed: {error}; {cure}") from error
        values.reverse()
        while values:
            yield values.pop()
