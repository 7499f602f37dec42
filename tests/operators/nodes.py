"""Nodes for tests of operators: what one computes, and the sizes of its products."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from hypothesis import strategies as st

import onnxtile
from onnxtile.ir.symbolic.amounts import Unknown
from onnxtile.lowering.report import Row
from onnxtile.operators.table import operations_of
from onnxtile.operators.work import Operations
from tests.support import Shapes, node_model

OPSET = 22
SIZE = st.integers(1, 5)
S = [2, 3, 8]
"""48 elements, 6 rows of 8."""
Sizes = list[tuple[int | None, ...]]


def counted(op: str, inputs: list[Any], outputs: list[Any], opset: int | None = OPSET, **options: Any) -> Operations:
    """Return the operations of a node: inputs and outputs are shapes, arrays that are constants, or left out."""
    return operations_of(node_of(op, inputs, outputs, **options), opset)


def unknown_reason(op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], kind: str) -> str:
    """Return why operations of that kind can't be counted."""
    amount = getattr(counted(op, inputs, outputs, **options), kind)
    assert isinstance(amount, Unknown)
    return amount.reason


def node_of(op: str, inputs: list[Any], outputs: list[Any], domain: str = "", **attributes: Any) -> ir.Node:
    values = [None if given is None else value(f"x{index}", given) for index, given in enumerate(inputs)]
    results = [value(f"y{index}", given) for index, given in enumerate(outputs)]
    return ir.node(op, values, attributes, domain=domain, outputs=results)


def value(name: str, of: Any) -> ir.Value:
    """Return a value of that shape (`unknown`: of none), or a constant."""
    if isinstance(of, np.ndarray):
        tensor = ir.tensor(of)
        constant = ir.Value(name=name, shape=ir.Shape(tensor.shape), type=ir.TensorType(tensor.dtype))
        ir.node("Constant", [], {"value": tensor}, outputs=[constant])
        return constant
    return ir.Value(name=name, shape=None if of == "unknown" else ir.Shape(of), type=ir.TensorType(ir.DataType.FLOAT))


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def rows_of(model: onnx.ModelProto) -> list[Row]:
    """Return the products of a model, of all families."""
    return list(onnxtile.check(model, (1, 1, 1), ops="all").contractions)


def sizes(row: Row) -> tuple[Any, Any, Any, Any]:
    return row.m, row.k, row.n, row.batch


def sizes_of_ort(op: str, shapes: Shapes, attributes: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return the sizes of the products of an operator of onnxruntime's own."""
    return [sizes(row) for row in rows_of(node_model(op, shapes, [3], domain="com.microsoft", **attributes))]


def macs(row: Row) -> int:
    assert isinstance(row.m, int) and isinstance(row.k, int) and isinstance(row.n, int) and isinstance(row.batch, int)
    return row.m * row.k * row.n * row.batch
