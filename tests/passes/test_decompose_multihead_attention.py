"""MultiHeadAttention written out: what the pass alone does."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.passes.decompose_multihead_attention import DecomposeMultiheadAttention
from onnxtile.passes.infer_shapes import InferShapes
from tests.masked_attention_cases import CASES, masked_model


def test_without_limits_each_is_written_out() -> None:
    for name in ("heads", "token"):
        op_type, feeds, attributes = CASES[name]
        model = ir.from_proto(masked_model(op_type, feeds, **attributes))
        InferShapes()(model)
        assert DecomposeMultiheadAttention()(model).modified
        kinds = [node.op_type for node in model.graph]
        assert op_type not in kinds
        assert kinds.count("MatMul") == 2


def test_what_fits_stays() -> None:
    op_type, feeds, attributes = CASES["heads"]
    model = ir.from_proto(masked_model(op_type, feeds, **attributes))
    InferShapes()(model)
    assert not DecomposeMultiheadAttention(max=(8, 8, 8))(model).modified  # type: ignore[arg-type]
