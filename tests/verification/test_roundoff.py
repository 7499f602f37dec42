"""Bounds of rounding are those of the theory, and hold."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import onnx_ir as ir
import pytest

from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.verification.roundoff import PHASE, difference_bound, gamma, shaken
from tests.support import parse, run_onnxruntime


def test_gamma_is_highams() -> None:
    assert gamma(3, 2**-4) == 3 / 16 / (1 - 3 / 16)
    assert math.isinf(gamma(16, 2**-4))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, ml_dtypes.bfloat16])
def test_two_orders_of_summation_lie_within_the_bound(dtype: type) -> None:
    rng = np.random.default_rng(1)
    a, b = (rng.standard_normal(shape).astype(dtype).astype(np.float64) for shape in ((8, 300), (300, 8)))
    wide = np.dtype(np.float64 if dtype is np.float64 else np.float32)
    one = (a.astype(wide) @ b.astype(wide)).astype(dtype)
    halves = [a[:, part].astype(wide) @ b[part].astype(wide) for part in (slice(150), slice(150, 300))]
    other = (halves[1] + halves[0]).astype(dtype)
    bound = difference_bound(300, ir.DataType.from_numpy(np.dtype(dtype)))
    assert (np.abs(one.astype(float) - other.astype(float)) <= bound * (np.abs(a) @ np.abs(b))).all()


def test_a_changed_product_is_moved_by_its_bound() -> None:
    model = ir.from_proto(
        parse(
            """<ir_version: 10, opset_import: ["" : 20]> g (float[2,3] x) => (float[2,2] y)
        { y = MatMul (x, w) }""",
            w=np.full((3, 2), 0.3, np.float32),
        )
    )
    InferShapes()(model)
    assert shaken(model, set()) is None
    moved = shaken(model, {("", "y")})
    assert moved is not None
    x = np.full((2, 3), 0.7, np.float32)
    plain = x @ np.full((3, 2), 0.3, np.float32)
    (up,), (down,) = (
        run_onnxruntime(ir.to_proto(moved), {"x": x, PHASE: np.array(way, np.float32)}) for way in (1e-30, -1e-30)
    )
    assert (up > plain).all() and (down < plain).all()
    (whole,) = run_onnxruntime(ir.to_proto(moved), {"x": np.ones((2, 3), np.float32), PHASE: np.zeros((), np.float32)})
    assert whole.shape == (2, 2)
