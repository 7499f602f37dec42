"""Weights behind operators are constants: cut ahead of time, bit for bit, and what they were made of goes."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import onnxtile
from onnxtile.ir.constants import constant_tensor
from tests.support import (
    FEWER,
    Feeds,
    assert_verified,
    make,
    newest_opset,
    operators,
    parse,
    run_onnxruntime,
    run_reference,
    whole,
)

F32 = np.dtype(np.float32)
INFO = helper.make_tensor_value_info
LIMITS = (4, 4, 4)
SEEN_THROUGH = {"Identity", "Constant", "Transpose", "Reshape", "Cast", "DequantizeLinear", "ConstantOfShape"}


def plainly(model: onnx.ModelProto, feeds: Feeds) -> list[np.ndarray]:
    """Run in onnxruntime, whose optimizations quantize the other operand of a weight in bytes."""
    return run_onnxruntime(model, feeds, optimize=False)


class Chain:
    """Operators from an initializer to the weight `w`, 8 x 12, made backwards: the last one first."""

    def __init__(self, draw: st.DrawFn, opset: int, element: str) -> None:
        self.draw, self.opset = draw, opset
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self.count = 0
        self.make("w", [8, 12], np.dtype(element), draw(st.integers(1, 4)))

    def constant(self, name: str, array: np.ndarray) -> None:
        tensor = numpy_helper.from_array(array, name)
        if self.draw(st.booleans()):
            self.tensors.append(tensor)
        elif array.dtype == np.int64 and array.ndim == 1 and self.opset >= 12:
            self.nodes.insert(0, helper.make_node("Constant", [], [name], value_ints=array.tolist()))
        else:
            self.nodes.insert(0, helper.make_node("Constant", [], [name], value=tensor))

    def fresh(self) -> str:
        self.count += 1
        return f"v{self.count}"

    def node(self, op_type: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self.nodes.insert(0, helper.make_node(op_type, inputs, [output], **attributes))

    def make(self, output: str, shape: list[int], dtype: np.dtype[Any], links: int) -> None:
        """Add what computes `output`."""
        is_float = dtype.kind == "f"
        kinds = ["Identity", "Transpose", "Reshape", "Cast"] + ["DequantizeLinear"] * (is_float and self.opset >= 10)
        kind = self.draw(st.sampled_from(kinds if links else ["stored"] * 3 + ["ConstantOfShape"] * (self.opset >= 9)))
        source = self.fresh()
        if kind == "stored":
            self.constant(output, whole(shape, dtype, 1))
        elif kind == "ConstantOfShape":
            value = numpy_helper.from_array(np.array([2], dtype))
            self.node(kind, [source], output, value=value)
            self.constant(source, np.array(shape, np.int64))
        elif kind == "Identity":
            self.node(kind, [source], output)
            self.make(source, shape, dtype, links - 1)
        elif kind == "Transpose":
            perm = self.draw(st.permutations(range(len(shape))))
            self.node(kind, [source], output, perm=perm)
            self.make(source, [shape[perm.index(axis)] for axis in range(len(shape))], dtype, links - 1)
        elif kind == "Reshape":
            wanted = self.draw(st.sampled_from([shape, [*shape[:-1], -1], [-1, *shape[1:]]]))
            before = self.draw(st.sampled_from([[96], [2, 6, 8], [3, 4, 2, 4], [12, 8]]))
            self.node(kind, [source, f"{source}_shape"], output)
            self.constant(f"{source}_shape", np.array(wanted, np.int64))
            self.make(source, before, dtype, links - 1)
        elif kind == "Cast":
            narrow = [dtype] if not is_float else [np.dtype(np.int8), np.dtype(np.int32), dtype, np.dtype(np.float16)]
            self.node(kind, [source], output, to=helper.np_dtype_to_tensor_dtype(dtype))
            self.make(source, shape, self.draw(st.sampled_from(narrow)), links - 1)
        else:
            self.dequantize(output, source, shape, dtype, links)

    def dequantize(self, output: str, source: str, shape: list[int], dtype: np.dtype[Any], links: int) -> None:
        axis = self.draw(st.integers(0, len(shape) - 1))
        grain = self.draw(st.sampled_from([1] + [2] * (self.opset >= 13) + [3] * (self.opset >= 21)))
        blocks = [-(-size // 4) if each == axis else size for each, size in enumerate(shape)]
        of_scale = {1: [], 2: [shape[axis]], 3: blocks}[grain]
        attributes = {1: {}, 2: {"axis": axis}, 3: {"axis": axis, "block_size": 4}}[grain]
        if dtype != F32 and self.opset < 19:
            self.node("Cast", [f"{source}_wide"], output, to=helper.np_dtype_to_tensor_dtype(dtype))
            output, dtype = f"{source}_wide", F32
        quantized = np.dtype(self.draw(st.sampled_from([np.int8, np.uint8])))
        operands = [source, f"{source}_scale"] + [f"{source}_zero"] * self.draw(st.booleans())
        self.node("DequantizeLinear", operands, output, **attributes)
        self.constant(f"{source}_scale", (whole(of_scale, np.dtype(np.uint8), 2) + 1).astype(dtype))
        if len(operands) == 3:
            self.constant(f"{source}_zero", whole(of_scale, quantized, 3))
        self.make(source, shape, quantized, links - 1)


@st.composite
def chains(draw: st.DrawFn) -> tuple[onnx.ModelProto, dict[str, Any], bool]:
    """A product whose weight is behind a chain, how to lower it, and whether the weight is an output too."""
    opset, element = draw(st.integers(9, newest_opset())), draw(st.sampled_from(["float32", "float16"]))
    chain, kept = Chain(draw, opset, element), draw(st.booleans())
    data_type = helper.np_dtype_to_tensor_dtype(np.dtype(element))
    chain.nodes.append(helper.make_node("MatMul", ["x", "w"], ["y"], "fc"))
    outputs = [INFO("y", data_type, [6, 12])] + [INFO("w", data_type, [8, 12])] * kept
    graph = helper.make_graph(chain.nodes, "g", [INFO("x", data_type, [6, 8])], outputs, chain.tensors)
    form, weights = st.sampled_from(["unrolled", "batched"]), st.sampled_from(["pretile"] * 3 + ["split"])
    how = {"form": draw(form), "weights": draw(weights)}
    return make(graph, opset), how, kept


@FEWER
@given(chains())
def test_a_weight_behind_a_chain_is_cut_ahead_of_time(case: tuple[onnx.ModelProto, dict[str, Any], bool]) -> None:
    model, how, kept = case
    lowered = onnxtile.lower(model, LIMITS, **how)
    onnx.checker.check_model(lowered, full_check=True)
    assert onnxtile.check(lowered, LIMITS).ok
    if how["weights"] == "pretile":
        made = [node for node in lowered.graph.node if node.metadata_props]
        cut = [node for node in made if node.name.startswith("fc/B_")]
        assert {node.op_type for node in cut} <= {"Cast"}  # tiles of float16, which are multiplied in float32
        old = [node for node in lowered.graph.node if node not in made]
        before = [node for node in model.graph.node if node.op_type in SEEN_THROUGH]
        assert old == (before if kept else [])
        names = [tensor.name for tensor in lowered.graph.initializer]
        stayed = [tensor.name for tensor in model.graph.initializer if tensor.name in names]
        assert stayed == ([tensor.name for tensor in model.graph.initializer] if kept else [])
    element = helper.tensor_dtype_to_np_dtype(model.graph.input[0].type.tensor_type.elem_type)
    feeds = {"x": whole([6, 8], np.dtype(element), 5)}
    lacks = "DequantizeLinear" in operators(model) and model.opset_import[0].version < 19
    for run in (plainly,) if lacks else (run_reference, plainly):
        for want, got in zip(run(model, feeds), run(lowered, feeds), strict=True):
            assert got.dtype == want.dtype
            np.testing.assert_array_equal(got, want)
    assert_verified(model, lowered)


def tensor_of(text: str, **initializers: np.ndarray) -> ir.TensorProtocol | None:
    """Return what is known ahead of time of the output of a graph."""
    model = ir.from_proto(parse(f'<ir_version: 10, opset_import: ["" : 23]> g (float[2] x) => {text}', **initializers))
    return constant_tensor(model.graph.outputs[0], model.ir_version)


@pytest.mark.parametrize(
    ("attribute", "wanted"),
    [
        ("value = float[2] {1, 2}", np.array([1, 2], np.float32)), ("value_float = 1.5", np.array(1.5, np.float32)),
        ("value_floats = [1.5, 2.5]", np.array([1.5, 2.5], np.float32)), ("value_int = 7", np.array(7, np.int64)),
        ("value_ints = [7, 8]", np.array([7, 8], np.int64)),
    ],
)  # fmt: skip
def test_every_kind_of_constant(attribute: str, wanted: np.ndarray) -> None:
    kind = "float" if wanted.dtype == np.float32 else "int64"
    shape = f"[{','.join(map(str, wanted.shape))}]" if wanted.ndim else ""
    tensor = tensor_of(f"({kind}{shape} y) {{ y = Constant <{attribute}> () }}")
    assert tensor is not None
    assert tensor.numpy().dtype == wanted.dtype
    np.testing.assert_array_equal(tensor.numpy(), wanted)


PADS = """(int64[8] y) {
    a = Constant <value_ints = [3, 4]> ()  n = Constant <value_ints = [6]> ()
    z = ConstantOfShape <value = int64[1] {0}> (n)  c = Concat <axis = 0> (a, z)
    pairs = Constant <value_ints = [-1, 2]> ()  r = Reshape (c, pairs)  last = Constant <value_ints = [-1]> ()
    all = Constant <value_ints = [-9223372036854775807]> ()  first = Constant <value_ints = [0]> ()
    t = Slice (r, last, all, first, last)  u = Transpose <perm = [1, 0]> (t)
    f = Reshape (u, last)  y = Cast <to = 7> (f) }"""


def test_amounts_of_padding_as_torch_exports_them() -> None:
    graph = onnx.parser.parse_graph(f"g (float[2] x) => {PADS}")
    model = make(graph, 17)
    tensor = constant_tensor(ir.from_proto(model).graph.outputs[0], 10)
    assert tensor is not None
    (wanted,) = run_reference(model, {"x": np.zeros(2, np.float32)})
    np.testing.assert_array_equal(tensor.numpy(), wanted)
    assert wanted.tolist() == [0, 0, 0, 3, 0, 0, 0, 4]


@FEWER
@given(st.data())
def test_slices_and_concats_of_sizes(data: st.DataObject) -> None:
    rows, ends = data.draw(st.integers(1, 5)), st.sampled_from([-(2**63) + 1, -9, -2, -1, 0, 1, 2, 9, 2**63 - 1])
    axes = data.draw(st.permutations([0, -1]))[: data.draw(st.integers(1, 2))]
    numbers = {name: np.array([data.draw(ends) for _ in axes], np.int64) for name in ("starts", "ends")}
    numbers["steps"] = np.array([data.draw(st.sampled_from([-2, -1, 1, 3])) for _ in axes], np.int64)
    numbers |= {"axes": np.array(axes), "a": np.arange(rows * 3).reshape(rows, 3), "b": np.arange(3).reshape(1, 3)}
    nodes = "c = Concat <axis = -2> (a, b, a)  y = Slice (c, starts, ends, axes, steps)"
    graph = onnx.parser.parse_graph(f"g (float[2] x) => (int64[M, N] y) {{ {nodes} }}")
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in numbers.items())
    model = make(graph, 17)
    tensor = constant_tensor(ir.from_proto(model).graph.outputs[0], 10)
    lengths = [(2 * rows + 1, 3)[axis] for axis in axes]
    sides = zip(lengths, numbers["starts"], numbers["ends"], numbers["steps"], strict=True)
    apart = any(step < 0 and (start < -length or end >= length) for length, start, end, step in sides)
    assert (tensor is None) == apart  # engines differ there
    if tensor is None:
        return
    (wanted,) = run_onnxruntime(model, {"x": np.zeros(2, np.float32)})
    np.testing.assert_array_equal(tensor.numpy(), wanted)


NOT_CONSTANTS = {
    "a Concat of fractions": "(double[4] y) { y = Concat <axis = 0> (w, w) }",
    "a Concat of many numbers": "(int64[66] y) { n = Constant <value_ints = [33]> ()  "
    "z = ConstantOfShape <value = int64[1] {0}> (n)  y = Concat <axis = 0> (z, z) }",
    "a Slice of fractions": "(double[1] y) { y = Slice (w, s, s, s) }",
    "a Slice by 0": "(int64[1] y) { o = Constant <value_ints = [0]> ()  y = Slice (s, o, s, o, o) }",
    "fractions are cut off": "(int32[2] y) { y = Cast <to = 6> (w) }",
    "onnxruntime rounds double to float16 twice": "(float16[2] y) { y = Cast <to = 10> (w) }",
    "float8 saturates or not": "(float8e4m3fn[2] y) { y = Cast <to = 17> (w) }",
    "made of an input": "(float[2, 1] y) { y = Reshape (x, s) }",
    "a shape that is computed": "(double[M, N] y) { t = Shape (x)  y = Reshape (w, t) }",
    "an operator that isn't seen through": "(double[2] y) { y = Neg (w) }",
    "text": '(string y) { y = Constant <value_string = "a"> () }',
    "another domain's": "(double[2] y) { y = com.microsoft.Identity (w) }",
}


@pytest.mark.parametrize("text", NOT_CONSTANTS.values(), ids=NOT_CONSTANTS)
def test_what_isn_t_a_constant(text: str) -> None:
    graph = onnx.parser.parse_graph(f"g (float[2] x) => {text}")
    graph.initializer.append(numpy_helper.from_array(np.array([1.5, 70000.0]), "w"))
    graph.initializer.append(numpy_helper.from_array(np.array([2, 1]), "s"))
    opsets = [helper.make_opsetid("", 23), helper.make_opsetid("com.microsoft", 1)]
    model = ir.from_proto(helper.make_model(graph, opset_imports=opsets, ir_version=10))
    assert constant_tensor(model.graph.outputs[0], 10) is None


@pytest.mark.parametrize(
    "shape", [[1 << 40], [1 << 15, 1 << 14, 2], [-1], [1 << 62, 1 << 62]], ids=["huge", "over 2 GB", "negative", "vast"]
)
def test_a_constant_of_a_hostile_shape_is_not_made(shape: list[int]) -> None:
    text = f"(float[{','.join('ABC'[: len(shape)])}] y) {{ y = ConstantOfShape (s) }}"
    assert tensor_of(text, s=np.array(shape)) is None


def test_a_block_of_hostile_size_is_as_long_as_its_axis() -> None:
    text = f"(float[8, 3] y) {{ y = DequantizeLinear <axis = 0, block_size = {1 << 60}> (q, s) }}"
    tensor = tensor_of(text, q=whole([8, 3], np.dtype(np.int8), 1), s=np.full([1, 3], 2, np.float32))
    assert tensor is not None
    np.testing.assert_array_equal(tensor.numpy(), whole([8, 3], F32, 1) * 2)


def test_a_large_constant_of_shape_takes_no_memory() -> None:
    tensor = tensor_of("(float[A, B] y) { y = ConstantOfShape (s) }", s=np.array([1 << 14, 1 << 15]))
    assert tensor is not None
    assert tensor.nbytes == 2 << 30
    assert tensor.numpy().strides == (0, 0)


def test_chains_that_are_made_to_cost_time() -> None:
    doubling = " ".join(f"v{i + 1} = Reshape (v{i}, v{i})" for i in range(60))
    assert tensor_of(f"(int64[1] y) {{ {doubling} y = Identity (v60) }}", v0=np.array([1])) is None
    long = " ".join(f"v{i + 1} = Neg (v{i}) v{i + 1}_ = Identity (v{i + 1})" for i in range(2))
    assert tensor_of(f"(int64[1] y) {{ {long} y = Identity (v2) }}", v0=np.array([1])) is None
    chain = " ".join(f"v{i + 1} = Cast <to = 1> (v{i})" for i in range(5000))
    assert tensor_of(f"(float[1] y) {{ {chain} y = Identity (v5000) }}", v0=np.ones(1, np.float32)) is None


WITH_INPUT = """<ir_version: VERSION, opset_import: ["" : 10]>
g (float[8,8] x, float[8,8] w) => (float[8,8] y) { t = Cast <to = 1> (w)  y = MatMul (x, t) }"""


@pytest.mark.parametrize("version", [3, 4])
def test_a_default_that_a_caller_may_replace_stays(version: int) -> None:
    model = parse(WITH_INPUT.replace("VERSION", str(version)), w=whole([8, 8], F32, 1))
    lowered = onnxtile.lower(model, LIMITS)
    assert ("Cast" in operators(lowered)) == (version == 4)
    feeds = {"x": whole([8, 8], F32, 2)} | ({"w": whole([8, 8], F32, 3)} if version == 4 else {})
    (want,), (got,) = run_reference(model, feeds), run_reference(lowered, feeds)
    np.testing.assert_array_equal(got, want)


BODY = """<ir_version: 9, opset_import: ["" : 19]>
g (float[8,8] x, bool c) => (float[8,8] y) {
   outer = Identity (w)
   made = DequantizeLinear (q, s)
   y = If (c) <then_branch = t () => (float[8,8] p) { inner = Cast <to = 1> (outer)  p = MatMul (x, inner) },
               else_branch = e () => (float[8,8] r) { r = MatMul (x, made) }> }"""


@pytest.mark.parametrize("form", ["unrolled", "batched"])
def test_a_chain_that_begins_outside_of_a_branch(form: str) -> None:
    model = parse(
        BODY, w=whole([8, 8], np.dtype(np.float16), 1), q=whole([8, 8], np.dtype(np.int8), 2), s=np.array(2, np.float32)
    )
    lowered = onnxtile.lower(model, LIMITS, form=form)
    onnx.checker.check_model(lowered, full_check=True)
    assert operators(lowered) == ["If"]
    branches = {attribute.name: attribute.g for attribute in lowered.graph.node[0].attribute}
    assert all("Cast" not in [node.op_type for node in branch.node] for branch in branches.values())
    assert branches["then_branch"].initializer  # the chain ends there
    assert all(tensor.name.startswith("made/") for tensor in lowered.graph.initializer if tensor.data_type == 1)
    for c in (True, False):
        feeds = {"x": whole([8, 8], F32, 3), "c": np.array(c)}
        for run in (run_reference, plainly):
            np.testing.assert_array_equal(run(lowered, feeds)[0], run(model, feeds)[0])


def test_products_behind_identities_share_their_tiles() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18]>
        g (float[8,8] x) => (float[8,8] z) {
           a = Identity (w)  y = MatMul (x, a)  b = Identity (w)  z = MatMul (y, b) }""",
        w=whole([8, 8], F32, 1),
    )
    lowered = onnxtile.lower(model, LIMITS)
    assert sum(tensor.name.startswith("w/") for tensor in lowered.graph.initializer) == 4
    assert "Identity" not in operators(lowered)


def test_weights_in_external_data_are_read_when_they_re_written(tmp_path: Any) -> None:
    model = parse(
        """<ir_version: 9, opset_import: ["" : 19]>
        g (float[8,64] x) => (float[8,96] y) { w = DequantizeLinear <axis = 1> (q, s)  y = MatMul (x, w) }""",
        q=whole([64, 96], np.dtype(np.int8), 1), s=np.full(96, 0.5, np.float32),
    )  # fmt: skip
    path = tmp_path / "m.onnx"
    feeds = {"x": whole([8, 64], F32, 2)}
    (want,) = run_reference(model, feeds)
    onnx.save(model, path, save_as_external_data=True, size_threshold=0)
    onnxtile.lower(path, (8, 32, 32), output=tmp_path / "o.onnx")
    lowered = onnx.load(tmp_path / "o.onnx")
    assert {tensor.data_type for tensor in lowered.graph.initializer} == {TensorProto.FLOAT, TensorProto.INT64}
    np.testing.assert_array_equal(run_reference(lowered, feeds)[0], want)
    onnxtile.estimate(path, (8, 32, 32))


def in_both_engines(node: onnx.NodeProto, opset: int, **initializers: np.ndarray) -> None:
    """Show that what is known ahead of time of a node's output is what both engines compute, bit for bit."""
    tensors = [numpy_helper.from_array(array, name) for name, array in initializers.items()]
    widened = helper.make_node("Cast", ["y"], ["wide"], to=TensorProto.DOUBLE)
    graph = helper.make_graph([node, widened], "g", [], [INFO("wide", TensorProto.DOUBLE, None)], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    wanted = constant_tensor(ir.from_proto(model).graph.node(0).outputs[0], 10)
    assert wanted is not None
    for run in (run_reference, plainly):
        (got,) = run(model, {})
        np.testing.assert_array_equal(got, wanted.numpy().astype(np.float64))


INTEGERS = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]


@pytest.mark.parametrize("to", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64])
@pytest.mark.parametrize("source", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64, *INTEGERS])
def test_casts_round_as_the_engines_do(source: Any, to: Any) -> None:
    if (source, to) == (np.float64, np.float16):
        return
    rng = np.random.default_rng(0)
    numbers = rng.integers(-(1 << 62), 1 << 62, 20_000) >> rng.integers(0, 62, 20_000)
    spread = rng.standard_normal(20_000) * np.exp2(rng.integers(-40, 40, 20_000))
    with np.errstate(over="ignore"):
        array = (numbers if source in INTEGERS else spread).astype(source)
    node = helper.make_node("Cast", ["x"], ["y"], to=helper.np_dtype_to_tensor_dtype(np.dtype(to)))
    in_both_engines(node, 21, x=array)


@pytest.mark.parametrize("scale", [np.float32, np.float16])
@pytest.mark.parametrize("grain", ["tensor", "axis", "blocks"])
@pytest.mark.parametrize("kind", [ml_dtypes.int4, ml_dtypes.uint4, np.int8, np.uint8, np.int16, np.uint16, np.int32])
def test_dequantized_as_the_engines_do(kind: Any, grain: str, scale: Any) -> None:
    rng = np.random.default_rng(0)
    low, high = int(ml_dtypes.iinfo(kind).min), int(ml_dtypes.iinfo(kind).max)
    attributes = {"tensor": {}, "axis": {"axis": -2}, "blocks": {"axis": -2, "block_size": 16}}[grain]
    shape = {"tensor": [], "axis": [37], "blocks": [3, 3, 8]}[grain]
    arrays = {"x": rng.integers(low, high, [3, 37, 8], endpoint=True).astype(kind)}
    arrays["s"] = np.array(rng.standard_normal(shape) * np.exp2(rng.integers(-20, 9, shape))).astype(scale)
    if kind != np.int32:
        arrays["z"] = np.array(rng.integers(low, high, shape, endpoint=True)).astype(kind)
    in_both_engines(helper.make_node("DequantizeLinear", list(arrays), ["y"], **attributes), 21, **arrays)
