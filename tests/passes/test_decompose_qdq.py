"""Products between DequantizeLinear and QuantizeLinear become products of integers, bit by bit."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import onnxtile
from onnxtile.passes.rewrites.qdq import LONGEST
from tests.passes.test_decompose_quantized import LIMITS, qdq
from tests.support import FORMS, assert_verified, parse, run_onnxruntime, run_reference


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("a_type", "b_type", "axis"), [("int8", "int8", 1), ("uint8", "int8", 0), ("uint8", "uint8", 0)]
)
def test_between_dequantize_and_quantize(form: str, a_type: str, b_type: str, axis: int) -> None:
    model = qdq(a_type, b_type, axis)
    lowered = onnxtile.lower(model, LIMITS, form=form)
    assert not {node.op_type for node in lowered.graph.node} & {"DequantizeLinear", "MatMul"}
    assert onnxtile.check(lowered, LIMITS).ok
    info = np.iinfo(a_type)
    feeds = {"a": np.random.default_rng(2).integers(info.min, info.max + 1, [5, 7]).astype(a_type)}
    for run in (run_onnxruntime, run_reference):
        np.testing.assert_array_equal(run(lowered, feeds)[0], run(model, feeds)[0])
    assert_verified(model, lowered)


def test_a_product_that_others_read_as_floats_stays_one_of_floats() -> None:
    model = qdq("int8", "int8", 1)
    model.graph.output.append(helper.make_tensor_value_info("r", TensorProto.FLOAT, [5, 9]))
    lowered = onnxtile.lower(model, LIMITS)
    assert "MatMulInteger" not in {node.op_type for node in lowered.graph.node}
    assert onnxtile.check(lowered, LIMITS).ok


@pytest.mark.parametrize("change", ["long", "scale of unknown length", "Q says more", "DQ is an output"])
def test_products_of_floats_that_stay_so(change: str) -> None:
    """int32 might overflow, or something else is asked of the conversion: the product is cut as one of floats."""
    model = qdq("int8", "int8", 1)
    nodes, graph = {node.op_type: node for node in model.graph.node}, model.graph
    if change == "long":
        graph.input[0].type.tensor_type.shape.dim[1].dim_value = 33026
        (weight,) = (tensor for tensor in graph.initializer if tensor.name == "b")
        weight.CopyFrom(numpy_helper.from_array(np.ones([33026, 9], np.int8), "b"))
    elif change == "scale of unknown length":
        (scale,) = (tensor for tensor in graph.initializer if tensor.name == "ys")
        graph.initializer.remove(scale)
        graph.input.append(helper.make_tensor_value_info("ys", TensorProto.FLOAT, ["n"]))
    elif change == "Q says more":
        nodes["QuantizeLinear"].attribute.add(name="saturate", i=0, type=onnx.AttributeProto.INT)
    else:
        graph.output.append(helper.make_tensor_value_info("ar", TensorProto.FLOAT, [5, 7]))
    lowered = onnxtile.lower(model, (2, None, 4))
    onnx.checker.check_model(lowered)
    made = {node.op_type for node in lowered.graph.node}
    assert ("MatMulInteger" in made) == (change == "DQ is an output")
    assert onnxtile.check(lowered, (2, None, 4)).ok


def gemm(
    transposed: tuple[int, int] = (0, 1), scales: int = 9, bias: str = "column", factor: float = 1.0, opset: int = 21
) -> onnx.ModelProto:
    """Q(Gemm(DQ(a), DQ(b), DQ(c))) of 5 x 7 by 7 x 9; `scales`: how many b has; `bias`: its shape, or its fault."""
    rng = np.random.default_rng(1)
    b_scale = rng.uniform(0.01, 0.02, scales).astype(np.float32) if scales > 1 else np.array(0.015, np.float32)
    c_scale = (np.float32(0.02) * b_scale).astype(np.float32)
    c_shape = {"row": [5, 1], "whole": [5, 9], "one": [1], "matrix": [1, 9]}.get(bias, [9])
    if bias == "other scale":
        c_scale = c_scale * np.float32(1.5)
    a_shape, b_shape = ([7, 5] if transposed[0] else [5, 7]), ([9, 7] if transposed[1] else [7, 9])
    arrays = {
        "b": rng.integers(-128, 128, b_shape).astype(np.int8), "bs": b_scale, "cs": c_scale,
        "c": rng.integers(-9000, 9000, c_shape).astype(np.int32), "as": np.array(0.02, np.float32),
        "az": np.array(3, np.uint8), "ys": np.array(0.3, np.float32), "yz": np.array(7, np.uint8),
    }  # fmt: skip
    one = scales == 1
    nodes = [
        helper.make_node("DequantizeLinear", ["a", "as", "az"], ["ar"]),
        helper.make_node("DequantizeLinear", ["b", "bs"], ["br"], **({} if one else {"axis": 1 - transposed[1]})),
        helper.make_node("DequantizeLinear", ["c", "cs"], ["cr"], **({} if one else {"axis": len(c_shape) - 1})),
        helper.make_node(
            "Gemm", ["ar", "br", "cr"][: 2 if bias == "none" else 3], ["r"], "fc", transA=transposed[0],
            transB=transposed[1], alpha=factor,
        ),
        helper.make_node("QuantizeLinear", ["r", "ys", "yz"], ["y"]),
    ]  # fmt: skip
    if bias == "none":
        del nodes[2]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("a", TensorProto.UINT8, a_shape)],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, [5, 9])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("transposed", "scales", "bias"),
    [((0, 1), 9, "column"), ((0, 0), 9, "matrix"), ((1, 1), 1, "column"), ((0, 1), 1, "none")],
)
def test_gemm_between_quantizers(form: str, transposed: tuple[int, int], scales: int, bias: str) -> None:
    model = gemm(transposed, scales, bias)
    lowered = onnxtile.lower(model, LIMITS, form=form)
    assert not {node.op_type for node in lowered.graph.node} & {"DequantizeLinear", "MatMul", "Gemm"}
    assert onnxtile.check(lowered, LIMITS).ok
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    feeds = {"a": np.random.default_rng(2).integers(0, 256, shape).astype(np.uint8)}
    for run in (run_onnxruntime, run_reference):
        # onnx.reference computes the original in floats: where these are a tie, the integers may be one apart
        close = np.abs(run(lowered, feeds)[0].astype(int) - run(model, feeds)[0]).max()
        assert close <= (run is run_reference)
    assert_verified(model, lowered)


@pytest.mark.parametrize(
    "change",
    [{"bias": "other scale"}, {"bias": "row"}, {"bias": "whole"}, {"bias": "one", "scales": 1}, {"factor": 2.0}],
)
@pytest.mark.parametrize("form", ["batched", "function"])
def test_gemm_that_stays_one_of_floats(change: dict[str, object], form: str) -> None:
    model = gemm(**change)  # type: ignore[arg-type]  # options by name
    lowered = onnxtile.lower(model, LIMITS, form=form)
    assert "MatMulInteger" not in {node.op_type for node in lowered.graph.node}
    assert onnxtile.check(lowered, LIMITS).ok
    feeds = {"a": np.random.default_rng(2).integers(0, 256, [5, 7]).astype(np.uint8)}
    assert np.abs(run_reference(lowered, feeds)[0].astype(int) - run_reference(model, feeds)[0]).max() <= 1


@pytest.mark.parametrize(("k", "bytewise"), [(LONGEST // 2, True), (LONGEST // 2 + 1, False)])
def test_gemm_with_a_bias_as_long_as_int32_holds_and_longer(k: int, bytewise: bool) -> None:
    text = f"""<ir_version: 10, opset_import: ["" : 19]> g (uint8[1,{k}] x) => (uint8[1,1] y)
        <float s = {{0.5}}, float t = {{33554432}}, uint8 z = {{0}}, int32[1] c = {{1073741823}}, float u = {{0.25}}> {{
        a = DequantizeLinear (x, s, z)  b = DequantizeLinear (w, s, z)  d = DequantizeLinear (c, u)
        p = Gemm (a, b, d)  y = QuantizeLinear (p, t, z) }}"""
    model = parse(text, w=np.full([k, 1], 255, np.uint8))
    lowered = onnxtile.lower(model, (1, 9000, 1))
    assert ("MatMulInteger" in {node.op_type for node in lowered.graph.node}) is bytewise
    feeds = {"x": np.full([1, k], 255, np.uint8)}
    np.testing.assert_array_equal(run_onnxruntime(lowered, feeds)[0], run_reference(model, feeds)[0])
