"""Passes that write operators out: everywhere without limits, where they're exceeded with them."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from onnxtile import Limits
from onnxtile.operators.table import PRODUCTS
from onnxtile.passes import DecomposeGemm, InferShapes
from onnxtile.passes.decompose import Decompose, lowered_by

HEAD = '<ir_version: 10, opset_import: ["" : 18, "local" : 1]>'
TWO = "g (float[2,2] x, float[9,9] z) => (float[2,2] p, float[9,9] q) { p = Gemm (x, x) q = Gemm (z, z) }"


def operators(text: str, decompose: Decompose) -> list[str]:
    model = ir.from_onnx_text(f"{HEAD} {text}")
    InferShapes()(model)
    decompose(model)
    return [node.op_type for node in model.graph]


def test_without_limits_every_operator_is_written_out() -> None:
    assert operators(TWO, DecomposeGemm()) == ["MatMul", "MatMul"]
    assert operators(TWO, DecomposeGemm(Limits(4, 4, 4))) == ["Gemm", "MatMul"]


def test_without_limits_any_size_may_be_open_but_not_unknown() -> None:
    assert operators("g (float[m,k] x, float[k,n] w) => (float[m,n] y) { y = Gemm (x, w) }", DecomposeGemm()) == [
        "MatMul"
    ]
    unsized = "g (float x, float[2,2] w) => (float[2,2] y) { a = Identity (x) y = Gemm (a, w) }"
    model = ir.from_onnx_text(f"{HEAD} {unsized}")
    model.graph.inputs[0].shape = None
    with pytest.raises(ir.passes.PreconditionError, match=r"Gemm 'y': unknown-shape: .*; run infer-shapes first"):
        DecomposeGemm()(model)
    assert [node.op_type for node in model.graph] == ["Identity", "Gemm"]


def test_the_table_says_which_pass_writes_an_operator_out() -> None:
    assert lowered_by("decompose-gemm") == {("", "Gemm")} == DecomposeGemm.operators
    names = {products.lowered_by for products in PRODUCTS.values()} - {None}
    assert all(lowered_by(str(name)) for name in names)
