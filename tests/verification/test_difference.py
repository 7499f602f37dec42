"""Test that what two values differ in is said in words."""

from __future__ import annotations

import onnx_ir as ir

from onnxtile.verification.difference import difference
from onnxtile.verification.field import Field
from onnxtile.verification.value import Value


def test_types_and_shapes_are_compared_before_numbers() -> None:
    field = Field(1)
    one, wide = (Value(field, dtype, (2,)) for dtype in (ir.DataType.FLOAT, ir.DataType.DOUBLE))
    apart = difference(one, wide)
    assert apart is not None and apart.words == "is DOUBLE, not FLOAT"
    apart = difference(one, Value(field, ir.DataType.FLOAT, (3,)))
    assert apart is not None and apart.words == "has shape [3], not [2]"
    assert difference(one, one) is None
