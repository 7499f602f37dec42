"""Nodes around a value, for passes that match a pattern of several."""

from __future__ import annotations

import onnx_ir as ir


def producer_of(value: ir.Value | None, op_type: str) -> ir.Node | None:
    """Return the node that computes a value, if it's of this operator of ONNX."""
    node = None if value is None else value.producer()
    return node if node is not None and (node.domain, node.op_type) == ("", op_type) else None


def only_reader(value: ir.Value, op_type: str) -> ir.Node | None:
    """Return the one node that reads a value, as its first input and in the same graph, if it's of this operator."""
    readers = [] if value.is_graph_output() else value.uses()
    node, operand = next(iter(readers)) if len(readers) == 1 else (None, 0)
    if node is None or operand or (node.domain, node.op_type) != ("", op_type) or node.graph is not value.graph:
        return None
    return node
