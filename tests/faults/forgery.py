"""A wrong model beside its original, as a faulty pass or somebody hostile hands it in, and an input that shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import onnxtile
from tests.faults.cases import Case, numbers
from tests.faults.fault import Feeds
from tests.faults.written import Edit, Written
from tests.support import parse

HEAD = '<ir_version: 10, opset_import: ["" : 20]> g '
F32 = np.float32
W, X = numbers(8, 4), numbers(2, 8, seed=2)
"""A weight and an input, of the product that most forgeries take: 2 x 8 x 4."""
Build = Callable[[], onnx.ModelProto]


@dataclass(frozen=True, eq=False)
class Forgery:
    """A model that isn't equivalent to its original; `feeds` is an input on which `engine` shows that.

    `engine`: onnxruntime, or reference (for what onnxruntime doesn't take as the specification has it). `how`:
    arguments of `verify`. `runs`: the wrong model runs; otherwise that it doesn't is the fault. `by_name`: its names
    are the fault.
    """

    title: str
    original: Build
    forged: Build
    feeds: Feeds = field(default_factory=lambda: {"x": X})
    engine: str = "onnxruntime"
    how: Mapping[str, Any] = field(default_factory=dict)
    runs: bool = True
    by_name: bool = False

    def is_shown(self) -> bool:
        """Return whether the input makes a difference in the engine."""
        wanted = run(self.original(), self.feeds, self.engine)
        try:
            got = run(self.forged(), self.feeds, self.engine)
        except Exception:  # of the engines' own types: many
            return not self.runs
        return any(apart(one, other) for one, other in zip(wanted, got, strict=True))


def run(model: onnx.ModelProto, feeds: Feeds, engine: str = "onnxruntime") -> list[Any]:
    """The model's outputs in an engine that optimizes nothing."""
    if engine == "reference":
        with np.errstate(all="ignore"):
            return list(ReferenceEvaluator(copied(model)).run(None, dict(feeds)))
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, dict(feeds)))


def apart(one: Any, other: Any) -> bool:
    """Return whether results differ by more than 1e-4 of the largest number in their line, beyond all rounding here.

    float64: 1e-10. Whole numbers and text: at all. Infinity and NaN have to be where they were.
    """
    if isinstance(one, list):
        return len(one) != len(other) or any(apart(p, q) for p, q in zip(one, other, strict=True))
    one, other = np.asarray(one), np.asarray(other)
    if one.shape != other.shape or one.dtype != other.dtype:
        return True
    if one.dtype.kind in "biuOSU" or one.dtype.kind == "c":
        return not np.array_equal(one, other)
    few = {"float64": 1e-10, "float16": 1.5e-3, "bfloat16": 3e-2}.get(one.dtype.name, 1e-4)
    p, q = one.astype(np.float64), other.astype(np.float64)
    finite = np.isfinite(p)
    if not np.array_equal(p[~finite], q[~finite], equal_nan=True) or not np.isfinite(q[finite]).all():
        return True
    p, q = (np.where(finite, array, 0) for array in (p, q))
    lines = np.abs(p).max(-1, keepdims=True, initial=0) if p.ndim else np.abs(p)
    return bool((np.abs(p - q) > few * lines).any())


def lowered(model: onnx.ModelProto, max_: tuple[int | None, int | None, int | None], **how: Any) -> onnx.ModelProto:
    """Our own lowering, of products and what is written out as such."""
    made: onnx.ModelProto = onnxtile.lower(model, max_, ops="matmul,attention", **how)
    return made


def copied(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def text(body: str, head: str = HEAD, **constants: Any) -> Build:
    """A checked model from ONNX text, its head left out unless it's another one than HEAD."""
    return lambda: parse(head + body, **{name: np.asarray(array) for name, array in constants.items()})


def unchecked(body: str, head: str = HEAD, **constants: Any) -> Build:
    """The same for models that the checker would refuse."""

    def build() -> onnx.ModelProto:
        model = onnx.parser.parse_model(head + body)
        for node in [node for holder in (model.graph, *model.functions) for node in holder.node]:
            node.ClearField("domain") if node.domain == "ai.onnx" else None
        model.graph.initializer.extend(numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items())
        return model

    return build


def nodes(model: onnx.ModelProto) -> Iterator[tuple[Any, onnx.NodeProto]]:
    """Every node with the graph or function that holds it."""
    waiting: list[Any] = [model.graph, *model.functions]
    for holder in waiting:
        for node in list(holder.node):
            yield holder, node
            waiting += [attribute.g for attribute in node.attribute if attribute.HasField("g")]


def changed(build: Build, *changes: Callable[[onnx.ModelProto], object]) -> Build:
    """Another model with changes put into a copy of it."""

    def make() -> onnx.ModelProto:
        model = copied(build())
        for change in changes:
            change(model)
        return model

    return make


def edited(case: Case, put: Edit) -> Build:
    """The case's own lowering, with an edit in it, and all metadata as it was."""

    def make() -> onnx.ModelProto:
        model = copied(case.lowered)
        put(Written(model))
        return model

    return make


def in_lowered(
    titles: Mapping[str, Edit], case: Case, feeds: Feeds, engine: str = "onnxruntime", **more: Any
) -> list[Forgery]:
    """Edits of one lowering that one input shows."""
    return [
        Forgery(title, lambda: case.original, edited(case, put), feeds, engine, **more) for title, put in titles.items()
    ]


PRODUCT = "(float[2,8] x) => (float[2,4] y) "
ORIGINAL = text(PRODUCT + "{ y = MatMul (x, w) }", w=W)


def product(
    title: str, body: str, feeds: Feeds | None = None, engine: str = "onnxruntime", **constants: Any
) -> Forgery:
    """y = x @ w by other nodes."""
    forged = text(PRODUCT + "{ " + body + " }", w=W, **constants)
    return Forgery(title, ORIGINAL, forged, {"x": X} if feeds is None else feeds, engine)


def behind(title: str, body: str, feeds: Feeds | None = None, **constants: Any) -> Forgery:
    """Nodes that make y out of t, the product."""
    return product(title, "t = MatMul (x, w) " + body, feeds, **constants)


def between(
    title: str, signature: str, right: str, wrong: str, feeds: Feeds, engine: str = "onnxruntime",
    more: Mapping[str, Any] | None = None, head: str = HEAD, **constants: Any,
) -> Forgery:  # fmt: skip
    """Two bodies under one signature; `more`: constants of the wrong one, in place of the right one's or besides."""
    original = text(f"{signature} {{ {right} }}", head, **constants)
    forged = text(f"{signature} {{ {wrong} }}", head, **{**constants, **(more or {})})
    return Forgery(title, original, forged, feeds, engine)


def initializer(name: str, array: Any) -> Callable[[onnx.ModelProto], object]:
    """A change: a constant of the main graph gets other elements, or is added."""

    def change(model: onnx.ModelProto) -> None:
        for tensor in model.graph.initializer:
            if tensor.name == name:
                tensor.CopyFrom(numpy_helper.from_array(np.asarray(array), name))
                return
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))

    return change


def node(op_type: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> Callable[[Any], object]:
    """A change: one more node at the end of the main graph."""
    return lambda model: model.graph.node.append(helper.make_node(op_type, inputs, outputs, **attributes))


def of(op_type: str, found: Iterable[tuple[Any, onnx.NodeProto]]) -> onnx.NodeProto:
    """The first node of a type."""
    return next(each for _, each in found if each.op_type == op_type)


def renamed(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with other names for all values but inputs and outputs, in bodies too: nothing is shared."""
    model = copied(model)
    kept = {value.name for value in (*model.graph.input, *model.graph.output)} | {""}
    waiting = [model.graph]
    for graph in waiting:
        names = [tensor.name for tensor in graph.initializer] + [name for node in graph.node for name in node.output]
        inner = graph.input if graph is not model.graph else []
        new = {name: f"{name}_" for name in (*names, *(value.name for value in inner)) if name not in kept}
        _rename(graph, new)
        waiting += [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    return model


def _rename(graph: onnx.GraphProto, new: Mapping[str, str]) -> None:
    for value in (*graph.initializer, *graph.input, *graph.output, *graph.value_info):
        value.name = new.get(value.name, value.name)
    for node in graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _rename(attribute.g, new)
