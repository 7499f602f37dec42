"""Attention and QAttention written out: what the pass alone does."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.passes.decompose_projected_attention import DecomposeProjectedAttention
from onnxtile.passes.infer_shapes import InferShapes
from tests.masked_attention_cases import CASES, masked_model


def test_without_limits_each_is_written_out() -> None:
    for name in ("projected", "bytes"):
        op_type, feeds, attributes = CASES[name]
        model = ir.from_proto(masked_model(op_type, feeds, **attributes))
        InferShapes()(model)
        assert DecomposeProjectedAttention()(model).modified
        kinds = [node.op_type for node in model.graph]
        assert op_type not in kinds
        assert kinds.count("MatMul") + kinds.count("MatMulInteger") == 3


def test_what_fits_stays() -> None:
    op_type, feeds, attributes = CASES["projected"]
    model = ir.from_proto(masked_model(op_type, feeds, **attributes))
    InferShapes()(model)
    assert not DecomposeProjectedAttention(max=(64, 64, 64))(model).modified  # type: ignore[arg-type]
