"""Test what fields of an engine must agree on; the words of what doesn't are in test_load.py."""

from __future__ import annotations

from typing import Any

import pytest

from onnxtile.engine.description import Engine
from onnxtile.errors import UsageError


def engine(size: object, buffers: int = 2, **unit: Any) -> Engine:
    fields = {"types": ["int8", "int8"], "accumulate": "int32", "array": {}, "multiple": {"M": 2, "K": 4, "N": 8}}
    return Engine(product=[fields | unit], local={"size": size, "buffers": buffers})


@pytest.mark.parametrize(
    ("buffers", "size"),
    # A 2 x 4, B 4 x 8, C 2 x 8 of four bytes; A, the smaller one, may stream
    [(1, 8 + 32 + 64), (2, 2 * 8 + 32 + 64)],
)
def test_a_shared_memory_holds_the_smallest_call(buffers: int, size: int) -> None:
    assert engine(size, buffers).local.size == size
    with pytest.raises(UsageError, match=f"takes {size} bytes"):
        engine(size - 1, buffers)


@pytest.mark.parametrize("split", [{"A": 16, "B": 32, "C": 64}, {"A": 8, "B": 64, "C": 64}])
def test_a_split_memory_holds_the_smallest_call(split: dict[str, int]) -> None:
    assert engine(split)
    for operand in "ABC":
        with pytest.raises(UsageError, match="product 1: the smallest call, 2 x 4 x 8, takes"):
            engine(split | {operand: split[operand] - 1})


def test_types_of_half_a_byte_take_half() -> None:
    assert engine(8 + 2 * 16 + 64, 2, types=["int8", "int4"])
    assert engine(8 + 16 + 64, 1, types=["int8", "int4"])
    with pytest.raises(UsageError, match="takes 88 bytes"):
        engine(87, 1, types=["int8", "int4"])


@pytest.mark.parametrize(
    ("types", "accumulate"),
    [
        (["uint8", "uint8"], "uint32"), (["uint8", "int8"], "int32"), (["int8", "int8"], "float32"),
        (["float16", "int4"], "float16"), (["float8e4m3fn", "float8e5m2"], "bfloat16"), (["int8", "int8"], "int8"),
    ],
)  # fmt: skip
def test_sums_that_hold_the_products(types: list[str], accumulate: str) -> None:
    assert engine("1 KiB", types=types, accumulate=accumulate).product[0].accumulate == accumulate


@pytest.mark.parametrize(("types", "accumulate"), [(["float16", "int4"], "int32"), (["uint8", "int8"], "uint32")])
def test_sums_that_do_not(types: list[str], accumulate: str) -> None:
    with pytest.raises(UsageError, match=f"product 1: accumulate is {accumulate}, "):
        engine("1 KiB", types=types, accumulate=accumulate)
