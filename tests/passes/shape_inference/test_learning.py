"""Operators of ai.onnx.ml keep free rows and give the columns that they make."""

from __future__ import annotations

import numpy as np
import pytest

import onnxtile
from tests.support import parse, run_onnxruntime


@pytest.mark.parametrize(
    ("node", "columns"),
    [
        ("Scaler <offset = [0.0], scale = [1.0]> (x)", 5),
        ("Imputer <imputed_value_floats = [0.0]> (x)", 5),
        ("Normalizer (x)", 5),
        ("FeatureVectorizer <inputdimensions = [5, 3]> (x, z)", 8),
    ],
)
def test_preparing_of_features_keeps_its_free_rows(node: str, columns: int) -> None:
    model = parse(
        f"""<ir_version: 8, opset_import: ["" : 17, "ai.onnx.ml" : 1]>
        g (float[N,5] x, float[N,3] z) => (float[a,b] y) {{ f = ai.onnx.ml.{node} y = MatMul (f, w) }}""",
        w=np.ones((columns, 9), np.float32),
    )
    (row,) = [row for row in onnxtile.check(model, (4, 4, 4)).contractions if row.op == "MatMul"]
    assert (row.m, row.k, row.n) == ("N", columns, 9)
    (real,) = run_onnxruntime(model, {"x": np.ones((2, 5), np.float32), "z": np.ones((2, 3), np.float32)})
    assert real.shape == (2, 9)
