"""Rules for operators that compute with sizes: what the library carries on must be the numbers that come out."""

from __future__ import annotations

import math

import onnx_ir as ir
import sympy
from onnx_shape_inference import ShapeInferenceContext

from onnxtile.ir.attributes import node_name
from onnxtile.passes.shape_inference.rules import OwnRule, Rule, broadcasting, call_for_shape
from onnxtile.passes.shape_inference.sizes import Extent, asked_shape, formula_of, is_minted, numbers, size_of, unknown

NOTE = "pkg.onnx_shape_inference.sym_data"
"""Metadata key under which the library notes the numbers that a value holds; it would end up in the file."""
_EXACT = (ir.DataType.INT64, ir.DataType.INT32, ir.DataType.DOUBLE, ir.DataType.FLOAT)
"""Types that hold sizes as they are."""
VAST = 2**40
"""More than any size is."""
_WHOLE = (ir.DataType.INT64, ir.DataType.INT32)


def forget(context: ShapeInferenceContext, value: ir.Value) -> None:
    """Drop the numbers that the library believes a value to hold."""
    context._symbolic_values.pop(value, None)
    value.metadata_props.pop(NOTE, None)
    value.const_value = None


def cast(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Keep sizes in a type that holds them."""
    library(context, node)
    if node.outputs[0].dtype not in _EXACT:
        forget(context, node.outputs[0])
    return None


def divide(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Divide formulas too, where both are sizes: the library divides as integers do."""
    reason = broadcasting(0, 1)(context, node, library)
    output = node.outputs[0]
    if output.dtype not in _WHOLE:
        forget(context, output)
        return reason
    pairs = _aligned(context, node)
    if any(not isinstance(size, int) for pair in pairs for size in pair):
        context.set_symbolic_value(output, [_divided(context, above, below) for above, below in pairs])
    return reason


def _divided(context: ShapeInferenceContext, above: Extent, below: Extent) -> Extent:
    if isinstance(above, int) and isinstance(below, int):
        return above // below if above >= 0 and below > 0 else unknown(context)
    if is_minted(context, above) or is_minted(context, below):
        return unknown(context)
    upper, lower = formula_of(above), formula_of(below)
    if not upper.is_nonnegative or not lower.is_nonnegative or lower == 0:
        return unknown(context)  # engines round towards 0, a floor doesn't
    return size_of(context, sympy.floor(sympy.cancel(upper / lower)))


def mod(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Take the remainders of formulas too, by numbers; the library knows those of whole numbers alone."""
    reason = broadcasting(0, 1)(context, node, library)
    pairs = _aligned(context, node)
    remainders = [above % below for above, below in pairs if isinstance(below, int) and below > 0]
    if remainders and len(remainders) == len(pairs) and "fmod" not in node.attributes:
        context.set_symbolic_value(node.outputs[0], remainders)
    return reason


def sign(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Write the sign of a size, 0 or 1, as a floor, which is what `onnx_ir` reads of formulas."""
    library(context, node)
    sizes = numbers(context, node.inputs[0])
    if sizes and not any(is_minted(context, size) for size in sizes):
        formulas = [formula_of(size) for size in sizes]
        if all(formula.is_nonnegative for formula in formulas):
            signs = [size_of(context, sympy.floor((formula + VAST - 1) / VAST)) for formula in formulas]
            context.set_symbolic_value(node.outputs[0], signs)
    return None


def equal(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Compare numbers, and sizes with numbers below 0; others may be the same or not."""
    reason = broadcasting(0, 1)(context, node, library)
    answers = [_same(context, left, right) for left, right in _aligned(context, node)]
    if answers and None not in answers:
        context.set_symbolic_value(node.outputs[0], [int(bool(answer)) for answer in answers])
    return reason


def _same(context: ShapeInferenceContext, left: Extent, right: Extent) -> bool | None:
    if isinstance(left, int) and isinstance(right, int):
        return left == right
    if is_minted(context, left) or is_minted(context, right):
        return None
    difference = formula_of(left) - formula_of(right)
    if difference == 0:
        return True
    return False if difference.is_positive or difference.is_negative else None


def where(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Choose, where the condition is known."""
    reason = broadcasting(0, 1, 2)(context, node, library)
    choices = _aligned(context, node)
    if choices and all(isinstance(condition, int) for condition, _, _ in choices):
        forget(context, node.outputs[0])
        context.set_symbolic_value(node.outputs[0], [x if condition else y for condition, x, y in choices])
    return reason


def _aligned(context: ShapeInferenceContext, node: ir.Node) -> list[tuple[Extent, ...]]:
    """Return the operands' numbers side by side, a single number again and again; none where some aren't known."""
    operands = [numbers(context, value) or [] for value in node.inputs]
    count = max(map(len, operands))
    if any(len(sizes) not in (1, count) for sizes in operands):
        return []
    return list(zip(*(sizes * count if len(sizes) == 1 else sizes for sizes in operands), strict=True))


def reduce_product(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Multiply a vector of sizes to a number of elements."""
    library(context, node)
    sizes, shape = numbers(context, node.inputs[0]), node.outputs[0].shape
    if sizes and shape is not None and all(dim == 1 for dim in shape):
        context.set_symbolic_value(node.outputs[0], [math.prod(sizes[1:], start=sizes[0])])
    return None


def constant_of_shape(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Read shapes that aren't constants, as the library doesn't; a vector of known length holds one number."""
    call_for_shape(context, node, library, 0)
    wanted, output = asked_shape(context, node.inputs[0]), node.outputs[0]
    if wanted is None:
        output.shape = None
        return f"the shape that ConstantOfShape {node_name(node)!r} makes is only known at run time"
    output.shape = ir.Shape([unknown(context) if is_minted(context, number) else number for number in wanted])
    attribute = node.attributes.get("value")
    if len(wanted) == 1 and isinstance(wanted[0], int) and wanted[0] <= 64 and attribute is not None:
        tensor = attribute.as_tensor()
        if tensor.dtype in _WHOLE and tensor.size == 1:
            context.set_symbolic_value(output, [int(tensor.numpy().reshape(-1)[0])] * wanted[0])
    return None


ARITHMETIC: dict[str, OwnRule] = {
    "Cast": cast,
    "ConstantOfShape": constant_of_shape,
    "Div": divide,
    "Equal": equal,
    "Mod": mod,
    "ReduceProd": reduce_product,
    "Sign": sign,
    "Where": where,
}
