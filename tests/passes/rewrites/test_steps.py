"""Short ways to write nodes."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxtile.ir.names import Names
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.passes.rewrites.steps import Steps
from tests.support import parse


def steps() -> Steps:
    model = ir.from_proto(
        parse("""<ir_version: 10, opset_import: ["": 21]> g (float[2] x) => (float[2] y) {
        [n] y = Relu(x)
    }""")
    )
    return Steps(Replacement(model.graph[0], Names(model)))


def test_whole_numbers_are_constants_of_int64() -> None:
    write = steps()
    x = ir.Value(name="x", type=ir.TensorType(ir.DataType.FLOAT))
    y = write("Slice", "piece", x, [0], [1], [0], shape=[1])
    node = write.new.nodes[-1]
    assert y.dtype == ir.DataType.FLOAT
    assert [value.dtype for value in node.inputs if value is not None][1:] == [ir.DataType.INT64] * 3
    assert [value.name for value in node.inputs if value is not None][1] == "n/piece_1"


def test_integers_are_cast_only_where_they_must_be() -> None:
    write = steps()
    write.integers("already", write.constant("numbers", [1, 2]), [-1])
    assert [node.op_type for node in write.new.nodes] == ["Reshape"]
    narrow = write.constant("narrow", np.array([1, 2], np.int32))
    assert write.integers("wide", narrow, [-1]).dtype == ir.DataType.INT64
    assert [node.op_type for node in write.new.nodes] == ["Reshape", "Cast", "Reshape"]
