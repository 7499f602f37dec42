"""Sizes as the rules use them: whole numbers, formulas in free dimensions, unknown sizes with names of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import onnx_ir as ir
import sympy
from onnx_shape_inference import ShapeInferenceContext

from onnxtile.ir.bounds import most

Size = int | ir.SymbolicDim
FAR = 2**31 - 1
"""From here on an end of a slice stands for the end of the axis."""


def unknown(context: ShapeInferenceContext) -> Size:
    """A new size that isn't known."""
    made: Size = context.new_symbolic_dim()
    return made


def formula_of(size: Size) -> sympy.Expr:
    """The size as a formula whose symbols may be 0 too, unlike those of onnx_ir."""
    if isinstance(size, int):
        return sympy.Integer(size)
    formula = size._expr
    assert formula is not None
    return formula.xreplace({each: _symbol(each.name) for each in formula.free_symbols})


def _symbol(name: str) -> sympy.Symbol:
    return sympy.Symbol(name, integer=True, nonnegative=True)


def size_of(context: ShapeInferenceContext, formula: sympy.Expr) -> Size:
    """A formula as a size; a new unknown one where it comes to no whole number, or to one only if nothing is empty."""
    if formula.is_Integer:
        return int(formula) if formula >= 0 else unknown(context)
    if formula.is_number:
        return unknown(context)
    found = plain(ir.SymbolicDim(str(formula)))
    if isinstance(found, int) or found._expr is None or found._expr.is_number:
        return unknown(context)
    return found


def plain(size: Size) -> Size:
    """A number where the library carries one as a symbol: 6 for a formula that came to `6`.

    What is rounded up is written with `floor`, as onnx_ir reads nothing else.
    """
    if isinstance(size, int):
        return size
    if size.value is not None and "ceiling" in size.value and size._expr is not None:
        size = ir.SymbolicDim(str(size._expr.replace(sympy.ceiling, lambda inside: -sympy.floor(-inside))))
    return int(str(size.value)) if str(size.value).isdecimal() else size


def is_minted(context: ShapeInferenceContext, size: Size | None) -> bool:
    """Whether the size is unknown, or made of an unknown one."""
    if isinstance(size, int):
        return False
    if size is None or size.value is None:
        return True
    if size.value.isidentifier():
        return bool(context.is_generated_symbol(size.value))
    return any(context.is_generated_symbol(name) for name in size.free_symbols())


def numbers(context: ShapeInferenceContext, value: ir.Value | None) -> list[Size] | None:
    """The whole numbers that a scalar or vector holds, or formulas; None where they aren't known before run time."""
    if value is None or (value.shape is not None and len(value.shape) > 1):
        return None
    found = context.get_symbolic_value(value)
    return None if found is None else [plain(each) for each in found]


def asked_shape(context: ShapeInferenceContext, value: ir.Value | None) -> list[Size] | None:
    """The numbers of a value that says a shape, unknown ones where only their count is known; None: not even that."""
    found = numbers(context, value)
    length = None if value is None else value.shape
    if found is None and length is not None and len(length) == 1 and isinstance(length[0], int):
        count = length[0]
        found = [unknown(context) for _ in range(count)] if count <= most("axes") else None
    return found if found is None or len(found) <= most("axes") else None


def integers(context: ShapeInferenceContext, value: ir.Value | None) -> list[int] | None:
    """The same where all of them are plain numbers."""
    found = numbers(context, value)
    if found is None:
        return None
    whole = [each for each in found if isinstance(each, int)]
    return whole if len(whole) == len(found) else None


def broadcast(context: ShapeInferenceContext, shapes: Sequence[ir.Shape | None]) -> ir.Shape | None:
    """The shape of operands that are broadcast. Which of two different formulas is 1 isn't known: neither is taken."""
    known = [list(shape) for shape in shapes if shape is not None]
    if len(known) < len(shapes) or not known:
        return None
    rank = max(map(len, known))
    aligned: list[list[Size]] = [[*[1] * (rank - len(dims)), *dims] for dims in known]
    return ir.Shape([_broadcast_axis(context, axis) for axis in zip(*aligned, strict=True)])


def _broadcast_axis(context: ShapeInferenceContext, dims: Sequence[Size]) -> Size:
    wide = list(dict.fromkeys(each for each in dims if each != 1))
    fixed = [each for each in wide if isinstance(each, int)]
    if len(fixed) > 1:
        raise ValueError(f"sizes {fixed[0]} and {fixed[1]} can't be broadcast")
    if fixed:
        return fixed[0]
    if len(wide) < 2:
        return wide[0] if wide else 1
    for size in sorted(wide, key=_length):
        others = [each for each in wide if each != size]
        if not is_minted(context, size) and _decides(formula_of(size), others, context):
            return size
    return unknown(context)


def _decides(size: sympy.Expr, others: Sequence[Size], context: ShapeInferenceContext) -> bool:
    """Whether it's the size that comes out: it's never 1, or where it is, the others are too (as N for Min(64, N))."""
    factor, rest = size.factor().as_coeff_Mul()
    if (factor.is_Integer and factor > 1 and rest.is_integer) or (size - 2).is_nonnegative:
        return True
    return all(
        not is_minted(context, each) and formula_of(each).xreplace({size: sympy.Integer(1)}) == 1 for each in others
    )


def agreed(context: ShapeInferenceContext, sizes: Sequence[Size]) -> Size:
    """The one size that several are in every run: a number, or the shortest formula."""
    fixed: list[Size] = [each for each in sizes if isinstance(each, int)]
    known = fixed or [each for each in sizes if not is_minted(context, each)]
    return min(known or sizes, key=_length)


def _length(size: Size) -> int:
    return len(str(size))


def rounded_up(dividend: sympy.Expr, divisor: int) -> sympy.Expr:
    """The least whole number of parts of a whole size; onnx_ir reads `floor` alone."""
    return sympy.floor((dividend + divisor - 1) / divisor)


def quotient(context: ShapeInferenceContext, dividend: Sequence[Size], divisor: Sequence[Size]) -> Size:
    """The one size by which `divisor` makes as many elements as `dividend` has, which every run needs to be whole."""
    if all(isinstance(each, int) for each in (*dividend, *divisor)):
        below = math.prod(map(int, divisor))  # type: ignore[arg-type]
        above = math.prod(map(int, dividend))  # type: ignore[arg-type]
        return above // below if below and above % below == 0 else unknown(context)
    if 0 in divisor:
        return unknown(context)
    if 0 in dividend:
        return 0
    above, below = (sympy.Mul(*map(formula_of, each)) for each in (dividend, divisor))
    return size_of(context, sympy.cancel(above / below))
