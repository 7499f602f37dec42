"""Build small models, feed them whole numbers, run them on two engines, and judge their products."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.inliner
import onnx.printer
import onnxruntime
from hypothesis import settings
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import onnxtile
from onnxtile.tiling.forms.table import FORMS as BY_NAME
from onnxtile.verification.integers import OPERATORS
from onnxtile.verification.saturation import judged_elsewhere, saturates

ROOT = Path(__file__).parents[1]
"""The checkout."""
OLD_ONNXRUNTIME = tuple(map(int, onnxruntime.__version__.split(".")[:2])) < (1, 24)
"""The newest for Python 3.10: it spreads no axis over an empty one, forgets Gemm's beta where K is 0, and masks
Attention otherwise than onnx says. What it gets wrong is compared in onnx.reference alone, and isn't verified by it."""
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
Feeds = Mapping[str, np.ndarray]
Run = Callable[[onnx.ModelProto, Feeds], list[np.ndarray]]
Limits = tuple[int | None, int | None, int | None]
FORMS = tuple(BY_NAME)
Shapes = Sequence[Sequence[int | str] | None]


@dataclass(frozen=True)
class Fed:
    """A model and its inputs; says both where a property fails."""

    model: onnx.ModelProto
    feeds: dict[str, np.ndarray]

    def __repr__(self) -> str:
        return f"{onnx.printer.to_text(self.model)} feeds {self.feeds}"


def parse(text: str, **initializers: np.ndarray) -> onnx.ModelProto:
    """A checked model from ONNX text; initializers may be given as arrays."""
    model = onnx.parser.parse_model(text)
    for holder in (model.graph, *model.functions):
        _clear_domains(holder)
    for name, array in initializers.items():
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    onnx.checker.check_model(model)
    return model


def _clear_domains(holder: onnx.GraphProto | onnx.FunctionProto) -> None:
    """The parser writes the default domain out, which nobody else does."""
    for node in holder.node:
        if not node.domain:
            node.ClearField("domain")
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _clear_domains(attribute.g)


def matmul(a: list[Any], b: list[int], c: list[Any], opset: int = 20, ir_version: int = 10) -> onnx.ModelProto:
    """Y = MatMul(X, W), W an initializer of small whole numbers; an axis of `a` may be a name."""
    weight = numpy_helper.from_array(whole(b, np.dtype(np.float32), 1), "W")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["X", "W"], ["Y"], "product")],
        "graph",
        [helper.make_tensor_value_info("X", FLOAT, a)],
        [helper.make_tensor_value_info("Y", FLOAT, c)],
        [weight],
    )
    return make(graph, opset, ir_version)


def make(graph: onnx.GraphProto, opset: int = 20, ir_version: int = 10) -> onnx.ModelProto:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)
    onnx.checker.check_model(model)
    return model


def node_model(
    op_type: str, shapes: Shapes, ranks: Sequence[int], domain: str = "", opset: int = 22, **attributes: Any
) -> onnx.ModelProto:
    """One node, its inputs fed (None: left out), its outputs of so many axes whose sizes aren't known."""
    fed = [(f"X{index}", shape) for index, shape in enumerate(shapes) if shape is not None]
    names = ["" if shape is None else f"X{index}" for index, shape in enumerate(shapes)]
    made = [(f"Y{index}", [None] * rank) for index, rank in enumerate(ranks)]
    graph = helper.make_graph(
        [helper.make_node(op_type, names, [name for name, _ in made], "node", domain=domain, **attributes)],
        "graph",
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in fed],
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in made],
    )
    opsets = [helper.make_opsetid("", opset)] + [helper.make_opsetid(domain, 1)] * bool(domain)
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def whole(shape: list[int], dtype: np.dtype[Any], seed: int) -> np.ndarray:
    """Whole numbers from -3 to 3 (unsigned: 0 to 3): every order of summation is exact."""
    low = 0 if dtype.kind == "u" else -3
    return np.random.default_rng(seed).integers(low, 4, shape).astype(dtype)


def run_reference(model: onnx.ModelProto, feeds: Feeds) -> list[np.ndarray]:
    return list(ReferenceEvaluator(model).run(None, dict(feeds)))


def run_onnxruntime(model: onnx.ModelProto, feeds: Feeds, optimize: bool = True) -> list[np.ndarray]:
    """Return what onnxruntime gives; onnx.reference where onnxruntime gets 8-bit products wrong on this processor.

    There, what its optimizer makes such products of is left out, too.
    """
    if judged_elsewhere(model):
        return list(ReferenceEvaluator(model, new_ops=list(OPERATORS)).run(None, dict(feeds)))
    options = onnxruntime.SessionOptions()
    if not optimize or (_between_quantized(model) and saturates()):
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, dict(feeds)))


def loads(model: onnx.ModelProto) -> bool:
    """Return whether the onnxruntime at hand takes the model: older releases, of older Pythons, lack kernels."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception:  # of many types; the tests that ask take another model then
        return False
    return True


@cache
def newest_opset(most: int = 26) -> int:
    """Return the newest opset, of at most `most`, that the onnxruntime at hand takes."""
    text = '<ir_version: 8, opset_import: ["" : {}]> g (float[1] x) => (float[1] y) {{ y = Relu (x) }}'
    return next(opset for opset in range(most, 0, -1) if loads(onnx.parser.parse_model(text.format(opset))))


def _between_quantized(model: onnx.ModelProto) -> bool:
    return any(
        node.op_type == "DequantizeLinear" for function in (model.graph, *model.functions) for node in function.node
    )


FEWER = settings(max_examples=max(settings().max_examples * 2 // 3, 1))
"""For properties whose lowerings are verified, too: an example takes longer."""
FEWEST = settings(FEWER, max_examples=FEWER.max_examples if FEWER.max_examples > 100 else 8)
"""For those beside which single cases are tested: they're for the long profile."""


def form_for(model: onnx.ModelProto, form: str) -> str:
    """The form, or the first one where the model's opset is too old for it."""
    opset = next(imported.version for imported in model.opset_import if not imported.domain)
    return form if opset >= BY_NAME[form].ability.first_opset else FORMS[0]


ENGINES: tuple[Run, ...] = (run_reference, run_onnxruntime)


def rightly_lowered(
    model: onnx.ModelProto,
    limits: Limits,
    feeds: Feeds,
    *,
    engines: Sequence[Run] = ENGINES,
    cannot: tuple[type[Exception], ...] = (),
    ops: str = "matmul",
    **how: Any,
) -> onnx.ModelProto:
    """The lowered model, after it has been seen to be legal, right in the engines, the same each time, and verified.

    `cannot`: what onnxruntime raises where it lacks a kernel for the original, which isn't run there then.
    """
    before = model.SerializeToString()
    lowered: onnx.ModelProto = onnxtile.lower(model, limits, ops=ops, **how)
    assert model.SerializeToString() == before
    assert onnxtile.lower(model, limits, ops=ops, **how).SerializeToString() == lowered.SerializeToString()
    onnx.checker.check_model(lowered, full_check=not any(node.domain for node in lowered.graph.node))
    report = onnxtile.check(lowered, limits, ops=ops)
    assert report.ok, report.contractions
    for sizes in sizes_of_products(lowered):
        assert all(limit is None or size <= limit for size, limit in zip(sizes, limits, strict=True)), sizes
    alike(model, lowered, feeds, engines, cannot)
    assert_verified(model, lowered)
    return lowered


def alike(
    model: onnx.ModelProto,
    lowered: onnx.ModelProto,
    feeds: Feeds,
    engines: Sequence[Run] = ENGINES,
    cannot: tuple[type[Exception], ...] = (),
) -> None:
    """Both models give the same bits in each engine."""
    for run in engines:
        try:
            wanted = run(model, feeds)
        except cannot:
            assert run is not run_reference
            continue
        for want, got in zip(wanted, run(lowered, feeds), strict=True):
            assert (got.dtype, got.shape) == (want.dtype, want.shape)
            np.testing.assert_array_equal(got, want)


def assert_verified(model: onnx.ModelProto, lowered: onnx.ModelProto) -> None:
    """`verify` raises no alarm about a lowering that is right."""
    verdict = onnxtile.verify(model, lowered)
    wrong = [
        f"{region.op} {region.name!r}, {region.method}: {region.reason}"
        for region in verdict.regions
        if not region.equivalent
    ]
    assert verdict.equivalent, wrong or verdict.reason


def sizes_of_products(model: onnx.ModelProto) -> list[tuple[int, int, int]]:
    """M, K, N of every MatMul and Gemm by onnx's own shape inference: it shares no code with the project's."""
    inlined = onnx.inliner.inline_local_functions(model)
    inferred = onnx.shape_inference.infer_shapes(inlined, strict_mode=True, data_prop=True)
    return list(_sizes(inferred.graph, {}))


def _sizes(
    graph: onnx.GraphProto, outer: Mapping[str, list[int | str]]
) -> Iterator[tuple[int, int, int]]:  # an unknown size is a name, and compares with no limit
    shapes = {**outer, **{tensor.name: list(tensor.dims) for tensor in graph.initializer}}
    for value in (*graph.input, *graph.value_info, *graph.output):
        shapes[value.name] = [
            dim.dim_value if dim.HasField("dim_value") else dim.dim_param for dim in value.type.tensor_type.shape.dim
        ]
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _sizes(attribute.g, shapes)
        if node.op_type not in ("MatMul", "Gemm"):
            continue
        a, b = shapes[node.input[0]], shapes[node.input[1]]
        flags = {attribute.name: attribute.i for attribute in node.attribute}
        a = a[::-1] if flags.get("transA") else a
        b = b[::-1] if flags.get("transB") else b
        m, n = a[-2] if len(a) > 1 else 1, b[-1] if len(b) > 1 else 1
        yield m, a[-1], n  # type: ignore[misc]


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]
