"""Types and shapes for values at cuts: by inference, and where that doesn't know, by a run."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxtile.debugging.reduce.interface_types import MOST_FROZEN, interface_types
from tests.support import parse

FLOAT, INT64, BOOL = ir.DataType.FLOAT, ir.DataType.INT64, ir.DataType.BOOL


def test_free_dimensions_keep_their_names_and_others_get_sizes() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 17]> g (float[n,4] x) => (float[n,4] y, int64[2,p] z) {
           h = Relu (x)  s = Shape (h)  z = NonZero (h)  b = Greater (h, h)  y = Neg (h) }"""
    )
    known = interface_types(ir.from_proto(model), seed=0)
    assert known.types["h"] == (ir.TensorType(FLOAT), ir.Shape(["n", 4]))
    assert known.types["s"] == (ir.TensorType(INT64), ir.Shape([2]))
    dtype, shape = known.types["z"]
    assert dtype == ir.TensorType(INT64)
    assert shape is not None and shape.is_static()
    assert known.types["b"] == (ir.TensorType(BOOL), ir.Shape(["n", 4]))


def test_small_whole_numbers_are_known_and_large_ones_are_not() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 17]> g (float[2,4] x) => (float[2,4] y) {
           s = Shape (x)  i = ConstantOfShape <value = int64[1] {1}> (many)  y = Relu (x) }""",
        many=np.array([MOST_FROZEN + 1]),
    )
    known = interface_types(ir.from_proto(model), seed=0)
    assert set(known.numbers) == {"s"}
    np.testing.assert_array_equal(known.numbers["s"], [2, 4])


def test_what_no_engine_runs_keeps_what_inference_knows() -> None:
    model = ir.from_proto(
        parse(
            """<ir_version: 8, opset_import: ["" : 17, "own" : 1]> g (float[2,4] x) => (float[2,4] y) {
               h = Relu (x)  y = own.Strange (h) }"""
        )
    )
    known = interface_types(model, seed=0)
    assert known.types["h"] == (ir.TensorType(FLOAT), ir.Shape([2, 4]))
    assert known.numbers == {}
