"""Attributes of calls are put into functions, one for each choice of them."""

from __future__ import annotations

import onnx
import pytest

from onnxtile.errors import UnsupportedError
from onnxtile.verification import arguments
from onnxtile.verification.arguments import with_arguments
from tests.support import parse

MODEL = """<ir_version: 10, opset_import: ["" : 20, "local" : 1]> g (float[4] x) => (float[4] y)
    { a = local.f <alpha = 0.5> (x)  b = local.f <alpha = 0.25> (a)  c = local.f <alpha = 0.5> (b)  y = local.f (c) }
    <domain: "local", opset_import: ["" : 20]> f <alpha: float = 0.125> (p) => (q)
    { q = Elu <alpha: float = @alpha> (p) }"""


def test_each_choice_has_a_function_of_its_own() -> None:
    bound = with_arguments(parse(MODEL))
    functions = {(each.name, each.overload): each for each in bound.functions}
    alphas = [functions[node.op_type, node.overload].node[0].attribute[0].f for node in bound.graph.node]
    assert alphas == [0.5, 0.25, 0.5, 0.125]
    assert len(functions) == 3 and not any(each.attribute_proto for each in functions.values())


def test_values_reach_bodies_and_references_without_one_go() -> None:
    text = """<ir_version: 10, opset_import: ["" : 18, "l" : 1]> g (float[2] x, bool c) => (float[2] y)
    { y = l.f <a = 0.5> (x, c) }
    <domain: "l", opset_import: ["" : 18]> f <a, b> (p, c) => (s) {
        s = If (c) <then_branch = g1 () => (v) { v = Elu <alpha: float = @b> (p) },
                    else_branch = g2 () => (w) { w = LeakyRelu <alpha: float = @a> (p) }> }"""
    (function,) = with_arguments(onnx.parser.parse_model(text)).functions
    bodies = {attribute.name: attribute.g.node[0] for attribute in function.node[0].attribute}
    assert not bodies["then_branch"].attribute  # b has no value
    assert [(each.name, each.f) for each in bodies["else_branch"].attribute] == [("alpha", 0.5)]


def test_a_model_without_such_functions_is_itself() -> None:
    model = parse('<ir_version: 10, opset_import: ["" : 20]> g (float[4] x) => (float[4] y) { y = Neg (x) }')
    assert with_arguments(model) is model


def test_copies_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arguments, "MOST_COPIES", 2)
    with pytest.raises(UnsupportedError, match="functions are called with more than 2 choices of attributes"):
        with_arguments(parse(MODEL))


def test_the_original_stays_as_it_was() -> None:
    model = parse(MODEL)
    before = onnx.ModelProto.FromString(model.SerializeToString())
    with_arguments(model)
    assert model == before
