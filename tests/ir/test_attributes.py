"""Attributes are read with their types checked; nodes have a name in any case."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx_ir as ir
import pytest

from onnxtile.errors import ModelError
from onnxtile.ir import attributes


@pytest.mark.parametrize(
    ("read", "attribute", "value", "default"),
    [
        (attributes.attribute_int, ir.AttrInt64("a", 3), 3, 7),
        (attributes.attribute_float, ir.AttrFloat32("a", 0.5), 0.5, 1.0),
        (attributes.attribute_ints, ir.AttrInt64s("a", [1, 2]), (1, 2), (0,)),
        (attributes.attribute_string, ir.AttrString("a", "NOTSET"), "NOTSET", "VALID"),
    ],
)
def test_a_value_a_default_a_reference_and_a_wrong_type(
    read: Callable[..., Any], attribute: ir.Attr, value: Any, default: Any
) -> None:
    assert read(ir.node("Op", [], {}), "a", default) == default
    assert read(ir.Node("", "Op", [], [attribute]), "a", default) == value
    reference = ir.RefAttr("a", "outer", attribute.type)
    with pytest.raises(attributes.UnsizedError, match="its attribute a is known only where its function is called"):
        read(ir.Node("", "Op", [], [reference]), "a", default)
    with pytest.raises(ModelError, match="Op 'n': a is TENSOR, not"):
        read(ir.Node("", "Op", [], [ir.AttrTensor("a", ir.tensor([1.0]))], name="n"), "a", default)


def test_a_node_is_called_by_its_name_or_its_first_named_output_or_its_operator() -> None:
    outputs = [ir.Value(name=""), ir.Value(name="y")]
    assert attributes.node_name(ir.Node("", "Op", [], name="n", outputs=outputs)) == "n"
    assert attributes.node_name(ir.Node("", "Op", [], outputs=[ir.Value(name=""), ir.Value(name="z")])) == "z"
    assert attributes.node_name(ir.Node("", "Op", [], outputs=[ir.Value(name="")])) == "Op"
