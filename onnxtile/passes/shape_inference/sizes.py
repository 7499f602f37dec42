"""Sizes as the rules use them: whole numbers, formulas in free dimensions, unknown sizes with names of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import onnx_ir as ir
import sympy
from onnx_shape_inference import ShapeInferenceContext

from onnxtile.ir.bounds import most

Extent = int | ir.SymbolicDim
"""The length of one axis, as rules compute it."""
FAR = 2**31 - 1
"""From here on an end of a slice stands for the end of the axis."""


def unknown(context: ShapeInferenceContext) -> Extent:
    """Return a new size that isn't known."""
    size: Extent = context.new_symbolic_dim()
    return size


def formula_of(size: Extent) -> sympy.Expr:
    """Return a size as a formula whose symbols may be 0 too, unlike those of onnx_ir."""
    if isinstance(size, int):
        return sympy.Integer(size)
    formula = size._expr
    assert formula is not None
    symbols = {symbol: sympy.Symbol(symbol.name, integer=True, nonnegative=True) for symbol in formula.free_symbols}
    return formula.xreplace(symbols)


def size_of(context: ShapeInferenceContext, formula: sympy.Expr) -> Extent:
    """Return a formula as a size; an unknown one where it isn't whole, or only if nothing is empty."""
    if formula.is_Integer:
        return int(formula) if formula >= 0 else unknown(context)
    if formula.is_number:
        return unknown(context)
    size = plain(ir.SymbolicDim(str(formula)))
    if isinstance(size, int) or size._expr is None or size._expr.is_number:
        return unknown(context)
    return size


def plain(size: Extent) -> Extent:
    """Return a number where the library carries one as a symbol: 6 for a formula that came to `6`.

    Rounding up is written with `floor`, as onnx_ir reads nothing else.
    """
    if isinstance(size, int):
        return size
    if size.value is not None and "ceiling" in size.value and size._expr is not None:
        size = ir.SymbolicDim(str(size._expr.replace(sympy.ceiling, lambda inside: -sympy.floor(-inside))))
    return int(str(size.value)) if str(size.value).isdecimal() else size


def is_minted(context: ShapeInferenceContext, size: Extent | None) -> bool:
    """Return whether the size is unknown, or made of an unknown one."""
    if isinstance(size, int):
        return False
    if size is None or size.value is None:
        return True
    if size.value.isidentifier():
        return bool(context.is_generated_symbol(size.value))
    return any(context.is_generated_symbol(name) for name in size.free_symbols())


def numbers(context: ShapeInferenceContext, value: ir.Value | None) -> list[Extent] | None:
    """Return the whole numbers that a scalar or vector holds, or formulas; None where only run time knows them."""
    if value is None or (value.shape is not None and len(value.shape) > 1):
        return None
    sizes = context.get_symbolic_value(value)
    return None if sizes is None else [plain(size) for size in sizes]


def asked_shape(context: ShapeInferenceContext, value: ir.Value | None) -> list[Extent] | None:
    """Return the numbers of a value that says a shape, unknown ones where only the count is known, or None."""
    sizes = numbers(context, value)
    shape = None if value is None else value.shape
    if sizes is None and shape is not None and len(shape) == 1 and isinstance(count := shape[0], int):
        sizes = [unknown(context) for _ in range(count)] if count <= most("axes") else None
    return sizes if sizes is None or len(sizes) <= most("axes") else None


def integers(context: ShapeInferenceContext, value: ir.Value | None) -> list[int] | None:
    """Return the numbers that a value holds where none is a formula."""
    sizes = numbers(context, value)
    whole = [size for size in sizes or () if isinstance(size, int)]
    return whole if sizes is not None and len(whole) == len(sizes) else None


def broadcast(context: ShapeInferenceContext, shapes: Sequence[ir.Shape | None]) -> ir.Shape | None:
    """Broadcast shapes. Which of two different formulas is 1 isn't known: neither is taken."""
    known = [list(shape) for shape in shapes if shape is not None]
    if len(known) < len(shapes) or not known:
        return None
    rank = max(map(len, known))
    aligned: list[list[Extent]] = [[*[1] * (rank - len(dims)), *dims] for dims in known]
    return ir.Shape([_broadcast_axis(context, axis) for axis in zip(*aligned, strict=True)])


def _broadcast_axis(context: ShapeInferenceContext, dims: Sequence[Extent]) -> Extent:
    wide = list(dict.fromkeys(dim for dim in dims if dim != 1))
    fixed = [dim for dim in wide if isinstance(dim, int)]
    if len(fixed) > 1:
        raise ValueError(f"sizes {fixed[0]} and {fixed[1]} can't be broadcast")
    if fixed:
        return fixed[0]
    if len(wide) < 2:
        return wide[0] if wide else 1
    for size in sorted(wide, key=_length):
        others = [other for other in wide if other != size]
        if not is_minted(context, size) and _decides(formula_of(size), others, context):
            return size
    return unknown(context)


def _decides(size: sympy.Expr, others: Sequence[Extent], context: ShapeInferenceContext) -> bool:
    """Return whether a size is the result: it's never 1, or where it is, the others are too (as N for Min(64, N))."""
    factor, rest = size.factor().as_coeff_Mul()
    if (factor.is_Integer and factor > 1 and rest.is_integer) or (size - 2).is_nonnegative:
        return True
    one = {size: sympy.Integer(1)}
    return all(not is_minted(context, other) and formula_of(other).xreplace(one) == 1 for other in others)


def agreed(context: ShapeInferenceContext, sizes: Sequence[Extent]) -> Extent:
    """Return the one size that several are in every run: a number, or the shortest formula."""
    fixed: list[Extent] = [size for size in sizes if isinstance(size, int)]
    known = fixed or [size for size in sizes if not is_minted(context, size)]
    return min(known or sizes, key=_length)


def _length(size: Extent) -> int:
    return len(str(size))


def rounded_up(dividend: sympy.Expr, divisor: int) -> sympy.Expr:
    """Divide and round up; onnx_ir reads `floor` alone."""
    return sympy.floor((dividend + divisor - 1) / divisor)


def quotient(context: ShapeInferenceContext, dividend: Sequence[Extent], divisor: Sequence[Extent]) -> Extent:
    """Return the size by which `divisor` makes as many elements as `dividend` has: in every run a whole number."""
    if all(isinstance(size, int) for size in (*dividend, *divisor)):
        below = math.prod(map(int, divisor))  # type: ignore[arg-type]
        above = math.prod(map(int, dividend))  # type: ignore[arg-type]
        return above // below if below and above % below == 0 else unknown(context)
    if 0 in divisor:
        return unknown(context)
    if 0 in dividend:
        return 0
    above, below = (sympy.Mul(*map(formula_of, sizes)) for sizes in (dividend, divisor))
    return size_of(context, sympy.cancel(above / below))
