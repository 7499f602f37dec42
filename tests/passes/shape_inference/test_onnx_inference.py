"""Test what onnx's own inference finds, value by value, without the model's weights."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from onnxtile.errors import ModelError
from onnxtile.passes.shape_inference.onnx_inference import infer_by_onnx
from tests.support import parse


def test_sizes_and_types_of_values() -> None:
    model = ir.from_proto(
        parse(
            """<ir_version: 10, opset_import: ["" : 18]> g (float[n,4] x, bool c) => (float[n,900] y) {
               h = MatMul (x, w)  q = Shape (h)
               y = If (c) <then_branch = t () => (float[n,900] a) { a = Relu (h) },
                           else_branch = e () => (float[n,900] b) { b = Neg (h) }> }""",
            w=np.ones([4, 900], np.float32),
        )
    )
    inferred = infer_by_onnx(model, strict=True)
    named = {str(value.name): found for value, found in inferred.items()}
    assert named["h"][0] == [None, 900]
    assert named["q"][0] == [2]
    assert named["q"][1].tensor_type.elem_type == onnx.TensorProto.INT64
    assert named["a"][0] == [None, 900]


def test_shapes_that_contradict() -> None:
    model = ir.from_proto(
        parse(
            """<ir_version: 10, opset_import: ["" : 18]> g (float[3,4] x, float[5,6] w) => (float[3,6] y) {
               y = MatMul (x, w) }"""
        )
    )
    with pytest.raises(ModelError, match="MatMul"):
        infer_by_onnx(model, strict=True)
    assert infer_by_onnx(model, strict=False).keys() <= {value for node in model.graph for value in node.outputs}
