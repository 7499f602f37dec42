"""Operators whose bounds can't be had are written out, so that their products have some."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.verification.expansion import write_out
from tests.support import parse

MODEL = """<ir_version: 10, opset_import: ["" : 20]> g (float[2,3] x, float[3,4] w) => (float[2,4] y)
    { y = Einsum <equation = "ij,jk->ik"> (x, w) }"""


def test_a_changed_einsum_becomes_a_product_that_counts_as_changed() -> None:
    model = ir.from_proto(parse(MODEL))
    InferShapes()(model)
    changed = write_out(model, {("", "y")})
    products = [node for node in model.graph if node.op_type == "MatMul"]
    assert len(products) == 1
    assert {("", "y"), ("", str(products[0].outputs[0].name))} <= changed


def test_what_is_as_it_was_stays() -> None:
    model = ir.from_proto(parse(MODEL))
    InferShapes()(model)
    assert write_out(model, {("", "other")}) == {("", "other")}
    assert [node.op_type for node in model.graph] == ["Einsum"]
