"""Tell the types that operators want of their operands, and give their results, by onnx's schemas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
import onnx_ir as ir


class OperandTypes:
    """Tell what an operator wants of its operands: values, None, or numbers that have no type yet."""

    def __init__(self, op_type: str, domain: str, opset: int, operands: Sequence[Any]) -> None:
        self._operands, self._schema = operands, _schema(op_type, domain, opset)

    def wanted(self, index: int) -> ir.DataType | None:
        """Return the type of the operand at `index`: that of others which share it, or the only one; None: any."""
        known = [value.dtype for value in self._sharing(index) if value.dtype is not None]
        letter = self._letter(index)
        return known[0] if known else _named(letter)

    def unknown(self, index: int) -> ir.Value | None:
        """Return an operand that shares its type with the one at `index`, where nothing tells that type."""
        return None if self.wanted(index) is not None else next(iter(self._sharing(index)), None)

    def _sharing(self, index: int) -> list[ir.Value]:
        letter = self._letter(index)
        return [
            value
            for other, value in enumerate(self._operands)
            if isinstance(value, ir.Value) and self._letter(other) == letter
        ]

    def _letter(self, index: int) -> str:
        """Return what the schema calls the type of an operand; without one, all operands have the same."""
        inputs = [] if self._schema is None else self._schema.inputs
        return str(inputs[min(index, len(inputs) - 1)].type_str) if inputs else ""


def result_types(node: ir.Node, opset: int) -> list[ir.DataType | None]:
    """Return the types of a node's results, as onnx infers them of its operands' types alone; None: it doesn't."""
    schema = _schema(node.op_type, node.domain, opset)
    named = {value.name: value.dtype for value in node.inputs if value is not None}
    if schema is None or not schema.has_type_and_shape_inference_function or None in named.values():
        return [None] * len(node.outputs)
    types: dict[str, Any] = {
        str(name): onnx.helper.make_tensor_type_proto(dtype.value, None) for name, dtype in named.items() if dtype
    }
    opsets = [onnx.helper.make_opsetid(node.domain, opset)]
    try:
        found = onnx.shape_inference.infer_node_outputs(schema, ir.to_proto(node), types, opset_imports=opsets)
    except (onnx.shape_inference.InferenceError, RuntimeError):
        found = {}  # it's no valid node, which the next check of the model says in words
    elements = [found[str(value.name)].tensor_type.elem_type if value.name in found else 0 for value in node.outputs]
    return [ir.DataType(element) if element else None for element in elements]


def _schema(op_type: str, domain: str, opset: int) -> onnx.defs.OpSchema | None:
    return onnx.defs.get_schema(op_type, opset, domain) if onnx.defs.has(op_type, opset, domain) else None


def _named(letter: str) -> ir.DataType | None:
    """Return the type that a schema names, as in `tensor(int64)`; None for a variable."""
    only = letter.removeprefix("tensor(").removesuffix(")")
    return ir.DataType[only.upper()] if only != letter and only.upper() in ir.DataType.__members__ else None
