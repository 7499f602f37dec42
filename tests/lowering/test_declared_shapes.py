"""Declared shapes are kept while a model is lowered, and put back without what inference doesn't confirm."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.lowering.declared_shapes import DeclaredShapes
from onnxtile.passes import BindDims, InferShapes
from tests.support import parse

TEXT = """<ir_version: 10, opset_import: ["" : 18]> g (float[n,8] x) => (float[n,8] y)
<float[n,8] a, float[3,8] b> { a = Relu (x)  b = Neg (a)  c = Exp (b)  y = Abs (c) }"""


def shapes(model: ir.Model) -> dict[str, str | None]:
    return {
        str(value.name): None if value.shape is None else str(value.shape)
        for node in model.graph
        for value in node.outputs
    }


def test_what_was_only_inferred_goes() -> None:
    model = ir.from_proto(parse(TEXT))
    before, declared = shapes(model), DeclaredShapes(model)
    InferShapes()(model)
    assert shapes(model)["c"] == "[n,8]"
    declared.restore(model)
    assert shapes(model) == before == {"a": "[n,8]", "b": "[3,8]", "c": None, "y": "[n,8]"}


def test_numbers_that_inference_does_not_confirm_go() -> None:
    model = ir.from_proto(parse(TEXT))
    declared = DeclaredShapes(model)
    InferShapes()(model)
    declared.drop_disproved(model)
    declared.restore(model)
    assert shapes(model)["a"] == "[n,8]"
    assert "3" not in str(shapes(model)["b"])


def test_bound_sizes_are_kept() -> None:
    model = ir.from_proto(parse(TEXT))
    declared = DeclaredShapes(model)
    BindDims({"n": 5})(model)
    declared.take_bound_sizes(model)
    declared.restore(model)
    assert shapes(model)["a"] == "[5,8]"
    assert shapes(model)["c"] is None
