"""Elements and bytes of values, or why they can't be told."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir
import pytest

from onnxtile.ir.metadata import UNKNOWN_META
from onnxtile.ir.symbolic.amounts import Unknown
from onnxtile.operators.sizes import dimensions, elements, value_bytes


def value(shape: list[Any] | None, dtype: ir.DataType = ir.DataType.FLOAT, name: str = "v") -> ir.Value:
    return ir.Value(name=name, shape=None if shape is None else ir.Shape(shape), type=ir.TensorType(dtype))


@pytest.mark.parametrize(
    ("shape", "dtype", "count", "size"),
    [
        ([2, 3], "FLOAT", "6", "24"), ([], "DOUBLE", "1", "8"), ([0, 9], "INT64", "0", "0"),
        ([3], "INT4", "3", "2"), ([5], "UINT2", "5", "2"), ([3], "BFLOAT16", "3", "6"), ([7], "BOOL", "7", "7"),
        (["n", 4], "FLOAT16", "4*n", "8*n"), (["n", "m"], "INT8", "m*n", "m*n"), (["n", 0], "FLOAT", "0", "0"),
    ],
)  # fmt: skip
def test_elements_and_bytes(shape: list[Any], dtype: str, count: str, size: str) -> None:
    if not hasattr(ir.DataType, dtype):
        pytest.skip(f"this release of onnx_ir has no {dtype}")
    given = value(shape, ir.DataType[dtype])
    assert (str(elements(given)), str(value_bytes(given))) == (count, size)


def test_an_output_that_is_left_out_has_none() -> None:
    assert (elements(value(None, name="")), value_bytes(value(None, name=""))) == (0, 0)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "an input is absent"),
        (value(None), "the shape of 'v' isn't known"),
        (value([2, None]), "axis 1 of 'v' isn't known before run time"),
        (value([2, "n**"]), "axis 1 of 'v' is 'n**', which is no formula"),
        (ir.Value(name="v", shape=ir.Shape([2]), type=ir.SequenceType(ir.TensorType(ir.DataType.FLOAT))), "the shape"),
    ],
)
def test_sizes_that_are_not_known(given: ir.Value | None, words: str) -> None:
    found = dimensions(given)
    assert isinstance(found, Unknown)
    assert found.reason.startswith(words)
    assert isinstance(elements(given), Unknown)


def test_why_a_size_is_not_known() -> None:
    given = value([None])
    given.meta[UNKNOWN_META] = "it's made of data"
    assert dimensions(given) == Unknown("axis 0 of 'v' isn't known before run time: it's made of data")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (value([2], ir.DataType.STRING), "holds strings, whose lengths differ"),
        (value([2], ir.DataType.UNDEFINED), "the type of 'v' isn't known"),
        (value([2**62, 4]), "'v' has more elements than any memory holds"),
    ],
)
def test_bytes_that_are_not_known(given: ir.Value, words: str) -> None:
    found = value_bytes(given)
    assert isinstance(found, Unknown)
    assert words in found.reason
