"""Scales and zero points that contradict are refused; zero points of 0 cost nothing."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxtile
from tests.passes.test_decompose_quantized import LIMITS
from tests.support import parse


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"as": np.float32(-1).reshape([])}, "quantization: A's scale 'as' isn't positive; mend the model"),
        ({"as": np.float32([1, 2])}, "quantization: A's scale 'as' has shape [2]; one number, or 5, are lowered"),
        ({"bs": np.float32([1, 2, 3])}, "quantization: B's scale 'bs' has shape [3]; one number, or 9, are lowered"),
        ({"ys": np.ones(9, np.float32)}, "quantization: Y's scale 'ys' has shape [9]; one number, or 1, are lowered"),
        (
            {"az": np.array(1, np.uint8)},
            "quantization: A's zero point 'az' is of another type than A; give it the same",
        ),
        ({"as": np.float16(1).reshape([])}, "dtype: A's scale 'as' isn't float; only that is lowered"),
    ],
)
def test_refused(change: dict[str, np.ndarray], words: str) -> None:
    values = {"as": np.float32(1).reshape([]), "bs": np.float32(1).reshape([]), "ys": np.float32(1).reshape([])}
    zeros = {name: np.array(1, np.int8) for name in ("az", "bz", "yz")}
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 13]>
        g (int8[5,7] a) => (int8[5,9] y) { y = QLinearMatMul (a, as, az, b, bs, bz, ys, yz) }"""
    )
    for name, array in {**values, **zeros, "b": np.ones([7, 9], np.int8), **change}.items():
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    rows = onnxtile.estimate(model, LIMITS)[0].contractions
    assert [(row.status, row.reason) for row in rows] == [("refused", words)]


def test_a_vector_with_zero_points() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 13]> g (int8[7] a, int8[7,9] b, int8 z) => (int32[9] y) {
            y = MatMulInteger (a, b, z)
        }"""
    )
    (row,) = onnxtile.estimate(model, LIMITS)[0].contractions
    assert row.reason == "vector: A is a vector, which isn't lowered here; make it a matrix"
