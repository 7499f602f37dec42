"""The pass writes what it found: shapes and types of all values, formulas in free dimensions."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from onnxtile.errors import ModelError
from onnxtile.ir.io.load import from_proto
from onnxtile.passes import InferShapes
from tests.support import matmul, parse


def test_values_get_shapes_and_types() -> None:
    model = from_proto(
        parse(
            """<ir_version: 10, opset_import: ["" : 18]> g (float[n,4] x) => (float y) {
               a = Concat <axis = 0> (x, x)  s = Shape (a)  b = Cast <to = 10> (a)  y = Relu (a) }"""
        )
    )
    assert InferShapes()(model).modified
    values = {str(value.name): value for node in model.graph for value in node.outputs}
    assert str(values["a"].shape) == "[2*n,4]"
    assert (values["s"].dtype, values["s"].shape) == (ir.DataType.INT64, ir.Shape([2]))
    assert values["b"].dtype == ir.DataType.FLOAT16
    assert values["y"].shape == values["a"].shape


def test_operands_that_contradict_are_an_error() -> None:
    model = ir.from_proto(matmul([8, 8], [8, 8], [8, 8]))
    model.graph.inputs[0].shape = ir.Shape([8, 7])
    with pytest.raises(ModelError, match="contradict"):
        InferShapes()(model)
