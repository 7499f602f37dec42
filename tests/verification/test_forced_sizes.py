"""A dimension whose size a product's other operand tells isn't free."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.verification.forced_sizes import forced_sizes
from tests.support import parse


@pytest.mark.parametrize(
    ("signature", "nodes", "wanted"),
    [
        ("(float[2,K] x, float[8,4] w) => (float[2,4] y)", "y = MatMul (x, w)", {"K": 8}),
        ("(float[K,2] x, float[8,4] w) => (float[2,4] y)", "y = Gemm <transA = 1> (x, w)", {"K": 8}),
        ("(float[2,8] x, float[4,K] w) => (float[2,4] y)", "y = Gemm <transB = 1> (x, w)", {"K": 8}),
        ('(float[2,K] x, float[8,4] w) => (float[2,4] y)', 'y = Einsum <equation = "ij,jk->ik"> (x, w)', {"K": 8}),
        ("(float[2,K] x, float[1,4] w) => (float[2,4] y)", "y = MatMul (x, w)", {"K": 1}),
        ("(float[N,2,K] x, float[5,8,4] w) => (float[5,2,4] y)", "y = MatMul (x, w)", {"K": 8}),
        ("(float[2,K] x, float[8,4] w, float[6,4] v) => (float[2,4] y)", "y = MatMul (x, w) z = MatMul (x, v)", {}),
        ("(float[N,C,H,W] x, float[4,3,2,2] w) => (float[N,4,R,S] y)", "y = Conv <group = 2> (x, w)", {"C": 6}),
        ("(float[N,C,H] x, float[4,3,2] w) => (float[N,3,R] y)", "y = ConvTranspose (x, w)", {"C": 4}),
        (
            "(float[T,B,K] x, float[1,8,5] w, float[1,8,2] r) => (float[T,1,B,2] y)",
            "y = LSTM <hidden_size = 2> (x, w, r)", {"K": 5},
        ),
        ("(float[N,8] x, float[8,4] w) => (float[N,4] y)", "y = MatMul (x, w)", {}),
        ("(float[N,8] x, float[N,8] w) => (float[N,8] y)", "y = Add (x, w)", {}),
    ],
)  # fmt: skip
def test_the_other_operand_tells(signature: str, nodes: str, wanted: dict[str, int]) -> None:
    model = ir.from_proto(parse(f'<ir_version: 10, opset_import: ["" : 20]> g {signature} {{ {nodes} }}'))
    InferShapes()(model)
    assert forced_sizes(model) == wanted
