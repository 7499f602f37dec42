"""The function that stands for a tiled product is declared once, and no other of its name is taken for it."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from onnxtile.errors import ModelError
from onnxtile.ir.graphs import CALL_DOMAIN, is_tiled_product
from onnxtile.tiling.calls import function_of
from onnxtile.tiling.plan import Axis, TilePlan
from onnxtile.tiling.tiled_product import TiledProduct

PRODUCT = TiledProduct(
    TilePlan(Axis.cut(5, 4), Axis.cut(6, 4), Axis.cut(7, 4)), 2, 2, (ir.DataType.FLOAT, ir.DataType.FLOAT), "chain"
)


def model() -> ir.Model:
    return ir.Model(ir.Graph([], [], nodes=[], opset_imports={"": 18}, name="g"), ir_version=10)


def test_a_function_is_declared_once() -> None:
    holder = model()
    function = function_of(PRODUCT, 18, holder)
    assert function_of(PRODUCT, 18, holder) is function
    assert list(holder.functions) == [(CALL_DOMAIN, PRODUCT.name, "")]
    assert is_tiled_product(function)
    assert [value.name for value in (*function.inputs, *function.outputs)] == ["A", "B", "C"]
    assert "MatMul" in [node.op_type for node in function]


def test_a_function_read_from_a_file_is_taken_by_its_nodes() -> None:
    holder = model()
    function_of(PRODUCT, 18, holder)
    read = ir.from_proto(ir.to_proto(holder))
    assert function_of(PRODUCT, 18, read).name == PRODUCT.name
    read = ir.from_proto(ir.to_proto(holder))
    next(node for node in read.functions[CALL_DOMAIN, PRODUCT.name, ""] if node.op_type == "MatMul").op_type = "Mul"
    with pytest.raises(ModelError, match=f"function onnxtile::{PRODUCT.name} isn't what onnxtile makes; rename it"):
        function_of(PRODUCT, 18, read)
