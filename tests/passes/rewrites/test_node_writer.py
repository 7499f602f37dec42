"""Nodes are made by the names of their operators, and numbers become constants of the type that's wanted."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from onnxtile.ir.names import Names
from onnxtile.passes.rewrites.node_writer import NodeWriter
from tests.support import parse

TEXT = """<ir_version: 3, opset_import: ["" : 17]> g (float16[2,2] x) => (float16[2,2] y) { [fc] y = Neg (x) }"""


def writer() -> tuple[ir.Model, ir.Value, NodeWriter]:
    model = ir.from_proto(parse(TEXT))
    return model, model.graph.inputs[0], NodeWriter(model.graph[0], model, Names(model), 17)


def test_numbers_become_constants_of_the_type_that_is_wanted() -> None:
    _, x, op = writer()
    for made, dtype in {
        op.Mul(x, 2): ir.DataType.FLOAT16,
        op.Mul(np.float64(2), x): ir.DataType.FLOAT16,
        op.Reshape(x, [1, -1]): ir.DataType.INT64,
        op.Where([[True]], x, x): ir.DataType.BOOL,
        op.Gather(x, np.array([0], np.int32)): ir.DataType.INT32,
        op.Gather(x, 0): ir.DataType.INT64,
        op.Pow(x, 2.0): ir.DataType.FLOAT,
        op.Max(x, x, 1): ir.DataType.FLOAT16,
        op.Mine(x, 1.5, domain="my.domain"): ir.DataType.FLOAT16,
    }.items():
        (constant,) = (value for value in made.producer().inputs if value is not x)
        assert (constant.dtype, constant.const_value.dtype) == (dtype, dtype)
    assert op.constant(0.5).dtype == ir.DataType.FLOAT
    np.testing.assert_array_equal(op.numbers(op.constant([1, 2], ir.DataType.INT8)), np.array([1, 2], np.int8))
    assert op.numbers(x) is None


def test_nodes_are_named_after_the_one_they_replace() -> None:
    model, x, op = writer()
    first, second = op.Split(x, axis=0, outputs=2)
    op.swap_in([op.Concat(first, op.Neg(second, dtype=ir.DataType.FLOAT16), op.Neg(second), axis=0)])
    assert [node.name for node in model.graph] == ["fc/split", "fc/neg", "fc/neg_1", "fc/concat"]
    assert [value.name for node in model.graph for value in node.outputs] == [
        "fc/split", "fc/split.1", "fc/neg", "fc/neg_1", "y",
    ]  # fmt: skip
    assert [node.outputs[0].dtype for node in model.graph][:3] == [ir.DataType.FLOAT16] * 3
    assert model.ir_version == 3  # without constants it needn't be raised


def test_constants_raise_the_version() -> None:
    model, x, op = writer()
    op.swap_in([op.Mul(x, 2)])
    assert model.ir_version == 4


def test_what_is_no_operator() -> None:
    with pytest.raises(AttributeError, match="'mul' isn't the name of an operator"):
        _ = writer()[2].mul
