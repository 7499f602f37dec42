"""Products between DequantizeLinear and QuantizeLinear become products of integers, bit by bit."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import onnxtile
from tests.passes.test_decompose_quantized import LIMITS, qdq
from tests.support import FORMS, assert_verified, run_onnxruntime, run_reference


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
