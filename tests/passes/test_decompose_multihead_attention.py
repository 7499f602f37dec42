"""MultiHeadAttention written out: what the pass alone does."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from hypothesis import given
from hypothesis import strategies as st

import onnxtile
from onnxtile.passes.decompose_multihead_attention import DecomposeMultiheadAttention
from onnxtile.passes.infer_shapes import InferShapes
from tests.masked_attention_cases import CASES, drawn, fed, masked_in_numpy, masked_model
from tests.support import FEWEST, FORMS, run_onnxruntime


@FEWEST
@given(drawn("MultiHeadAttention"), st.sampled_from(FORMS), st.sampled_from([(1, 1, 1), (2, 3, 2), (4, 4, 4)]))
def test_any_node(
    case: tuple[dict[str, np.ndarray], dict[str, object]], form: str, limits: tuple[int, int, int]
) -> None:
    feeds, attributes = case
    model = masked_model("MultiHeadAttention", feeds, **attributes)
    lowered = onnxtile.lower(model, limits, form=form)  # type: ignore[call-overload]
    assert onnxtile.check(lowered, limits).ok
    wanted = masked_in_numpy("MultiHeadAttention", feeds, **attributes)
    for one, other in zip(wanted, run_onnxruntime(lowered, fed(feeds)), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)
    assert {region.status for region in onnxtile.verify(model, lowered).regions} <= {"proven"}


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
