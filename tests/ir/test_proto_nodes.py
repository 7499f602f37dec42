"""Nodes of models in protobuf: those inside others, to any depth, and what messages call them."""

from __future__ import annotations

import onnx

from onnxtile.ir.proto_nodes import bodies_of, name_of, node_words, with_nodes_inside

NODES = onnx.parser.parse_graph(
    """g (bool c, float[2] x) => (float[2] y) {
        [outer] y = If (c) <then_branch = t () => (float[2] a) { a = Neg (x) },
                            else_branch = e () => (float[2] b) {
            b = If (c) <then_branch = f () => (float[2] d) { d = Abs (x) },
                        else_branch = h () => (float[2] u) { u = Exp (x) }>
        }>
    }"""
).node


def test_nodes_inside_others() -> None:
    assert [node.op_type for node in with_nodes_inside(NODES)] == ["If", "Neg", "If", "Abs", "Exp"]
    assert [where for where, _ in bodies_of(NODES)] == ["then_branch of If 'outer'", "else_branch of If 'outer'"]


def test_names() -> None:
    names = [name_of(node) for node in with_nodes_inside(NODES)]
    assert names == ["outer", "a", "b", "d", "u"]
    assert node_words(onnx.NodeProto(op_type="Loop")) == "Loop ''"
