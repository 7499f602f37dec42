"""One side of a region is a model that engines run."""

from __future__ import annotations

import numpy as np
import pytest

import onnxtile
from onnxtile.verification.facts import Facts, Shapes, bare
from onnxtile.verification.opened import open_model
from onnxtile.verification.pairing import pair
from onnxtile.verification.standalone import alone
from onnxtile.verification.value import UnprovenError
from tests.support import parse, run_onnxruntime, whole

MODEL = """<ir_version: 10, opset_import: ["" : 20]> g (float[2,4] x) => (float[2,4] y)
    { a = Relu (x)  b = MatMul (a, w)  y = Neg (b) }"""
WEIGHT = whole([4, 4], np.dtype(np.float32), 2)
ORIGINAL = parse(MODEL, w=WEIGHT)


@pytest.mark.parametrize("form", ["unrolled", "function"])
def test_both_sides_run_and_agree(form: str) -> None:
    models = [open_model(ORIGINAL), open_model(onnxtile.lower(ORIGINAL, (2, 2, 2), form=form))]
    (region,) = pair(*models).regions
    facts = Shapes(bare(ORIGINAL), {}).first({})
    assert facts is not None
    feeds = {"a": whole([2, 4], np.dtype(np.float32), 3)}
    for cone, opened in zip((region.original, region.lowered), models, strict=True):
        (got,) = run_onnxruntime(alone(region, cone, opened, facts), feeds)
        assert (got == feeds["a"] @ WEIGHT).all()


def test_a_value_without_a_shape_is_named() -> None:
    opened = open_model(ORIGINAL)
    (region,) = pair(opened, open_model(onnxtile.lower(ORIGINAL, (2, 2, 2)))).regions
    with pytest.raises(UnprovenError, match="the type or shape of 'a' isn't known"):
        alone(region, region.original, opened, Facts({}))
