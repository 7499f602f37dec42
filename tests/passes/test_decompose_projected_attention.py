"""Attention and QAttention written out: what the pass alone does."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from hypothesis import given
from hypothesis import strategies as st

import onnxtile
from onnxtile.passes.decompose_projected_attention import DecomposeProjectedAttention
from onnxtile.passes.infer_shapes import InferShapes
from tests.masked_attention_cases import CASES, drawn, fed, masked_in_numpy, masked_model
from tests.support import FEWEST, FORMS, run_onnxruntime


@FEWEST
@given(drawn("Attention"), st.sampled_from(FORMS), st.sampled_from([(1, 1, 1), (2, 3, 2), (4, 4, 4)]))
def test_any_node(
    case: tuple[dict[str, np.ndarray], dict[str, object]], form: str, limits: tuple[int, int, int]
) -> None:
    feeds, attributes = case
    model = masked_model("Attention", feeds, **attributes)
    lowered = onnxtile.lower(model, limits, form=form)  # type: ignore[call-overload]
    assert onnxtile.check(lowered, limits).ok
    wanted = masked_in_numpy("Attention", feeds, **attributes)
    for one, other in zip(wanted, run_onnxruntime(lowered, fed(feeds)), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)
    assert {region.status for region in onnxtile.verify(model, lowered).regions} <= {"proven"}


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
