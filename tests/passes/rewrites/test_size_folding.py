"""Whole numbers that follow from sizes become constants; what depends on free sizes stays."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.rewrites.size_folding import fold_sizes
from tests.support import parse


def folded(inputs: str, nodes: str) -> ir.Model:
    model = ir.from_proto(
        parse(f'<ir_version: 10, opset_import: ["" : 18]> g ({inputs}) => (float[A,B] y) {{ {nodes} }}')
    )
    InferShapes()(model)
    fold_sizes(model)
    return model


RESHAPE = """s = Shape (x)  one = Constant <value_int = 1> ()  n = Gather (s, one)
   two = Constant <value_ints = [2]> ()
   m = Mul (n, two)  rest = Constant <value_ints = [-1]> ()
   shape = Concat <axis = 0> (m, rest)  y = Reshape (x, shape)"""


def test_a_computed_shape_becomes_a_constant() -> None:
    model = folded("float[4,6] x", RESHAPE)
    assert [node.op_type for node in model.graph] == ["Reshape"]
    shape = model.graph[0].inputs[1]
    assert shape is not None and shape.const_value is not None
    np.testing.assert_array_equal(shape.const_value.numpy(), [12, -1])
    assert list(model.graph.initializers) == ["shape"]


def test_a_free_size_stays_computed() -> None:
    assert "Shape" in [node.op_type for node in folded("float[4,n] x", RESHAPE).graph]


@pytest.mark.parametrize(("attributes", "sizes"), [("start = 1", [6]), ("end = -1", [4]), ("start = -1", [6])])
def test_parts_of_a_shape(attributes: str, sizes: list[int]) -> None:
    model = folded("float[4,6] x", f"s = Shape <{attributes}> (x)  c = Cast <to = 1> (s)  y = Add (x, c)")
    (value,) = (value for name, value in model.graph.initializers.items() if name == "s")
    assert value.const_value is not None
    assert value.const_value.numpy().tolist() == sizes


def test_a_mask_larger_than_its_operands_stays_computed() -> None:
    nodes = """s = Shape (x)  z = Constant <value_int = 0> ()  o = Constant <value_int = 1> ()  n = Gather (s, o)
       r = Range (z, n, o)  e = Unsqueeze (r, a)  m = Less (r, e)  c = Cast <to = 1> (m)  y = Add (x, c)"""
    model = folded("float[6,6] x, int64[1] q", nodes.replace("e = Uns", "a = Constant <value_ints = [1]> ()  e = Uns"))
    assert [node.op_type for node in model.graph] == ["Less", "Cast", "Add"]
