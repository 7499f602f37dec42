"""A sink that makes nodes of onnx_ir: the same nodes that the sink of bytes writes."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from onnxtile.tiling.sinks.ir import IrSink, Sink
from onnxtile.tiling.sinks.protobuf import WireSink


def write(sink: Sink) -> None:
    """Use all that a sink has."""
    sink.alias("fc/C", "y")
    lengths = sink.constant("fc/lengths", np.array([4, 1], np.int64))
    sink.node("Split", ["x", lengths], ["a", "b"], {"axis": 1})
    body = sink.body("body", [("i", ir.DataType.FLOAT, [5, 4])], [("o", ir.DataType.FLOAT, None)])
    body.node("MatMul", ["i", "w"], ["o"], tile="m5,k4,n2")
    sink.node("Scan", ["a"], ["scanned"], {"body": body, "num_scan_inputs": 1})
    sink.node("Clip", ["scanned", "", "b"], ["fc/C"], tile="m0:5,k:,n:")


def test_both_sinks_make_the_same_nodes() -> None:
    values = {name: ir.Value(name=name) for name in ("x", "w", "y")}
    graph = ir.Graph([values["x"], values["w"]], [values["y"]], nodes=[], opset_imports={"": 18}, name="g")
    sink, wire = IrSink(18, values, "fc", graph), WireSink(18, "fc")
    sink.outer = "m8:16"
    wire.serve("fc", "m8:16")
    for each in (sink, wire):
        write(each)
    graph.extend(sink.nodes)
    written = wire.finish(onnx.GraphProto())
    assert list(ir.to_proto(graph).node) == list(written.node)
    assert list(ir.to_proto(graph).initializer) == list(written.initializer)


@pytest.mark.parametrize(("opset", "operators"), [(8, ["Constant", "Cast"]), (9, ["Constant"]), (18, ["Constant"])])
def test_constants_of_functions_are_nodes(opset: int, operators: list[str]) -> None:
    sink = IrSink(opset, {})
    assert sink.constant("c", np.array([3, 4], np.int64)) == "c"
    assert [node.op_type for node in sink.nodes] == operators
    assert sink.nodes[-1].outputs == (sink.values["c"],)
