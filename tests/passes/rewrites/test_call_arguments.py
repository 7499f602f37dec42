"""Arguments of a call are put into the body, to any depth; what has no value goes."""

from __future__ import annotations

import onnx
from onnx import helper

from onnxtile.passes.rewrites.call_arguments import bind_arguments


def test_values_take_the_place_of_references() -> None:
    text = """<ir_version: 10, opset_import: ["" : 18, "l" : 1]> g (float[2] x) => (float[2] y) { y = l.f (x) }
    <domain: "l", opset_import: ["" : 18]> f <a, b> (p, q, r) => (s) {
        t = LeakyRelu <alpha: float = @a> (p)  u = Clip (t, q, r)  c = Cast <to = 9> (u)
        s = If (c) <then_branch = g1 () => (v) { v = Elu <alpha: float = @b> (u) },
                    else_branch = g2 () => (w) { w = LeakyRelu <alpha: float = @a> (r) }> }"""
    (function,) = onnx.parser.parse_model(text).functions
    bind_arguments(function.node, {"a": helper.make_attribute("a", 0.5)}, {"r"})
    leaky, clip, _, choice = function.node
    assert [(attribute.name, attribute.f) for attribute in leaky.attribute] == [("alpha", 0.5)]
    assert list(clip.input) == ["t", "q", ""]
    bodies = {attribute.name: attribute.g.node[0] for attribute in choice.attribute}
    assert not bodies["then_branch"].attribute  # b has no value
    assert [attribute.f for attribute in bodies["else_branch"].attribute] == [0.5]
    assert list(bodies["else_branch"].input) == [""]
