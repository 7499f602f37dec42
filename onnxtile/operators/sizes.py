"""Sizes of products in elements, some of them symbolic, and what they're read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import UnsizedError, node_name
from onnxtile.ir.metadata import UNKNOWN_META

Dim = int | str | None
"""A number of elements, an expression in the model's symbolic dimensions, or None where it isn't known."""


@dataclass(frozen=True)
class Size:
    """Elements along each axis of the normal form; `batch` counts the independent products."""

    m: Dim
    k: Dim
    n: Dim
    batch: Dim

    @property
    def axes(self) -> tuple[Dim, Dim, Dim]:
        return (self.m, self.k, self.n)


def shape(node: ir.Node, index: int, axes: int | None = None, least: int = 0) -> list[Dim]:
    """The sizes of an input. ModelError where it hasn't `axes` axes, or hasn't `least`; UnsizedError: not known."""
    value = node.inputs[index] if index < len(node.inputs) else None
    if value is None or value.shape is None:
        known = "isn't known" if value is None else unknown_because("isn't known", value)
        raise UnsizedError(f"the shape of input {index} ({value.name if value is not None else 'absent'!r}) {known}")
    found = len(value.shape)
    if found < least or (axes is not None and found != axes):
        words = f"input {index} has {found} axes, not {f'{least} or more' if axes is None else axes}"
        raise ModelError(f"{node.op_type} {node_name(node)!r}: {words}")
    return [dim if isinstance(dim, int) else dim.value for dim in value.shape]


def unknown_because(words: str, value: ir.Value) -> str:
    """The words, and why the value's sizes aren't known, where inference noted it."""
    reason = value.meta.get(UNKNOWN_META)
    return f"{words}: {reason}" if reason else words


def given(node: ir.Node, index: int) -> bool:
    """Whether the node has that input (an optional one may be left out)."""
    return index < len(node.inputs) and node.inputs[index] is not None


def same(node: ir.Node, axis: str, left: Dim, right: Dim) -> Dim:
    """The one size of an axis that two operands share; a number says more than an expression."""
    if isinstance(left, int) and isinstance(right, int) and left != right:
        raise ModelError(f"{node.op_type} {node_name(node)!r}: its operands contradict, {axis} is {left} and {right}")
    return left if isinstance(left, int) or right is None else right


def count_of(dims: Sequence[Dim]) -> Dim:
    if any(dim is None for dim in dims):
        return None
    number, symbols = 1, []
    for dim in dims:
        if isinstance(dim, int):
            number *= dim
        else:
            symbols.append(str(dim) if str(dim).isidentifier() else f"({dim})")
    if not symbols or number == 0:
        return number
    return "*".join([str(number)] * (number != 1) + symbols)


def broadcast(node: ir.Node, left: list[Dim], right: list[Dim]) -> Dim:
    """Number of products of two broadcast batch shapes (numpy.matmul's rule)."""
    short, long = sorted((left, right), key=len)
    short = [*[1] * (len(long) - len(short)), *short]
    return count_of(
        [y if x == 1 else x if y == 1 else same(node, "a batch axis", x, y) for x, y in zip(short, long, strict=True)]
    )
