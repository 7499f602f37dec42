"""The first product over the limits, or that may be, is named."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir
import pytest

from onnxtile.errors import LimitsError
from onnxtile.passes import CheckLimits, InferShapes
from onnxtile.passes.manager import PassManager
from onnxtile.tiling.limits import Limits
from tests.support import matmul


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


def test_nothing_changes() -> None:
    model = ir.from_proto(matmul([8, 8], [8, 8], [8, 8]))
    before = ir.to_proto(model)
    assert not CheckLimits(Limits(8, 8, 8))(model).modified
    assert ir.to_proto(model) == before
