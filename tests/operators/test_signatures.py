"""Nodes of one signature are equal but for names; none has one of which more than shapes and types may matter."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from onnxtile.operators.signatures import signature

FLOAT, HALF = ir.DataType.FLOAT, ir.DataType.FLOAT16


def node(op_type: str, *shapes: list[int | str], dtype: ir.DataType = FLOAT, domain: str = "") -> ir.Node:
    values = [
        ir.Value(name=f"{op_type}_{index}", shape=ir.Shape(shape), type=ir.TensorType(dtype))
        for index, shape in enumerate(shapes)
    ]
    return ir.Node(domain, op_type, values)


def of(made: ir.Node) -> object:
    return signature(made, made.inputs)


def test_equal_nodes_have_one_signature() -> None:
    known = of(node("MatMul", [2, 3], [3, 4]))
    assert known is not None and known == of(node("MatMul", [2, 3], [3, 4]))
    others = [
        node("MatMul", [2, 3], [3, 5]),
        node("MatMul", [2, 3], [3, 4], dtype=HALF),
        node("Add", [2, 3], [3, 4]),
        node("MatMul", [2, 3, 3], [4]),
    ]
    assert len({known, *map(of, others)}) == 5


@pytest.mark.parametrize(
    "made",
    [
        node("Reshape", [2, 3], [2]),
        node("MatMul", [2, 3], [3, 4], domain="com.microsoft"),
        node("MatMul", ["batch", 3], [3, 4]),
        ir.Node("", "MatMul", [ir.Value(name="x", type=ir.TensorType(FLOAT)), None]),
        ir.Node("", "Add", [ir.Value(name="x", shape=ir.Shape([1]), type=ir.SequenceType(ir.TensorType(FLOAT)))]),
        ir.Node("", "Add", [], [ir.AttrInt64("axis", 1)]),
    ],
)
def test_where_more_may_matter_there_is_none(made: ir.Node) -> None:
    assert of(made) is None
