"""New nodes take the place of an old one: order, users, names, types and metadata."""

from __future__ import annotations

import onnx
import onnx_ir as ir

from onnxtile.ir.node_replacement import add_constant, register_constant, replace_node
from tests.support import parse


def model() -> ir.Model:
    text = """<ir_version: 10, opset_import: ["" : 18]> g (float[2] x) => (float[2] y) {
       a = Relu (x)  [old] b = Neg (a)  y = Exp (b) }"""
    return ir.from_proto(parse(text))


def test_users_names_and_metadata_are_taken_over() -> None:
    graph = model().graph
    relu, old, exp = list(graph)
    old.outputs[0].metadata_props["note"] = "kept"
    old.outputs[0].doc_string = "words"
    first = ir.node("Abs", [relu.outputs[0]])
    second = ir.node("Neg", first.outputs)
    replace_node(old, [first, second], second.outputs[0])
    assert [node.op_type for node in graph] == ["Relu", "Abs", "Neg", "Exp"]
    assert exp.inputs[0] is second.outputs[0]
    assert (second.outputs[0].name, second.outputs[0].doc_string) == ("b", "words")
    assert second.outputs[0].metadata_props == {"note": "kept"}


def test_an_output_of_the_graph_stays_one() -> None:
    changed = model()
    exp = changed.graph[-1]
    new = ir.node("Log", [exp.inputs[0]])
    replace_node(exp, [new], new.outputs[0])
    assert [value.name for value in changed.graph.outputs] == ["y"]
    assert changed.graph.outputs[0].producer() is new
    onnx.checker.check_model(ir.to_proto(changed))


def test_constants_of_graphs_and_of_functions() -> None:
    graph = model().graph
    value = register_constant(graph, "c", ir.tensor([1.0, 2.0]))
    assert graph.initializers["c"] is value
    assert (value.dtype, value.shape) == (ir.DataType.FLOAT, ir.Shape([2]))
    other = add_constant(graph, "d", ir.tensor([3]))
    assert graph[0].op_type == "Constant"
    assert graph[0].outputs[0] is other
    assert (other.name, other.dtype, other.shape) == ("d", ir.DataType.INT64, ir.Shape([1]))
