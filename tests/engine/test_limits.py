"""The limits of an engine: by the types of a product, and the tiles that were chosen for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import onnx_ir as ir
import pytest

from onnxtile.engine.description import Engine
from onnxtile.engine.limits import EngineLimits, product_of, type_name
from onnxtile.operators.contractions import Contraction
from onnxtile.operators.registry import Types
from onnxtile.operators.sizes import Size
from onnxtile.tiling.legality import engine_refusals, legality
from onnxtile.tiling.limits import Limits
from tests.engine.strategies import engine_of, table

F16, F32, I8, U8 = ir.DataType.FLOAT16, ir.DataType.FLOAT, ir.DataType.INT8, ir.DataType.UINT8
NODE = ir.Node("", "MatMul", [], name="p")


def product(m: Any, k: Any, n: Any, types: Types = (I8, I8), batch: Any = 1, reason: str | None = None) -> Contraction:
    return Contraction(NODE, "", False, 18, "matmul", Size(m, k, n, batch), reason, types=types)


def limits(**fields: Any) -> EngineLimits:
    return EngineLimits(engine_of(**{"product_max": {"M": 8, "K": 20, "N": 8}, "local_size": 10_000} | fields))


def test_a_product_within_the_limits_stays_whole() -> None:
    assert legality(product(8, 20, 8), limits()) == "fits"
    assert legality(product(9, 20, 8), limits()) == "over"
    assert limits().for_product(product(8, 20, 8)) == Limits(8, 20, 8)
    assert legality(product(100, 100, 100), limits(product_max={}, local_size=80_000)) == "fits"


def test_an_operator_is_a_convolution_by_its_family_and_not_by_its_name() -> None:
    converter, convolution = (
        replace(product(8, 20, 8), node=ir.Node("edge", name, [], name="p"), family=family)
        for name, family in (("ConvertedMatMul", "matmul"), ("Depthwise", "conv"))
    )
    assert [legality(one, limits()) for one in (converter, convolution)] == ["fits", "over"]


def test_but_not_where_local_memory_cannot_hold_it() -> None:
    small = limits(local_size=300)
    assert legality(product(8, 20, 8), small) == "over"
    m, k, n = small.tiles(product(8, 20, 8)).largest.axes
    assert m and k and n and m * k * n < 8 * 20 * 8


def test_and_not_where_it_has_to_be_filled_up_beyond_them() -> None:
    unit = limits(product_multiple={"K": 20}).engine.product[0]
    unit = unit.model_copy(update={"multiple": unit.multiple.model_copy(update={"K": 16})})
    padded = EngineLimits(limits().engine.model_copy(update={"product": (unit,)}))
    assert padded.for_types((I8, I8)) == Limits(8, 16, 8)
    assert [legality(product(8, k, 8), padded) for k in (15, 16, 17)] == ["fits", "fits", "over"]


def test_limits_are_those_of_the_types() -> None:
    data = table(product_max={"M": 8})
    data["product"].append({"types": ["float16", "float16"], "accumulate": "float32", "array": {}, "max": {"K": 4}})
    both = EngineLimits(Engine.model_validate(data))
    assert both.for_types((I8, I8)) == Limits(8, None, None)
    assert both.for_types((F16, F16)) == Limits(None, 4, None)
    (refusal,) = engine_refusals(product(1, 1, 1, (U8, I8)), both)
    assert (
        str(refusal) == "engine: engine doesn't multiply uint8 by int8; it multiplies int8 by int8, float16 by float16"
    )
    assert legality(product(1, 1, 1, (U8, I8)), both) == "over"


def test_types_that_are_not_known() -> None:
    assert legality(product(1, 1, 1, (None, None)), limits()) == "unknown"
    assert [refusal.code for refusal in engine_refusals(product(1, 1, 1, (None, I8)), limits())] == ["dtype"]


def test_tiles_are_chosen_with_their_order_and_what_they_cost() -> None:
    tiles = limits().tiles(product(30, 40, 50))
    assert tiles.largest.axes == (8, 20, 8)
    assert tiles.schedule.startswith("size=30,40,50 tile=8,20,8 stays=")
    assert not tiles.why


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (product("n", 40, 50), "no order was chosen: M is 'n'"),
        (product(30, 40, None), "no order was chosen: N is not known"),
        (product(30, 40, 50, batch="b"), "no order was chosen: the batch is 'b'"),
        (product(None, None, None, reason="its shape isn't known"), "no order was chosen: its shape isn't known"),
        (product(0, 40, 50), ""),
    ],
)
def test_what_has_no_number_is_cut_to_the_limits_alone(asked: Contraction, why: str) -> None:
    tiles = limits().tiles(asked)
    assert (tiles.largest, tiles.schedule, tiles.why) == (Limits(8, 20, 8), "", why)


def test_a_call_that_no_local_memory_holds_is_refused() -> None:
    checked = limits(product_multiple={"M": 8, "K": 20, "N": 8}).engine
    tiny = EngineLimits(checked.model_copy(update={"local": checked.local.model_copy(update={"size": 3})}))
    (refusal,) = engine_refusals(product(30, 40, 50), tiny)
    assert "takes more than its local memory" in refusal.words
    assert legality(product(30, 40, 50), tiny) == "over"


def test_narrow_floats_that_are_cut_along_k_are_multiplied_in_a_wider_type() -> None:
    fields = {"product_types": ["float16", "float16"], "product_accumulate": "float32"}
    narrow = limits(**fields)
    assert list(engine_refusals(product(30, 20, 50, (F16, F16)), narrow)) == []
    (refusal,) = engine_refusals(product(30, 40, 50, (F16, F16)), narrow)
    assert "doesn't multiply float32 by float32" in refusal.words
    assert "take --narrow-products" in refusal.words
    assert list(engine_refusals(product(30, 40, 50, (F16, F16)), narrow.narrow(True))) == []
    data = table(**fields, product_max={"M": 8, "K": 20, "N": 8})
    data["product"].append({"types": ["float32", "float32"], "accumulate": "float32", "array": {}, "max": {"K": 4}})
    both = EngineLimits(Engine.model_validate(data))
    assert both.tiles(product(30, 20, 50, (F16, F16))).largest.k == 20
    assert (both.tiles(product(30, 40, 50, (F16, F16))).largest.k or 9) <= 4


def test_results_of_bytes_are_int32() -> None:
    whole = product_of(product(2, 3, 4, (U8, I8)))
    assert not isinstance(whole, str)
    assert (whole.types, whole.result) == (("uint8", "int8"), "int32")
    assert product_of(product(2, 3, 4, (ir.DataType.STRING,) * 2)) == "type string isn't one that engines multiply"
    assert [type_name(dtype) for dtype in (F32, ir.DataType.DOUBLE, ir.DataType.BFLOAT16, None)] == [
        "float32", "float64", "bfloat16", ""
    ]  # fmt: skip
