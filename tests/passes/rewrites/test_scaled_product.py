"""A factor scales the product, or, where the product might overflow, an operand before."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from onnxtile.ir.names import Names
from onnxtile.operators.contractions import contractions
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.passes.rewrites.scaled_product import factor_refusals, scaled_product
from tests.support import parse

TEXT = '<ir_version: 8, opset_import: ["" : 18]> g (T[2,3] x, T[3,2] w) => (T[2,2] y) { y = Gemm <ALPHA> (x, w) }'


def model_of(dtype: str, attributes: str = "alpha = 1.0") -> ir.Model:
    return ir.from_proto(parse(TEXT.replace("T[", f"{dtype}[").replace("ALPHA", attributes)))


@pytest.mark.parametrize(
    ("dtype", "factor", "of_a", "operators"),
    [
        ("float", 1.0, True, ["MatMul"]), ("float", 0.5, True, ["MatMul", "Mul"]),
        ("float16", 2.0, True, ["MatMul", "Mul"]), ("float16", 0.5, True, ["Mul", "MatMul"]),
        ("float16", 0.5, False, ["Mul", "MatMul"]), ("bfloat16", -0.5, True, ["Mul", "MatMul"]),
    ],
)  # fmt: skip
def test_where_a_factor_goes(dtype: str, factor: float, of_a: bool, operators: list[str]) -> None:
    model = model_of(dtype)
    new = Replacement(model.graph[0], Names(model))
    a, b = model.graph[0].inputs
    assert a is not None and b is not None
    scaled_product(new, a, b, factor, ir.Shape([2, 2]), of_a)
    assert [node.op_type for node in new.nodes] == operators
    if operators[0] == "Mul":
        assert new.nodes[0].inputs[0] is (a if of_a else b)


@pytest.mark.parametrize(
    ("dtype", "attributes", "words"),
    [
        ("float", "alpha = 0.5, beta = 3.0", []), ("int32", "alpha = 2.0", []), ("float16", "alpha = 0.333", []),
        ("int32", "alpha = 0.5", ["factor: alpha is 0.5, which INT32 can't hold; scale the operands instead"]),
        ("uint32", "beta = -1.0", ["factor: beta is -1, which UINT32 can't hold; scale the operands instead"]),
        ("float16", "alpha = 1e9", ["factor: alpha is 1e+09, which FLOAT16 can't hold; scale the operands instead"]),
    ],
)  # fmt: skip
def test_factors_that_a_type_cannot_hold(dtype: str, attributes: str, words: list[str]) -> None:
    model = model_of(dtype, attributes)
    InferShapes()(model)
    (product,) = contractions(model)
    assert [str(refusal) for refusal in factor_refusals(product, "alpha", "beta")] == words
