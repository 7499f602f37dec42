"""Tell nodes that are equal but for names: a lowered model has thousands, and what they share is worked out once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import onnx_ir as ir

from onnxtile.ir.symbolic.amounts import are_numbers

_BY_SHAPES = frozenset({"MatMul", "Add"})
"""Operators without attributes of which forms write very many; shapes and types of what they read say all of them."""


def signature(node: ir.Node, values: Iterable[ir.Value | None]) -> Hashable | None:
    """Return the operator, and type and shape of each value; None where more than that may matter.

    So it does for other operators, and where a value is left out, is no tensor, or has a size that's no number.
    """
    if node.op_type not in _BY_SHAPES or node.domain or node.attributes:
        return None
    parts: list[Hashable] = [node.op_type]
    for value in values:
        shape, kind = (None, None) if value is None else (value.shape, value.type)
        if shape is None or type(kind) is not ir.TensorType or not are_numbers(dims := shape.dims):
            return None
        parts += (kind.dtype, dims)
    return tuple(parts)
