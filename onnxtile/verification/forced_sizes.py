"""Sizes of free dimensions that a product leaves no choice about: the other operand has a number for the same axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import UnsizedError
from onnxtile.ir.dimensions import free_dimensions
from onnxtile.operators.contractions import contractions
from onnxtile.operators.einsum import Einsum

Dims = Sequence["int | ir.SymbolicDim"]


def forced_sizes(model: ir.Model) -> dict[str, int]:
    """Return the free dimensions whose size a product's other operand tells, with that size. Needs shapes."""
    free, forced = set(free_dimensions(model)), dict[str, int]()
    if not free:
        return forced
    for node in {found.node: None for found in contractions(model)}:
        for dims in _shared_axes(node):
            numbers = {dim for dim in dims if isinstance(dim, int) and dim != 1}  # 1 may be broadcast
            names = {str(dim.value) for dim in dims if isinstance(dim, ir.SymbolicDim)} & free
            if len(numbers) == 1:
                forced.update(dict.fromkeys(names, numbers.pop()))
    return forced


def _shared_axes(node: ir.Node) -> Iterator[Dims]:
    """Yield what is known of each axis that the product's operands share, by operand."""
    shapes = [list(value.shape) for value in node.inputs if value is not None and value.shape is not None]
    if node.domain or len(shapes) != len(node.inputs) or len(shapes) < 2:
        return
    if node.op_type == "Einsum":
        try:
            terms = Einsum.of(node).equation.terms
        except (UnsizedError, ModelError):
            return
        axes: dict[str, list[int | ir.SymbolicDim]] = {}
        for letters, dims in zip(terms, shapes, strict=True):
            for letter, dim in zip(letters, dims, strict=True):
                axes.setdefault(letter, []).append(dim)
        yield from axes.values()
    elif node.op_type in ("MatMul", "Gemm") and all(shapes[:2]):
        a, b = shapes[:2]
        turned = {name: name in node.attributes and not node.attributes[name].is_ref() for name in ("transA", "transB")}
        turned = {name: known and bool(node.attributes[name].as_int()) for name, known in turned.items()}
        yield [a[0] if turned["transA"] else a[-1], b[-1] if turned["transB"] or len(b) == 1 else b[-2]]
