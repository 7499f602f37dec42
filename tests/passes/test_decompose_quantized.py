"""Products of quantized numbers: bit by bit what the original gives, in every form, with every kind of parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import onnxtile
from onnxtile.errors import OnnxtileError
from tests.support import FEWER, FORMS, assert_verified, parse, run_onnxruntime, run_reference

LIMITS = (2, 3, 4)
OPERATORS = ("MatMulInteger", "QLinearMatMul", "QGemm", "MatMulIntegerToFloat", "DynamicQuantizeMatMul")


def build(draw: st.DrawFn) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """A model of one operator with random parameters, each a constant or an input, and what to feed."""
    op, opset = draw(st.sampled_from(OPERATORS)), draw(st.integers(11, 21))
    m, k, n = (draw(st.integers(1, 7)) for _ in range(3))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    a_type, b_type = (np.dtype(draw(st.sampled_from(("int8", "uint8")))) for _ in range(2))
    if op != "MatMulInteger" and (a_type, b_type) == (np.int8, np.uint8):
        b_type = a_type  # onnxruntime has no such kernel
    gemm = op == "QGemm"
    turned = {name: draw(st.integers(0, 1)) for name in ("transA", "transB")} if gemm else {}
    batch = [] if gemm or op.endswith("ToFloat") else draw(st.sampled_from(([], [2], [2, 1])))
    columns = draw(st.booleans())

    def integers(shape: list[int], dtype: np.dtype[Any]) -> np.ndarray:
        info = np.iinfo(dtype)
        return random.integers(info.min, info.max + 1, shape).astype(dtype)

    def scale(per_column: bool) -> np.ndarray:
        return np.exp2(random.integers(-6, 3, [n] if per_column else [])).astype(np.float32)

    values: dict[str, np.ndarray | None] = {
        "a": integers([*batch, k, m] if turned.get("transA") else [*batch, m, k], a_type),
        "b": integers([n, k] if turned.get("transB") else [k, n], b_type),
        "a_scale": scale(False),
        "b_scale": scale(columns),
        "a_zero": draw(st.sampled_from((None, integers([], a_type), np.zeros([], a_type)))),
        "b_zero": draw(st.sampled_from((None, integers([n] if columns else [], b_type)))),
        "y_scale": scale(False),
        "y_zero": 2 * (integers([], np.dtype(np.uint8)) // 2),  # even: engines break ties before or after adding it
    }
    if op == "QLinearMatMul" or gemm:
        values = {name: np.zeros([], np.uint8) if value is None else value for name, value in values.items()}
        values["a_zero"], values["b_zero"] = values["a_zero"].astype(a_type), values["b_zero"].astype(b_type)  # type: ignore[union-attr]
        if columns:
            values["b_zero"] = integers([n], b_type)
        values["y_zero"] = values["y_zero"].astype(a_type)  # type: ignore[union-attr]
    if op == "DynamicQuantizeMatMul":
        values["a"] = random.integers(-100, 101, [*batch, m, k]).astype(np.float32)
    attributes = {}
    if gemm:
        attributes = {**turned, "alpha": draw(st.sampled_from((1.0, 0.5)))}
        values["c"] = integers([n], np.dtype(np.int8)).astype(np.int32) if draw(st.booleans()) else None
        if draw(st.booleans()):
            values["y_scale"] = values["y_zero"] = None
    values["bias"] = random.integers(-9, 9, [n]).astype(np.float32) if draw(st.booleans()) else None
    names = {
        "MatMulInteger": ["a", "b", "a_zero", "b_zero"],
        "QLinearMatMul": ["a", "a_scale", "a_zero", "b", "b_scale", "b_zero", "y_scale", "y_zero"],
        "QGemm": ["a", "a_scale", "a_zero", "b", "b_scale", "b_zero", "c", "y_scale", "y_zero"],
        "MatMulIntegerToFloat": ["a", "b", "a_scale", "b_scale", "a_zero", "b_zero", "bias"],
        "DynamicQuantizeMatMul": ["a", "b", "b_scale", "b_zero", "bias"],
    }[op]
    constants = {name for name in names if name != "a" and draw(st.booleans())}
    microsoft = op not in ("MatMulInteger", "QLinearMatMul")
    inputs = [name if values[name] is not None else "" for name in names]
    while inputs[-1] == "":
        inputs.pop()
    node = helper.make_node(op, inputs, ["y"], "fc", domain="com.microsoft" if microsoft else "", **attributes)
    tensors = {name: numpy_helper.from_array(values[name], name) for name in inputs if name}  # type: ignore[arg-type]
    graph = helper.make_graph(
        [node], "g",
        [helper.make_tensor_value_info(x, t.data_type, t.dims) for x, t in tensors.items() if x not in constants],
        [helper.make_tensor_value_info("y", result_type(op, values), [*batch, m, n])],
        [tensor for name, tensor in tensors.items() if name in constants],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return model, {name: np.asarray(values[name]) for name in tensors if name not in constants}


def result_type(op: str, values: dict[str, np.ndarray | None]) -> int:
    zero = values["y_zero"]
    if op == "MatMulInteger":
        return int(TensorProto.INT32)
    if op.startswith("Q") and zero is not None:
        return int(helper.np_dtype_to_tensor_dtype(zero.dtype))
    return int(TensorProto.FLOAT)


@FEWER
@given(st.composite(build)(), st.sampled_from(FORMS), st.sampled_from(("pretile", "split")))
def test_bit_by_bit(case: tuple[onnx.ModelProto, dict[str, np.ndarray]], form: str, weights: str) -> None:
    model, feeds = case
    lowered = onnxtile.lower(model, LIMITS, form=form, weights=weights)
    report = onnxtile.check(lowered, LIMITS)
    assert report.ok, report.contractions
    (want,), (got,) = run_onnxruntime(model, feeds), run_onnxruntime(lowered, feeds)
    np.testing.assert_array_equal(got, want)
    if all(node.domain == "" for node in model.graph.node):
        (want,), (got,) = run_reference(model, feeds), run_reference(lowered, feeds)
        np.testing.assert_array_equal(got, want)
    assert_verified(model, lowered)


def qdq(a_type: str, b_type: str, axis: int, opset: int = 21) -> onnx.ModelProto:
    random = np.random.default_rng(1)
    columns = axis == 1
    return parse(
        f"""<ir_version: 10, opset_import: ["" : {opset}]>
        g ({a_type}[5,7] a) => ({a_type}[5,9] y) {{
            ar = DequantizeLinear (a, as, az)
            br = DequantizeLinear <axis: int = {axis}> (b, bs, bz)
            r = MatMul (ar, br)
            y = QuantizeLinear (r, ys, yz)
        }}""",
        b=random.integers(0, 127, [7, 9]).astype(b_type),
        bs=np.exp2(random.integers(-6, 0, [9] if columns else [])).astype(np.float32),
        bz=random.integers(0, 50, [9] if columns else []).astype(b_type),
        **{"as": np.float32(0.5).reshape([]), "ys": np.float32(8).reshape([])},
        az=np.array(7, a_type),
        yz=np.array(4, a_type),
    )


def test_attributes_that_the_operator_lacks() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 13, "com.microsoft" : 1]>
        g (int8[5,7] a, int8[7,9] b) => (float[5,9] y) {
            y = com.microsoft.MatMulIntegerToFloat <transB = 1> (a, b, one, one)
        }""",
        one=np.float32(1).reshape([]),
    )
    (row,) = onnxtile.estimate(model, LIMITS)[0].contractions
    assert row.reason == "attribute: MatMulIntegerToFloat has no attribute 'transB'; remove it"


def test_the_default_domain_by_its_other_name() -> None:
    model = qdq("int8", "int8", 1)
    model.opset_import[0].domain = "ai.onnx"
    assert onnxtile.check(onnxtile.lower(model, LIMITS), LIMITS).ok


QUANTIZED = {
    "MatMulInteger": "int32[4,6] z) { z = MatMulInteger (x, w, xz, wz) }",
    "QLinearMatMul": "uint8[4,6] z) { z = QLinearMatMul (x, s, xz, w, s, wz, s, xz) }",
    "MatMulIntegerToFloat": "float[4,6] z) { z = com.microsoft.MatMulIntegerToFloat (x, w, s, s, xz, wz) }",
    "DynamicQuantizeMatMul": "float[4,6] z) { f = Cast <to = 1> (x)"
    "  z = com.microsoft.DynamicQuantizeMatMul (f, w, s, wz) }",
}


def with_lengths(op: str, a: str, b: str | None) -> onnx.ModelProto:
    """Return a product of x [4, a] and w [b, 6], which is a weight of 8 rows where b is None."""
    given = "" if b is None else f", int8[{b},6] w"
    text = f"g (uint8[4,{a}] x{given}) => ({QUANTIZED[op]}"
    numbers: dict[str, np.ndarray] = {"s": np.array(0.5, np.float32), "xz": np.array(3, np.uint8)}
    numbers["wz"] = np.array(-2, np.int8)
    if b is None:
        numbers["w"] = np.arange(48, dtype=np.int8).reshape(8, 6)
    made = parse(f'<ir_version: 8, opset_import: ["" : 18, "com.microsoft" : 1]> {text}', **numbers)
    read = {name for node in made.graph.node for name in node.input}
    kept = [tensor for tensor in made.graph.initializer if tensor.name in read]
    del made.graph.initializer[:]
    made.graph.initializer.extend(kept)
    return made


@pytest.mark.parametrize("op", QUANTIZED)
@pytest.mark.parametrize(("a", "b"), [("q", None), ("8", "p")], ids=["of the weight", "of the input"])
def test_a_length_that_one_operand_says_is_enough(op: str, a: str, b: str | None) -> None:
    model = with_lengths(op, a, b)
    lowered = onnxtile.lower(model, (4, 4, 4), form="batched")
    assert onnxtile.check(lowered, (4, 4, 4)).ok
    assert onnxtile.verify(model, lowered, bind={"q": 8} if a == "q" else {"p": 8}).equivalent


@pytest.mark.parametrize("op", QUANTIZED)
def test_a_length_that_nobody_says_is_refused_by_the_pass(op: str) -> None:
    passes = onnxtile.PassManager(["infer-shapes", "decompose-quantized"])
    with pytest.raises(OnnxtileError, match="K is q, and what zero points add depends on it; bind it"):
        passes(ir.from_proto(with_lengths(op, "q", "q")))
