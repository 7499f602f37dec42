"""Nodes that replace one: their names, their origin, and where constants go."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.ir.metadata import ORIGIN
from onnxtile.ir.names import Names
from onnxtile.passes.rewrites.replacement import Replacement
from tests.support import parse

TEXT = """<ir_version: 10, opset_import: ["" : 18, "l" : 1]> g (float[2] x) => (float[2] y) {
   [old] h = Neg (x)  y = l.f (h) }
<domain: "l", opset_import: ["" : 18]> f (p) => (q) { [inner] q = Neg (p) }"""


def test_new_nodes_lie_under_the_prefix_and_know_their_origin() -> None:
    model = ir.from_proto(parse(TEXT))
    node = model.graph[0]
    node.outputs[0].metadata_props["kept"] = "yes"
    new = Replacement(node, Names(model))
    (x,) = node.inputs
    assert x is not None
    one = new.constant("one", np.array([1.0], np.float32))
    scaled = new.node("Mul", "scaled", [x, one], shape=ir.Shape([2]))
    new.stand_in()
    high = new.node("Abs", "high", [scaled])
    new.swap_in(new.node("Neg", "joined", [high]))
    assert [made.name for made in model.graph][:3] == ["old", "old/high", "old/joined"]
    assert {made.metadata_props[ORIGIN] for made in model.graph if made.domain == ""} == {"old"}
    assert model.graph.initializers["old/one"] is one
    assert (scaled.dtype, scaled.shape) == (ir.DataType.FLOAT, ir.Shape([2]))
    result = model.graph[2].outputs[0]
    assert (result.name, result.metadata_props) == ("h", {"kept": "yes"})
    onnx.checker.check_model(ir.to_proto(model))


def test_a_prefix_that_is_taken_is_not_used() -> None:
    model = ir.from_proto(
        parse(TEXT.replace("[old] h = Neg (x)", "[old] h = Neg (x)  [other] z = Abs (x)").replace("z =", "o1 ="))
    )
    model.graph[1].outputs[0].name = "old/one"
    assert Replacement(model.graph[0], Names(model)).prefix != "old"


def test_a_function_gets_constant_nodes() -> None:
    model = ir.from_proto(parse(TEXT))
    (function,) = model.functions.values()
    new = Replacement(function[0], Names(model))
    assert new.graph is None
    (p,) = function[0].inputs
    assert p is not None
    two = new.constant("two", np.array([2.0], np.float32), ir.DataType.FLOAT)
    new.swap_in(new.node("Mul", "scaled", [p, two], dtype=ir.DataType.FLOAT))
    assert [node.op_type for node in function] == ["Constant", "Mul"]
    assert [value.name for value in function.outputs] == ["q"]


def test_a_graph_is_inlined_under_the_prefix() -> None:
    model = ir.from_proto(parse(TEXT))
    other = ir.from_proto(
        parse(
            '<ir_version: 10, opset_import: ["" : 18]> g (float[2] a) => (float[2] b) { t = Mul (a, w)  b = Exp (t) }',
            w=np.array([3, 4], np.float32),
        )
    )
    new = Replacement(model.graph[0], Names(model))
    (x,) = model.graph[0].inputs
    assert x is not None
    outputs = new.inline(other.graph, {"a": x})
    new.swap_in(outputs["b"])
    assert [node.op_type for node in model.graph][:2] == ["Mul", "Exp"]
    assert model.graph[0].name == "old/t"
    assert "old/w" in model.graph.initializers
    assert [node.op_type for node in other.graph] == ["Mul", "Exp"]  # it's copied
