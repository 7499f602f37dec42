"""The function form: calls stay, weights stay whole, and the file has an IR version that knows functions."""

from __future__ import annotations

import onnx
import pytest

import onnxtile
from onnxtile.ir.graphs import CALL_DOMAIN
from tests.support import matmul


def test_one_call_a_product_and_one_function_for_equal_ones() -> None:
    model = onnxtile.lower(matmul([5, 6], [6, 7], [5, 7]), (4, 4, 4), form="function")
    assert [(node.domain, node.name) for node in model.graph.node] == [(CALL_DOMAIN, "product")]
    assert [tensor.name for tensor in model.graph.initializer] == ["W"]
    assert [function.domain for function in model.functions] == [CALL_DOMAIN]
    onnx.checker.check_model(model, full_check=True)


@pytest.mark.parametrize(("before", "after"), [(4, 8), (8, 8), (10, 10)])
def test_the_ir_version_knows_functions(before: int, after: int) -> None:
    model = matmul([5, 6], [6, 7], [5, 7], opset=9 if before == 4 else 15, ir_version=before)
    assert onnxtile.lower(model, (4, 4, 4), form="function").ir_version == after
