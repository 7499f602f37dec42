"""Measures for formulas: elements of inputs and outputs, inputs that are given, attributes, sizes of products."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import onnx_ir as ir

from onnxtile.errors import ModelError
from onnxtile.ir.attributes import (
    UnsizedError,
    attribute_float,
    attribute_int,
    attribute_string,
    given,
    input_of,
    node_name,
)
from onnxtile.ir.constants import OVERRIDABLE_FROM, constant_tensor
from onnxtile.ir.symbolic.amounts import Amount, Number, Unknown, amount_of, known_total, product
from onnxtile.operators.formula import Formula, condition, measure
from onnxtile.operators.registry import products_of
from onnxtile.operators.sizes import dimensions, elements

SMALL = 64
"""Constants of more elements aren't read: no operator's axes or sizes are that many."""
ELEMENTS_OF = "elements of the input or output of that name"


# Elements


@cache
def of_input(index: int, name: str) -> Formula:
    """Return the measure of an input's elements, which formulas call by its name."""
    return measure(name, ELEMENTS_OF)(lambda node, opset: elements(input_of(node, index)))


@cache
def of_output(index: int, name: str) -> Formula:
    """Return the measure of an output's elements; none where it's left out."""

    def read(node: ir.Node, opset: int | None) -> Amount:
        return elements(node.outputs[index]) if index < len(node.outputs) else 0

    return measure(name, ELEMENTS_OF)(read)


X, Y = of_input(0, "X"), of_output(0, "Y")


INPUTS = measure("inputs", "how many inputs are given")(
    lambda node, opset: sum(value is not None for value in node.inputs)
)


def of_inputs(words: str, meaning: str, indices: Sequence[int]) -> Formula:
    """Return the measure of the elements of these inputs, as far as they're given."""

    def read(node: ir.Node, opset: int | None) -> Amount:
        return known_total([elements(node.inputs[index]) for index in indices if given(node, index)])

    return measure(words, meaning)(read)


ALL_INPUTS = measure("all inputs", "elements of all inputs together")(
    lambda node, opset: known_total([elements(value) for value in node.inputs if value is not None])
)


def sizes_of(value: ir.Value | None, least: int = 0) -> list[Number]:
    """Return the value's shape; UnsizedError where it isn't known, or has fewer axes."""
    dims = dimensions(value)
    if isinstance(dims, Unknown):
        raise UnsizedError(dims.reason)
    if len(dims) < least:
        raise UnsizedError(f"{value.name if value else ''!r} has {len(dims)} axes, not {least} or more")
    return dims


def input_sizes(node: ir.Node, index: int, least: int = 0) -> list[Number]:
    """Return the sizes of an input; see `sizes_of`."""
    return sizes_of(input_of(node, index), least)


def output_sizes(node: ir.Node, least: int = 0) -> list[Number]:
    """Return the sizes of the first output; see `sizes_of`."""
    return sizes_of(node.outputs[0] if node.outputs else None, least)


def along(node: ir.Node, index: int, axes: Sequence[int]) -> Amount:
    """Count elements along these axes of an input, -1 being the last."""
    dims = input_sizes(node, index)
    return product(dims[axis] for axis in {checked_axis(axis, len(dims)) for axis in axes})


def checked_axis(axis: int, rank: int) -> int:
    """Return the axis counted from the front."""
    if not -rank <= axis < rank:
        raise UnsizedError(f"it says axis {axis} of {rank}")
    return axis % rank


def lines(node: ir.Node, axis: int, of: int = 0) -> Amount:
    """Count the lines of an input along that axis."""
    dims = input_sizes(node, of)
    index = checked_axis(axis, len(dims))
    return product([*dims[:index], *dims[index + 1 :]])


def before(node: ir.Node, axis: int, of: int = 0) -> Amount:
    """Count elements along the axes of an input before that one."""
    dims = input_sizes(node, of)
    return product(dims[: axis if axis == len(dims) else checked_axis(axis, len(dims))])


ROWS = measure("rows", "lines along the last axis of X, or of Y where X is looked up")(
    lambda node, opset: lines(node, -1)
)


# Conditions


@cache
def is_given(index: int, name: str) -> Formula:
    return condition(name)(lambda node, opset: given(node, index))


@cache
def is_wanted(index: int, name: str) -> Formula:
    """Return the condition that an output isn't left out."""

    def holds(node: ir.Node, opset: int | None) -> bool:
        return index < len(node.outputs) and node.outputs[index].name != ""

    return condition(name)(holds)


@cache
def isnt(name: str, value: float, default: float | None = None) -> Formula:
    """Return the condition that an attribute, a number, has another value."""

    def holds(node: ir.Node, opset: int | None) -> bool:
        return number(node, name, value if default is None else default) != value

    return condition(f"{name} isn't {value:g}")(holds)


@cache
def says(name: str, *values: str, default: str = "") -> Formula:
    """Return the condition that an attribute, a word, has one of these values."""
    words = f"{name} is {' or '.join(values)}"
    return condition(words)(lambda node, opset: attribute_string(node, name, default) in values)


@cache
def is_set(name: str) -> Formula:
    """Return the condition that an attribute, a number, isn't 0; 0 is its default."""
    return condition(name)(lambda node, opset: attribute_int(node, name, 0) != 0)


@cache
def has_attribute(name: str) -> Formula:
    """Return the condition that the node has an attribute."""
    return condition(name)(lambda node, opset: name in node.attributes)


def number(node: ir.Node, name: str, default: float) -> float:
    """Read an attribute that is a number of either type."""
    attribute = node.attributes.get(name)
    if attribute is not None and attribute.type == ir.AttributeType.INT:
        return attribute_int(node, name, 0)
    return attribute_float(node, name, default)


def version(opset: int | None) -> int:
    """Return the opset; UnsizedError where none is imported."""
    if opset is None:
        raise UnsizedError("which version of the operators it's written in isn't said")
    return opset


# Constants that are inputs


def constant(node: ir.Node, index: int, what: str) -> np.ndarray:
    """Read a small input that is a constant; UnsizedError where it isn't."""
    tensor = constant_tensor(input_of(node, index), OVERRIDABLE_FROM)
    if tensor is None or tensor.size > SMALL:
        raise UnsizedError(f"its {what} (input {index}) is known only at run time")
    return tensor.numpy()


def constant_int(node: ir.Node, index: int, what: str) -> int:
    array = constant(node, index, what)
    if array.size != 1:
        raise ModelError(f"{node.op_type} {node_name(node)!r}: its {what} has {array.size} numbers, not 1")
    return int(array.item())


# Sizes of an operator's products


def of_products(words: str, meaning: str, axes: str, product_name: str | None = None) -> Formula:
    """Return a measure of the node's products as the registry sizes them: of the one of that name, or of all summed.

    `axes`: those of a Size whose product is counted, such as `m n batch`.
    """

    def read(node: ir.Node, opset: int | None) -> Amount:
        products = products_of(node)
        if products is None or products.sizes is None:
            raise UnsizedError(f"{node.op_type} {'has no products' if products is None else products.reason}")
        sizes = [size for name, size in products.sizes(node).items() if product_name in (None, name)]
        return known_total(
            product(amount_of("a size of its product", getattr(size, axis)) for axis in axes.split()) for size in sizes
        )

    return measure(words, meaning)(read)


RESULTS = of_products("M x N", "elements of the products' results", "m n batch")
WINDOWS = of_products("M x K", "elements of the products' first operands", "m k batch")
WEIGHTS = of_products("K x N", "elements of a product's second operand", "k n")
RESULT_ROWS = of_products("M", "rows of the product's result", "m batch")
