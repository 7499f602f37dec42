"""Rules for operators that compute with sizes: what the library carries on must be the numbers that come out."""

from __future__ import annotations

import onnx_ir as ir
import sympy
from onnx_shape_inference import ShapeInferenceContext

from onnxtile.ir.attributes import node_name
from onnxtile.passes.shape_inference.rules import OwnRule, Rule, broadcasting
from onnxtile.passes.shape_inference.sizes import Size, asked_shape, formula_of, is_minted, numbers, size_of, unknown

NOTE = "pkg.onnx_shape_inference.sym_data"
"""Metadata key under which the library notes the numbers that a value holds; it would end up in the file."""
_EXACT = (ir.DataType.INT64, ir.DataType.INT32, ir.DataType.DOUBLE, ir.DataType.FLOAT)
"""Types that hold sizes as they are."""
_VAST = 2**40
"""More than any size is."""
_WHOLE = (ir.DataType.INT64, ir.DataType.INT32)


def forget(context: ShapeInferenceContext, value: ir.Value) -> None:
    """Drop what the library believes a value to hold."""
    context._symbolic_values.pop(value, None)
    value.metadata_props.pop(NOTE, None)
    value.const_value = None


def cast(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """A size survives a cast to a type that holds it."""
    library(context, node)
    if node.outputs[0].dtype not in _EXACT:
        forget(context, node.outputs[0])
    return None


def divide(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """The library divides as integers do; formulas are divided too, where both are sizes."""
    reason = broadcasting(0, 1)(context, node, library)
    output = node.outputs[0]
    if output.dtype not in _WHOLE:
        forget(context, output)
        return reason
    pairs = _pairs(context, node)
    if pairs is not None and any(not isinstance(each, int) for pair in pairs for each in pair):
        made = [_divided(context, above, below) for above, below in pairs]
        context.set_symbolic_value(output, made)
    return reason


def _divided(context: ShapeInferenceContext, above: Size, below: Size) -> Size:
    if isinstance(above, int) and isinstance(below, int):
        return above // below if above >= 0 and below > 0 else unknown(context)
    upper, lower = formula_of(above), formula_of(below)
    if any(is_minted(context, each) for each in (above, below)):
        return unknown(context)
    if not upper.is_nonnegative or not lower.is_nonnegative or lower == 0:
        return unknown(context)  # engines round towards 0, a floor doesn't
    return size_of(context, sympy.floor(sympy.cancel(upper / lower)))


def sign(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """The sign of a size is 0 or 1: as a formula, what `onnx_ir` reads of it is a floor."""
    library(context, node)
    found = numbers(context, node.inputs[0])
    if found and not any(is_minted(context, each) for each in found):
        formulas = [formula_of(each) for each in found]
        if all(each.is_nonnegative for each in formulas):
            context.set_symbolic_value(
                node.outputs[0], [size_of(context, sympy.floor((each + _VAST - 1) / _VAST)) for each in formulas]
            )
    return None


def equal(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Whether two sizes are the same is known of numbers, and of a size and a number below 0."""
    reason = broadcasting(0, 1)(context, node, library)
    pairs = _pairs(context, node)
    if pairs is None:
        return reason
    answers = [_same(context, left, right) for left, right in pairs]
    if all(each is not None for each in answers):
        context.set_symbolic_value(node.outputs[0], [int(bool(each)) for each in answers])
    return reason


def _same(context: ShapeInferenceContext, left: Size, right: Size) -> bool | None:
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
    known = [numbers(context, value) for value in node.inputs]
    if len(known) == 3 and all(each is not None for each in known):
        condition, left, right = (each or [] for each in known)
        count = max(len(condition), len(left), len(right))
        if all(len(each) in (1, count) for each in (condition, left, right)):
            spread = [each * count if len(each) == 1 else each for each in (condition, left, right)]
            if all(isinstance(each, int) for each in spread[0]):
                forget(context, node.outputs[0])
                context.set_symbolic_value(
                    node.outputs[0], [x if yes else y for yes, x, y in zip(*spread, strict=True)]
                )
    return reason


def _pairs(context: ShapeInferenceContext, node: ir.Node) -> list[tuple[Size, Size]] | None:
    left, right = (numbers(context, value) for value in node.inputs[:2])
    if left is None or right is None or not left or not right:
        return None
    count = max(len(left), len(right))
    if any(len(each) not in (1, count) for each in (left, right)):
        return None
    return list(zip(*(each * count if len(each) == 1 else each for each in (left, right)), strict=True))


def reduce_product(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """The product of a vector of sizes is a number of elements."""
    library(context, node)
    found, shape = numbers(context, node.inputs[0]), node.outputs[0].shape
    if found and shape is not None and all(each == 1 for each in shape):
        product: Size = 1
        for each in found:
            product = product * each
        context.set_symbolic_value(node.outputs[0], [product])
    return None


def constant_of_shape(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """The library reads constants alone; a vector of known length holds one number over and over."""
    library(context, node)
    wanted, output = asked_shape(context, node.inputs[0]), node.outputs[0]
    if wanted is None:
        output.shape = None
        return f"the shape that ConstantOfShape {node_name(node)!r} makes is only known at run time"
    output.shape = ir.Shape([unknown(context) if is_minted(context, each) else each for each in wanted])
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
    "ReduceProd": reduce_product,
    "Sign": sign,
    "Where": where,
}
