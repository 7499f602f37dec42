"""The first product over the limits, or that may be, is named."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir
import pytest

from onnxtile.engine.limits import EngineLimits
from onnxtile.errors import LimitsError
from onnxtile.passes import CheckLimits, InferShapes
from onnxtile.passes.manager import PassManager
from onnxtile.tiling.limits import Limits
from tests.engine.strategies import engine_of
from tests.support import matmul, parse


@pytest.mark.parametrize(
    ("a", "limits", "words"),
    [
        ([8, 8], (8, 8, 8), None), (["b", 8], (None, 8, 8), None), ([0, 8], (1, 8, 8), None),
        ([8, 8], (7, 8, 8), "MatMul 'product' is 8x8x8, over the limits 7,8,8"),
        (["b", 8], (8, 8, 8), "may exceed 8,8,8: symbolic: M is 'b'"),
        (["b", 8], (8, 7, 8), "over the limits 8,7,8"),
    ],
)  # fmt: skip
def test_products_against_limits(a: list[Any], limits: tuple[Any, Any, Any], words: str | None) -> None:
    model = ir.from_proto(matmul(a, [8, 8], [a[0], 8]))
    manager = PassManager([InferShapes(), CheckLimits(Limits(*limits))])
    if words is None:
        manager(model)
        return
    with pytest.raises(LimitsError, match=words):
        manager(model)


def test_the_limits_of_an_engine_are_told_and_not_its_tiles() -> None:
    of: dict[str, Any] = {"product_types": ["float32", "float32"], "product_accumulate": "float32"}
    of["product_max"] = {"M": 8, "K": 20, "N": 8}
    large, small = (EngineLimits(engine_of(**of, local_size=size)) for size in (10_000, 300))
    for size, limits, words in (
        ((8, 40, 8), large, "is 8x40x8, over the limits 8,20,8"),
        ((8, 40, 8), small, "is 8x40x8, over the limits 8,20,8"),
        ((8, 20, 8), small, "is 8x20x8, within the limits 8,20,8, but local memory doesn't hold it: it has to be cut"),
    ):
        m, k, n = size
        with pytest.raises(LimitsError, match=f"MatMul 'product' {words}$"):
            CheckLimits(limits)(ir.from_proto(matmul([m, k], [k, n], [m, n])))


def test_operators_that_the_engine_does_not_run_are_told() -> None:
    text = '<ir_version: 8, opset_import: ["" : 17]> g (float[4,4] x) => (float[4,4] y) { y = Gemm (x, x) }'
    with pytest.raises(LimitsError, match="Gemm 'y' isn't run by the engine: Gemm has to be written out as products"):
        CheckLimits(Limits.parse("8,8,8:matmul"))(ir.from_proto(parse(text)))


def test_nothing_changes() -> None:
    model = ir.from_proto(matmul([8, 8], [8, 8], [8, 8]))
    before = ir.to_proto(model)
    assert not CheckLimits(Limits(8, 8, 8))(model).modified
    assert ir.to_proto(model) == before
