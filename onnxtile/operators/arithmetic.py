"""Sums and quotients of sizes, some of them symbolic (products: `sizes.count_of`)."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import node_name
from onnxtile.operators.sizes import Dim


def total(dims: Sequence[Dim]) -> Dim:
    """The sum: a number, a formula, or None where a summand isn't known."""
    if any(dim is None for dim in dims):
        return None
    number = sum(dim for dim in dims if isinstance(dim, int))
    symbols = [str(dim) for dim in dims if not isinstance(dim, int)]
    return " + ".join(symbols + [str(number)] * (number != 0)) if symbols else number


def quotient(node: ir.Node, what: str, dim: Dim, by: Dim) -> Dim:
    """`dim / by`, which the operator wants whole: ModelError where it isn't. `what`: the size that's divided."""
    if dim is None or by is None or by == 1:
        return None if by is None else dim
    if isinstance(by, int) and by < 1:
        raise ModelError(f"{node.op_type} {node_name(node)!r}: its {what} is divided by {by}, which isn't 1 or more")
    if isinstance(dim, int) and isinstance(by, int):
        if dim % by:
            raise ModelError(f"{node.op_type} {node_name(node)!r}: its {what}, {dim}, isn't a multiple of {by}")
        return dim // by
    return f"{_factor(dim)}/{_factor(by)}"


def _factor(dim: Dim) -> str:
    return str(dim) if isinstance(dim, int) or str(dim).isidentifier() else f"({dim})"
