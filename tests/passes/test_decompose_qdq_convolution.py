"""Convolutions between quantizers lowered as products of bytes: bit for bit, proven; or as products of floats."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import onnxtile
from tests.quantized_convolutions import convolved, drawn, requantized
from tests.support import FEWEST, FORMS, Fed, operators, run_onnxruntime

LIMITS = (4, 9, 2)
X = drawn([2, 4, 5, 4], np.uint8, 1)
SX, SY, XZ, YZ = np.float32(0.02), np.float32(0.3), np.uint8(131), np.uint8(100)
A_FILTER, ONE = np.linspace(0.01, 0.05, 6).astype(np.float32), np.float32(0.02)


def case(
    w_scale: Any = A_FILTER, bias: np.ndarray | None = None, bias_scale: Any = None, group: int = 2, axis: int = 0,
    opset: int = 18, filters: int = 6,
) -> tuple[Fed, np.ndarray]:  # fmt: skip
    """Q(DQ(X) conv DQ(W) + DQ(B)), and what integers give."""
    w, wz = drawn([filters, 4 // group, 3, 3], np.int8, 2), np.zeros(np.shape(w_scale), np.int8)
    arrays = {"sx": SX, "xz": XZ, "w": w, "sw": w_scale, "wz": wz, "sy": SY, "yz": YZ}
    per_axis = {"axis": axis} if opset >= 13 else {}
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "sx", "xz"], ["xf"], "dx"),
        helper.make_node("DequantizeLinear", ["w", "sw", "wz"], ["wf"], "dw", **per_axis),
    ]
    if bias is not None:
        arrays |= {"b": bias, "sb": (SX * w_scale).astype(np.float32) if bias_scale is None else bias_scale}
        nodes.append(
            helper.make_node("DequantizeLinear", ["b", "sb"], ["bf"], "db", **({"axis": 0} if per_axis else {}))
        )
    inputs = ["xf", "wf"] if bias is None else ["xf", "wf", "bf"]
    nodes.append(helper.make_node("Conv", inputs, ["c"], "conv", pads=[1, 1, 0, 1], group=group))
    nodes.append(helper.make_node("QuantizeLinear", ["c", "sy", "yz"], ["y"], "q"))
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, X.shape)],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, [None] * 4)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    total = convolved(X, w, XZ, wz, pads=[1, 1, 0, 1], group=group)
    total = total if bias is None else total + bias.reshape(-1, 1, 1)
    return Fed(model, {"x": X}), requantized(total, SX * w_scale / SY, YZ)


BIAS = (np.arange(6, dtype=np.int32) - 2) * 1000


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("group", [1, 2])
@pytest.mark.parametrize("w_scale", [A_FILTER, ONE], ids=["a filter", "one"])
@pytest.mark.parametrize("bias", [None, BIAS], ids=["", "bias"])
def test_products_of_bytes(form: str, group: int, w_scale: Any, bias: np.ndarray | None) -> None:
    fed, wanted = case(w_scale, bias, group=group)
    lowered = onnxtile.lower(fed.model, LIMITS, ops="all", form=form)
    assert not {"Conv", "DequantizeLinear", "MatMul"} & set(operators(lowered))
    assert onnxtile.check(lowered, LIMITS, ops="all").ok
    np.testing.assert_array_equal(run_onnxruntime(lowered, fed.feeds)[0], wanted)
    assert [region.status for region in onnxtile.verify(fed.model, lowered).regions] == ["proven"]


@pytest.mark.parametrize("depthwise", ["vector", "gemm"])
def test_channels_with_kernels_of_their_own_are_products_of_bytes_too_and_the_report_says_so(depthwise: Any) -> None:
    fed, wanted = case(ONE, group=4, filters=4)
    lowered, report = onnxtile.lower(fed.model, LIMITS, depthwise=depthwise, report=True)
    np.testing.assert_array_equal(run_onnxruntime(lowered, fed.feeds)[0], wanted)
    assert [row.status for row in report.contractions] == ["tiled"]
    assert report.engine.calls == onnxtile.check(lowered, LIMITS).engine.calls


def test_channels_with_kernels_of_their_own_stay_where_that_is_asked_for() -> None:
    fed, _ = case(ONE, group=4, filters=4)
    lowered, report = onnxtile.lower(fed.model, LIMITS, depthwise="keep", report=True)
    assert [row.status for row in report.contractions] == ["refused"]
    assert operators(lowered) == operators(fed.model)


@FEWEST
@given(st.data(), st.sampled_from(FORMS), st.sampled_from([(1, 1, 1), (2, 3, 2), (4, 4, 4)]))
def test_any_scales_and_biases(data: st.DataObject, form: str, limits: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    w_scale = rng.uniform(1e-3, 0.1, data.draw(st.sampled_from([(), (6,)]))).astype(np.float32)
    bias = data.draw(st.sampled_from([None, rng.integers(-(2**20), 2**20, 6).astype(np.int32)]))
    fed, wanted = case(
        w_scale, bias, group=data.draw(st.integers(1, 2)), opset=data.draw(st.sampled_from([13, 18, 21]))
    )
    lowered = onnxtile.lower(fed.model, limits, form=form)  # type: ignore[call-overload]
    assert not {"Conv", "DequantizeLinear", "MatMul"} & set(operators(lowered))
    assert onnxtile.check(lowered, limits).ok
    np.testing.assert_array_equal(run_onnxruntime(lowered, fed.feeds)[0], wanted)
    assert [region.status for region in onnxtile.verify(fed.model, lowered).regions] == ["proven"]


@pytest.mark.parametrize(
    "how",
    [
        {"bias": BIAS, "bias_scale": np.float32(0.001), "w_scale": ONE},
        {"bias": BIAS + np.int32(2**30), "w_scale": ONE},
        {"w_scale": np.array([0.01, 0.02, 0.03], np.float32), "axis": 2},
    ],
    ids=["the bias has another scale", "the bias is large", "scales along another axis"],
)
def test_products_of_floats(how: dict[str, Any]) -> None:
    fed, _ = case(**how) if "axis" not in how else along_another_axis()
    lowered = onnxtile.lower(fed.model, LIMITS, ops="all")
    assert {"MatMul", "DequantizeLinear"} <= set(operators(lowered))
    assert "MatMulInteger" not in operators(lowered)
    assert onnxtile.verify(fed.model, lowered).equivalent


def along_another_axis() -> tuple[Fed, None]:
    """The weight has a scale a row of its kernel."""
    model = onnx.ModelProto()
    model.CopyFrom(case(ONE)[0].model)
    for name, array in (("sw", np.array([0.01, 0.02, 0.03], np.float32)), ("wz", np.zeros(3, np.int8))):
        tensor = next(tensor for tensor in model.graph.initializer if tensor.name == name)
        tensor.CopyFrom(numpy_helper.from_array(array, name))
    node = next(node for node in model.graph.node if node.name == "dw")
    node.attribute[0].i = 2
    return Fed(model, {"x": X}), None


@pytest.mark.parametrize(
    ("name", "change"),
    [("b", lambda a: a + 1), ("sb", lambda a: a * np.float32(1.5)), ("xz", lambda a: a - 1), ("sw", lambda a: a[::-1])],
)
def test_other_parameters_are_different(name: str, change: Any) -> None:
    fed, _ = case(bias=BIAS)
    lowered = onnxtile.lower(fed.model, LIMITS, ops="all")
    other = onnx.ModelProto()
    other.CopyFrom(fed.model)
    tensor = next(tensor for tensor in other.graph.initializer if tensor.name == name)
    array = numpy_helper.to_array(tensor)
    tensor.CopyFrom(
        numpy_helper.from_array(np.ascontiguousarray(change(array)).astype(array.dtype).reshape(array.shape), name)
    )
    assert not onnxtile.verify(other, lowered).equivalent
