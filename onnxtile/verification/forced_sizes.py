"""Sizes of free dimensions that a product leaves no choice about: the other operand has a number for the same axis."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir
import sympy

from onnxtile.ir.dimensions import free_dimensions
from onnxtile.operators.contractions import contractions
from onnxtile.operators.sizes import noting_shared


def forced_sizes(model: ir.Model) -> dict[str, int]:
    """Return the free dimensions whose size a product's other operand tells, with that size. Needs shapes.

    What several products tell otherwise of one isn't told: they may be in branches that exclude each other.
    """
    free, told = set(free_dimensions(model)), dict[str, set[int]]()
    if not free:
        return {}
    with noting_shared() as pairs:
        for _ in contractions(model):
            pass
    for left, right in pairs:
        for size, number in ((left, right), (right, left)):
            if isinstance(number, int) and size is not None and not isinstance(size, int):
                for name, length in _solved(size, number):
                    told.setdefault(name, set()).add(length)
    return {name: numbers.pop() for name, numbers in told.items() if name in free and len(numbers) == 1}


def _solved(size: sympy.Expr, number: int) -> Iterator[tuple[str, int]]:
    """Yield the symbol of a size that is a multiple or a part of it, and what it's where the size is that number."""
    factor, symbol = size.as_coeff_Mul()
    length = sympy.Integer(number) / factor if factor else factor
    if symbol.is_Symbol and length.is_Integer:
        yield str(symbol), int(length)
