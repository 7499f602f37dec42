"""Regions that are the same but for names have one key, and no others."""

from __future__ import annotations

import numpy as np
import pytest

import onnxtile
from onnxtile.verification.canonical import key_of
from onnxtile.verification.facts import Shapes, bare
from onnxtile.verification.opened import open_model
from onnxtile.verification.pairing import pair
from onnxtile.verification.regions import Judge
from tests.support import parse, whole

HEAD = '<ir_version: 10, opset_import: ["" : 20]> g (float[2,4] x, float[2,4] z) => (float[2,4] p, float[2,4] q)'
WEIGHT = whole([4, 4], np.dtype(np.float32), 2)


@pytest.mark.parametrize(
    ("second", "other", "alike"),
    [
        ("MatMul (z, v)", WEIGHT, True),
        ("MatMul (z, v)", WEIGHT + 1, False),
        ("Gemm (z, v)", WEIGHT, False),
    ],
)  # fmt: skip
def test_names_do_not_count_and_all_else_does(second: str, other: np.ndarray, alike: bool) -> None:
    model = parse(f"{HEAD} {{ p = MatMul (x, w)  q = {second} }}", w=WEIGHT, v=other)
    original, lowered = open_model(model), open_model(onnxtile.lower(model, (2, 2, 2)))
    judge, facts = Judge(original, lowered, 1), Shapes(bare(model), {}).first({})
    assert facts is not None
    regions = pair(original, lowered).regions
    keys = [key_of(region, original, lowered, facts, judge.weights(region)) for region in regions]
    assert None not in keys and (keys[0] == keys[1]) == alike
