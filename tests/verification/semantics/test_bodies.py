"""Operators that onnx defines by a function body are that body."""

from __future__ import annotations

import numpy as np
import pytest

import onnxtile
from tests.verification.pairs import status

if "Attention" not in {schema.name for schema in __import__("onnx").defs.get_all_schemas()}:
    pytest.skip("this onnx has no Attention", allow_module_level=True)
SIGNATURE = "(float[1,2,3,4] q, float[1,2,5,4] k, float[1,2,5,4] v) => (float[1,2,3,4] y)"
WRITTEN_OUT = """t = Transpose <perm = [0, 1, 3, 2]> (k)  a = Mul (q, root)  b = Mul (t, root)  s = MatMul (a, b)
    p = Softmax (s)  y = MatMul (p, v)"""


@pytest.mark.parametrize(("scale", "wanted"), [(0.25, "proven"), (0.5, "different")])
def test_attention_is_written_out(scale: float, wanted: str) -> None:
    constants = {"root": np.array(0.5, np.float32)}
    original = f"y = Attention <scale = {scale}> (q, k, v)"
    assert status(SIGNATURE, original, WRITTEN_OUT, opset=23, **constants) == wanted


def test_lowered_attention_is_proven() -> None:
    from tests.support import parse

    model = parse(
        f'<ir_version: 10, opset_import: ["" : 23]> g {SIGNATURE} {{ y = Attention <is_causal = 1> (q, k, v) }}'
    )
    assert onnxtile.verify(model, onnxtile.lower(model, (2, 2, 2), ops="all")).proven
