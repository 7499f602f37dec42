"""Read a node's attributes, with their types checked, and its inputs, and name the node."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from onnxtile.errors import ModelError


class UnsizedError(Exception):
    """The size can't be told; the message says why."""


def node_name(node: ir.Node) -> str:
    """Return a node's name, or that of its first named output (node names may be empty)."""
    return node.name or next((value.name for value in node.outputs if value.name), "") or node.op_type


def input_of(node: ir.Node, index: int) -> ir.Value | None:
    """Return an input of the node; None where it's left out."""
    return node.inputs[index] if index < len(node.inputs) else None


def given(node: ir.Node, index: int) -> bool:
    """Return whether the node has that input (an optional one may be left out)."""
    return input_of(node, index) is not None


def attribute_int(node: ir.Node, name: str, default: int) -> int:
    attribute = _attribute(node, name, ir.AttributeType.INT)
    return default if attribute is None else attribute.as_int()


def attribute_float(node: ir.Node, name: str, default: float) -> float:
    attribute = _attribute(node, name, ir.AttributeType.FLOAT)
    return default if attribute is None else attribute.as_float()


def attribute_ints(node: ir.Node, name: str, default: Sequence[int]) -> Sequence[int]:
    attribute = _attribute(node, name, ir.AttributeType.INTS)
    return default if attribute is None else attribute.as_ints()


def attribute_string(node: ir.Node, name: str, default: str) -> str:
    attribute = _attribute(node, name, ir.AttributeType.STRING)
    return default if attribute is None else attribute.as_string()


def _attribute(node: ir.Node, name: str, kind: ir.AttributeType) -> ir.Attr | None:
    attribute = node.attributes.get(name)
    if attribute is not None and attribute.is_ref():
        raise UnsizedError(f"its attribute {name} is known only where its function is called")
    if attribute is not None and attribute.type != kind:
        raise ModelError(f"{node.op_type} {node_name(node)!r}: {name} is {attribute.type.name}, not {kind.name}")
    return attribute
