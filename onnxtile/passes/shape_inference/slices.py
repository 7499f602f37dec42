"""The rule for Slice, which counts what an axis holds of what is asked."""

from __future__ import annotations

import onnx_ir as ir
import sympy
from onnx_shape_inference import ShapeInferenceContext

from onnxtile.ir.attributes import input_of, node_name
from onnxtile.passes.shape_inference.arithmetic import VAST
from onnxtile.passes.shape_inference.rules import Rule, run_time
from onnxtile.passes.shape_inference.sizes import (
    FAR,
    Extent,
    formula_of,
    integers,
    is_minted,
    numbers,
    rounded_up,
    size_of,
    unknown,
)


def slice_(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Count what an axis holds: the library takes it to hold what is asked, and axes it can't read for the first."""
    library(context, node)
    data = input_of(node, 0)
    shape = None if data is None else data.shape
    if len(node.inputs) < 3 or shape is None:
        return None
    starts, ends = (numbers(context, input_of(node, index)) for index in (1, 2))
    axes, steps = (integers(context, input_of(node, index)) for index in (3, 4))
    counted = starts if starts is not None else ends
    if input_of(node, 3) is None and counted is not None:
        axes = list(range(len(counted)))
    if axes is None:
        node.outputs[0].shape = ir.Shape([unknown(context) for _ in shape])
        return run_time("the axes", node)
    if input_of(node, 4) is None:
        steps = [1] * len(axes)
    dims = list(shape)
    if starts and ends and steps and len(starts) == len(ends) == len(steps) == len(axes):
        for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
            dims[axis % len(dims)] = _sliced(context, shape[axis], start, end, step)
    else:
        for axis in axes:
            dims[axis % len(dims)] = unknown(context)
    node.outputs[0].shape = ir.Shape(dims)
    return f"how much Slice {node_name(node)!r} finds is only known at run time"


def _sliced(context: ShapeInferenceContext, size: Extent, start: Extent, end: Extent, step: int) -> Extent:
    if isinstance(size, int) and isinstance(start, int) and isinstance(end, int):
        if step < 0 and (start < -size or end >= FAR):  # engines differ in what is beyond an end
            return unknown(context)
        return len(range(*slice(start, end, step).indices(size)))
    if step == -1 and isinstance(start, int) and isinstance(end, int) and end <= -FAR and (start == -1 or start >= FAR):
        return size
    if step < 1:
        return unknown(context)
    whole = formula_of(size)
    if isinstance(start, int) and isinstance(end, int) and start >= 0 and (end >= FAR or -FAR < end < 0):
        return size_of(context, _cropped(whole, start, 0 if end > 0 else -end, step))
    low, high = _bound(context, whole, start), _bound(context, whole, end)
    if low is None or high is None:
        return unknown(context)
    if low == 0:  # places are no less
        return size_of(context, rounded_up(high, step))
    return size_of(context, sympy.Max(0, rounded_up(high - low, step)))


def _cropped(size: sympy.Expr, front: int, behind: int, step: int) -> sympy.Expr:
    """Return every how many elements are left without some in front and behind; 0 where these are all, or more.

    So a size that is no less than 0 for a Max may be any number below: a chain of slices has one Max, not one a slice.
    """
    if isinstance(size, sympy.Max) and len(size.args) == 2 and 0 in size.args:
        (size,) = (arg for arg in size.args if arg != 0)
    return sympy.Max(0, rounded_up(size - front - behind, step))


def _bound(context: ShapeInferenceContext, size: sympy.Expr, end: Extent) -> sympy.Expr | None:
    """Return where a slice begins or ends; None where it isn't known whether that's counted from the end."""
    if isinstance(end, int) and end >= FAR:
        return size
    if is_minted(context, end):
        return None
    place = formula_of(end)
    if place.is_nonnegative:
        return place if place == 0 or _is_within(place, size) else sympy.Min(place, size)
    return sympy.Max(0, size + place) if place.is_negative else None


def _is_within(place: sympy.Expr, size: sympy.Expr) -> bool:
    """Return whether a place is surely in an axis of that size, as rows are in those that are padded to whole tiles.

    Without it the size of what is cut off again would hold the padded one, and twice as much after every product.
    """
    return bool(sympy.expand(sum(map(_least, sympy.Add.make_args(sympy.expand(size - place))))).is_nonnegative)


def _least(term: sympy.Expr) -> sympy.Expr:
    """Return what a term is at least: of whole numbers over n, rounding down takes off (n - 1) / n at most."""
    factor, rounded = term.as_coeff_Mul()
    if not isinstance(rounded, sympy.floor):
        return term
    (exact,) = rounded.args
    above, below = sympy.together(exact).as_numer_denom()
    if below == VAST and factor < 0:  # a sign, which is 1 at most
        return factor
    if factor < 0 or not (below.is_Integer and above.is_integer):
        return factor * exact if factor < 0 else term
    return factor * (exact - (below - 1) / below)
