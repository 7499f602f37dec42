"""`capture`: run a model and keep what chosen nodes inside it give."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from onnxtile.debugging.capture.batches import batches
from onnxtile.debugging.capture.call_inlining import put_in_place
from onnxtile.debugging.capture.element_types import NotATensorError, from_engine
from onnxtile.debugging.capture.feeds import bind_to, checked
from onnxtile.debugging.capture.output_files import Keep, Target
from onnxtile.debugging.capture.report import Captured, CaptureReport, Fed, Skipped, Value
from onnxtile.debugging.capture.selection import Chosen, Texts, Wish, choose
from onnxtile.debugging.capture.session import Inside, ready
from onnxtile.debugging.capture.statistics import first_of, numbers_of
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
Sink = Callable[[Sequence[str]], AbstractContextManager[Keep]]
"""Opens what keeps values of these names."""


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
    progress: Progress | None = None,
) -> Captured | CaptureReport:
    """What nodes inside a model give when it's run, in onnxruntime on the CPU, without graph optimizations.

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

    Without `output` the values come back by name, with a `report`. With `output`, `FILE.npz` or a folder, they are
    written there and the report comes back: an .npz member is named as its value, but for a `/` in front, and for names
    that would lead elsewhere when unpacked; a folder has an .npy file a value and `index.json`. Types that numpy's
    files lack are written as bits or numbers of one that they have, which the report and the file say. The same values
    give the same bytes. `memory`: megabytes of values that are computed in one run; there are as many runs as it takes.

    Raises UsageError (among them: nothing can be captured), ModelError, UnsupportedError (among them: onnxruntime can't
    compute what was chosen), having written nothing.
    """
    request = Request(Wish.of(op, name), inputs, seed, bind or {}, memory)
    if output is not None:
        target = Target(output, model)
        return replace(run(model, request, target.open, target.check, progress or silent), output=target.path)
    arrays: dict[str, np.ndarray] = {}

    @contextmanager
    def hold(names: Sequence[str]) -> Iterator[Keep]:
        def keep(row: Value, array: np.ndarray) -> Value:
            arrays[row.value] = array
            return row

        yield keep

    report = run(model, request, hold, say=progress or silent)
    return Captured(arrays, report)


@dataclass(frozen=True)
class Request:
    """What `capture` is asked, but for what to do with the values."""

    wish: Wish
    inputs: Mapping[str, object] | None = None
    seed: int = 0
    bind: Mapping[str, int] = field(default_factory=dict)
    memory: int = MEMORY

    def __post_init__(self) -> None:
        for what, number, least in (("seed", self.seed, 0), ("memory", self.memory, 1)):
            if isinstance(number, bool) or not isinstance(number, int) or number < least:
                raise UsageError(f"{what} is {number!r}: give a whole number, {least} or more")


def run(
    model: AnyModel,
    request: Request,
    sink: Sink,
    check: Callable[[Sequence[Path]], None] = lambda files: None,
    say: Progress = silent,
) -> CaptureReport:
    """Capture what's asked for into `sink`; `check` may refuse the files that the model's weights lie in."""
    say("read the model")
    loaded = to_ir(model)
    check(external_files(loaded))
    fed = bind_to(loaded, request.inputs, request.bind, request.seed)
    choice = choose(loaded, put_in_place(loaded), request.wish)
    say("find shapes")
    _infer(loaded, fed)
    if request.inputs is None:
        given = feeds(loaded, "normal", np.random.default_rng(request.seed))
    else:
        given = checked(loaded, request.inputs)
    known = {str(value.name): value for node in loaded.graph for value in node.outputs}
    chosen = {each.value: each for each in choice.values}
    values: list[Value] = []
    skipped = list(choice.skipped)
    with ready(loaded, given, request.seed) as inside, sink(list(chosen)) as keep:
        say("measure values")
        parts = batches(inside, [known[name] for name in chosen], request.memory * 1_000_000)
        for name, found in _computed(inside, parts, say):
            try:
                array, dtype = from_engine(found)
            except NotATensorError as error:
                skipped.append(Skipped(chosen[name].node, chosen[name].op, f"{name!r} {error}"))
            else:
                values.append(keep(_row(chosen[name], array, dtype), array))
        if not values:
            raise UsageError(f"nothing can be captured: {skipped[-1].op} {skipped[-1].node!r}: {skipped[-1].reason}")
    return CaptureReport(tuple(values), tuple(skipped), tuple(choice.unmatched), fed, warnings=tuple(inside.warnings))


def _infer(model: ir.Model, fed: Fed) -> None:
    """Find shapes; a contradiction may come of sizes that were made up."""
    try:
        PassManager([InferShapes()], check=False)(model)
    except ModelError as error:
        if not fed.made_up:
            raise
        words = f"{', '.join(fed.made_up)} taken as {UNBOUND}: bind other sizes (--bind), or give inputs (--input)"
        raise ModelError(f"{error}; that is with {words}") from error


def _computed(inside: Inside, parts: Sequence[Sequence[str]], say: Progress) -> Iterator[tuple[str, Any]]:
    """Values by name as they come, each let go of when the next is asked for."""
    for number, names in enumerate(parts):
        say(f"run {number + 1} of {len(parts)}", number, len(parts))
        try:
            found = inside.run(names)
        except EngineError as error:
            cure = "give other inputs (--input FILE.npz) or sizes (--bind), or choose nodes before what fails"
            raise UnsupportedError(f"what was chosen can't be computed: {error}; {cure}") from error
        found.reverse()
        yield from ((name, found.pop()) for name in names)


def _row(chosen: Chosen, array: np.ndarray, dtype: ir.DataType) -> Value:
    text = dtype == ir.DataType.STRING
    return Value(
        chosen.value, chosen.node, chosen.op, chosen.nodes,
        "string" if text else str(dtype.numpy()),
        array.shape,
        array.nbytes if text else -(-array.size * dtype.bitwidth // 8),
        *numbers_of(array, dtype),
        first_of(array),
    )  # fmt: skip
