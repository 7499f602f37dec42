"""A tiled product has one name and one set of attributes for one way to cut it, and is read back from a call."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from onnxtile.ir.graphs import CALL_ATTRIBUTES, CALL_DOMAIN
from onnxtile.tiling.plan import Axis, TilePlan
from onnxtile.tiling.tiled_product import TiledProduct, join, with_zeros

FLOAT, INT8, UINT8 = ir.DataType.FLOAT, ir.DataType.INT8, ir.DataType.UINT8


def cut(m: int | None = 5, **how: bool) -> TilePlan:
    return TilePlan(Axis.cut(m, 4), Axis.cut(6, 4), Axis.cut(7, None), **how)


PRODUCTS = {
    "MatMul_5x6x7_by_4x4x7_float_chain": TiledProduct(cut(), 2, 2, (FLOAT, FLOAT), "chain"),
    "MatMul_Mx6x7_by_4x4x7_float_tree_r32_ta": TiledProduct(cut(None), 3, 2, (FLOAT, FLOAT), "tree", transpose_a=True),
    "MatMulInteger_5x6x7_by_4x4x7_uint8_int8_chain_tb_full": TiledProduct(
        cut(full=True), 2, 2, (UINT8, INT8), "chain", transpose_b=True
    ),
    "MatMul_5x6x7_by_4x4x7_float16_chain_narrow": TiledProduct(
        cut(), 2, 2, (ir.DataType.FLOAT16, ir.DataType.FLOAT16), "chain", narrow=True
    ),
    "MatMul_5x6x7_by_4x4x7_float_chain_r32_tc": TiledProduct(cut(), 3, 2, (FLOAT, FLOAT), "chain", transpose_c=True),
    "MatMul_0x6x7_by_1x4x7_float16_sum_r12_empty": TiledProduct(
        cut(0, empty=True), 1, 2, (ir.DataType.FLOAT16, ir.DataType.FLOAT16), "sum"
    ),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_it_is_named_after_how_it_is_cut_and_read_back(name: str) -> None:
    product = PRODUCTS[name]
    assert product.name == name
    assert product.attributes.keys() - {"narrow", "transpose_c"} == CALL_ATTRIBUTES
    attributes = [ir.convenience.convert_attribute(key, value) for key, value in product.attributes.items()]
    assert TiledProduct.of_call(ir.Node(CALL_DOMAIN, name, [], attributes)) == product


def test_what_multiplies_and_what_comes_out() -> None:
    kinds = {(product.operator, product.dtype) for product in PRODUCTS.values()}
    assert kinds == {
        ("MatMul", FLOAT), ("MatMul", ir.DataType.FLOAT16), ("MatMulInteger", ir.DataType.INT32),
    }  # fmt: skip


def test_axes_of_operands() -> None:
    product = TiledProduct(cut(), 3, 1, (FLOAT, FLOAT), "chain", transpose_a=True)
    plan = product.plan
    assert product.axes("A") == [(1, "m", plan.m), (2, "k", plan.k)]
    assert product.axes("B") == [(0, "k", plan.k)]
    assert [(product.rank(side), product.transposed(side)) for side in ("A", "B")] == [(3, True), (1, False)]


def test_zeros_and_names() -> None:
    array = np.ones([2, 2], np.float32)
    assert with_zeros(array, {}) is array
    np.testing.assert_array_equal(with_zeros(array, {0: 1}), [[1, 1], [1, 1], [0, 0]])
    assert (join("fc", "C"), join("", "C")) == ("fc/C", "C")
