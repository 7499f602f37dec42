"""Values and attributes as short text."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from onnxtile.profiling.formatting import attribute_text, value_text


def test_values_as_text() -> None:
    value = ir.Value(name="x", type=ir.TensorType(ir.DataType.BFLOAT16), shape=ir.Shape([1, "n", None]))
    assert value_text(value) == "x: bfloat16[1,n,?]"
    assert value_text(ir.Value(name="y")) == "y: ?[...]"
    assert (
        value_text(ir.Value(name="z", type=ir.SequenceType(ir.TensorType(ir.DataType.STRING))))
        == "z: sequence of string[...]"
    )
    assert value_text(ir.Value(name="m", shape=ir.Shape([1] * 20))).endswith(",1,... 4 more]")


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (ir.AttrInt64("a", -3), "-3"),
        (ir.AttrFloat32("a", 1e-5), "1e-05"),
        (ir.AttrFloat32("a", 1e300), "1e+300"),
        (ir.AttrInt64s("a", []), "[]"),
        (ir.AttrInt64s("a", range(20)), "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,... 4 more]"),
        (ir.AttrFloat32s("a", [0.1, 2]), "[0.1,2.0]"),
        (ir.AttrString("a", "\x1b[2J\n"), r'"\x1b[2J\n"'),
        (ir.Attr("a", ir.AttributeType.STRING, b"\xff"), "ff (1 bytes)"),
        (ir.AttrTensor("a", ir.tensor(np.zeros([], np.int8))), "int8[]"),
        (ir.RefAttr("a", "b", ir.AttributeType.INT), "attribute b of the function"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_attributes_as_text(made: ir.Attr, text: str) -> None:
    assert attribute_text(made) == text
