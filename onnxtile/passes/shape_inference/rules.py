"""Rules of our own, for operators whose rule in onnx_shape_inference takes for granted what only run time tells.

Each is called with the library's own rule, for the type of the result, and puts the shape right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir
import sympy
from onnx_shape_inference import ShapeInferenceContext

from onnxtile.ir.arrays import read_array
from onnxtile.ir.attributes import attribute_int, attribute_ints, attribute_string, input_of, node_name
from onnxtile.ir.bounds import most
from onnxtile.ir.constants import constant_tensor
from onnxtile.passes.shape_inference.bounded import length_of
from onnxtile.passes.shape_inference.sizes import (
    Extent,
    agreed,
    asked_shape,
    broadcast,
    formula_of,
    integers,
    is_minted,
    numbers,
    quotient,
    rounded_up,
    size_of,
    unknown,
)

Rule = Callable[[ShapeInferenceContext, ir.Node], None]
OwnRule = Callable[[ShapeInferenceContext, ir.Node, Rule], str | None]
"""Sets the shapes of a node's outputs; the words say why some of it isn't known, where that's special."""


Extension = tuple[Callable[[ShapeInferenceContext, ir.Node, Rule], None], tuple[str, str, int]]
"""A rule, and the operator and version of the library's rule that it builds on."""


def run_time(what: str, node: ir.Node) -> str:
    """Return the reason that something decides which only a run tells."""
    return f"{what} of {node.op_type} {node_name(node)!r} are only known at run time"


def _shape(node: ir.Node, index: int) -> ir.Shape | None:
    value = input_of(node, index)
    return None if value is None else value.shape


def call_for_shape(context: ShapeInferenceContext, node: ir.Node, library: Rule, operand: int) -> None:
    """Call the library's rule unless the operand that says the result's shape asks for more axes than there may be."""
    if length_of(input_of(node, operand)) <= most("axes"):
        library(context, node)


def broadcasting(*operands: int) -> OwnRule:
    """Return the rule of an operator that broadcasts these inputs; none: all of them."""

    def rule(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
        shapes = [_shape(node, index) for index in operands or range(len(node.inputs))]
        shape = broadcast(context, shapes)  # refuses what can't be
        library(context, node)
        if shape is None or node.outputs[0].shape != shape:
            node.outputs[0].shape = shape
        return f"which operand of {node.op_type} {node_name(node)!r} is broadcast is only known at run time"

    return rule


def expand(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Broadcast the input to the shape that the second input holds."""
    call_for_shape(context, node, library, 1)
    wanted = asked_shape(context, input_of(node, 1))
    target = None if wanted is None else ir.Shape([_size(context, number) for number in wanted])
    node.outputs[0].shape = broadcast(context, [_shape(node, 0), target])
    return run_time("the lengths", node)


def _size(context: ShapeInferenceContext, number: Extent) -> Extent:
    """Return a number as a size: an unknown one may be negative, which is no size."""
    return unknown(context) if is_minted(context, number) or (number == -1) else number


def split(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Cut into the lengths where they are known: the library takes equal parts where they aren't constant."""
    if input_of(node, 1) is None:
        library(context, node)
        return None
    data, lengths = input_of(node, 0), numbers(context, input_of(node, 1))
    if lengths is not None and all(isinstance(length, int) for length in lengths):
        library(context, node)
    if lengths is None or len(lengths) != len(node.outputs):
        lengths = [-1] * len(node.outputs)
    for output, length in zip(node.outputs, lengths, strict=True):
        if data is not None and data.dtype is not None:
            context.set_dtype(output, data.dtype)
        if data is None or data.shape is None:
            output.shape = None
            continue
        dims = list(data.shape)
        dims[attribute_int(node, "axis", 0) % max(len(dims), 1)] = _size(context, length)
        output.shape = ir.Shape(dims)
    return run_time("the lengths", node)


def squeeze(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Drop the axes: the library takes those that it can't read for none, and none for those that are 1 already."""
    shape, axes = _shape(node, 0), integers(context, input_of(node, 1))
    library(context, node)
    if axes is None and input_of(node, 1) is not None:
        node.outputs[0].shape = None
        return run_time("the axes", node)
    if axes is not None and shape is not None:
        dropped = {axis % max(len(shape), 1) for axis in axes}
        node.outputs[0].shape = ir.Shape([dim for axis, dim in enumerate(shape) if axis not in dropped])
    elif shape is not None and "axes" not in node.attributes and not all(isinstance(dim, int) for dim in shape):
        node.outputs[0].shape = None
        return f"Squeeze {node_name(node)!r} drops each axis of length 1, and which these are is only known at run time"
    return None


def unsqueeze(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Insert axes, of formulas too: the library reads them from constants alone."""
    library(context, node)
    shape = _shape(node, 0)
    if node.outputs[0].shape is not None or shape is None:
        return run_time("the axes", node)
    axes = integers(context, input_of(node, 1))  # reading a constant leaves a trace in it: not where it isn't needed
    if axes is not None:
        rank = len(shape) + len(axes)
        new, dims = {axis % rank for axis in axes}, list(shape)
        node.outputs[0].shape = ir.Shape([1 if axis in new else dims.pop(0) for axis in range(rank)])
    return run_time("the axes", node)


def unique(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Keep the other axes where Unique has an axis: the library forgets them."""
    library(context, node)
    shape, axis = _shape(node, 0), node.attributes.get("axis")
    count = unknown(context)
    if axis is None:
        kept: ir.Shape | None = ir.Shape([count])
        length = unknown(context) if shape is None else quotient(context, list(shape), [])
    elif shape is None:
        kept, length = None, unknown(context)
    else:
        dims = list(shape)
        length, dims[axis.as_int()] = dims[axis.as_int()], count
        kept = ir.Shape(dims)
    for output, shape_ in zip(node.outputs, (kept, *map(ir.Shape, ([count], [length], [count]))), strict=False):
        output.shape = shape_
    return f"how many different elements Unique {node_name(node)!r} finds is only known at run time"


def pool(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Count no last window that begins in the padding, which engines drop; the library does if the length is free."""
    library(context, node)
    shape = _shape(node, 0)
    kernel = attribute_ints(node, "kernel_shape", ())
    if shape is None or len(shape) != len(kernel) + 2 or node.outputs[0].shape is None:
        return None
    padding = node.attributes["auto_pad"].as_string() if "auto_pad" in node.attributes else "NOTSET"
    free = not all(isinstance(dim, int) for dim in shape)
    if not free or (padding == "NOTSET" and not attribute_int(node, "ceil_mode", 0)):
        return None  # of numbers the library takes care
    count = len(kernel)
    strides, dilations = (attribute_ints(node, name, [1] * count) for name in ("strides", "dilations"))
    pads = attribute_ints(node, "pads", [0] * 2 * count) if padding == "NOTSET" else [0] * 2 * count
    dims = list(shape[:2])
    for axis, (size, stride, dilation) in enumerate(zip(kernel, strides, dilations, strict=True)):
        length, reach = formula_of(shape[axis + 2]), (size - 1) * dilation + 1
        if padding.startswith("SAME"):
            dims.append(size_of(context, rounded_up(length, stride)))
        elif attribute_int(node, "ceil_mode", 0):
            more = min(0, pads[axis + count] - reach + stride)  # a window begins before the padding at the end
            dims.append(size_of(context, rounded_up(length + pads[axis] + more, stride)))
        else:
            dims.append(size_of(context, sympy.floor((length - reach) / stride) + 1))
    for output in node.outputs:
        output.shape = ir.Shape(dims)
    return None


def reshape(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Divide without a remainder, as each run that succeeds: 6*B/B is the number 6. The library leaves one."""
    call_for_shape(context, node, library, 1)
    wanted, shape = asked_shape(context, input_of(node, 1)), _shape(node, 0)
    if wanted is None:
        return f"the shape that Reshape {node_name(node)!r} makes is only known at run time"
    dims: list[Extent | None] = []
    for axis, number in enumerate(wanted):
        if number == 0 and not attribute_int(node, "allowzero", 0):
            dims.append(shape[axis] if shape is not None and axis < len(shape) else None)
        else:
            dims.append(None if number == -1 or is_minted(context, number) else number)
    if dims.count(None) == 1 and shape is not None:
        others = [dim for dim in dims if dim is not None]
        dims[dims.index(None)] = quotient(context, list(shape), others)
    node.outputs[0].shape = ir.Shape([unknown(context) if dim is None else dim for dim in dims])
    return f"the shape that Reshape {node_name(node)!r} makes is only known at run time"


def resize(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Believe sizes as they are; by scales only where no rounding decides, since engines multiply in float32."""
    library(context, node)
    shape, policy = _shape(node, 0), attribute_string(node, "keep_aspect_ratio_policy", "stretch")
    if shape is None:
        return None
    axes = [axis % len(shape) for axis in attribute_ints(node, "axes", range(len(shape)))]
    by_sizes = input_of(node, 3)
    sizes = None if by_sizes is None else numbers(context, by_sizes)
    scales = None if by_sizes is not None else _scales(node, len(axes))
    dims = list(shape)
    for place, axis in enumerate(axes):
        if sizes is not None and policy == "stretch" and len(sizes) == len(axes):
            dims[axis] = _size(context, sizes[place])
        elif scales is not None:
            dims[axis] = _scaled(context, dims[axis], scales[place])
        else:
            dims[axis] = unknown(context)
    node.outputs[0].shape = ir.Shape(dims)
    return run_time("the sizes or scales", node)


def _scales(node: ir.Node, count: int) -> list[float] | None:
    value = input_of(node, 1 if node.op_type == "Upsample" or len(node.inputs) == 2 else 2)
    if node.op_type == "Upsample" and "scales" in node.attributes:
        scales = [float(scale) for scale in node.attributes["scales"].as_floats()]
    else:
        tensor = None if value is None else ir.convenience.get_const_tensor(value)
        scales = [] if tensor is None else [float(scale) for scale in tensor.numpy().reshape(-1)]
    return scales if len(scales) == count else None


def _scaled(context: ShapeInferenceContext, size: Extent, scale: float) -> Extent:
    above, below = scale.as_integer_ratio()
    if isinstance(size, int) and above > 0:
        exact, rounded = size * above // below, math.floor(np.float32(size) * np.float32(scale))
        return exact if exact == rounded else unknown(context)
    if above * below <= 0 or (above > 2**10 or below > 2**10):
        return unknown(context)
    return size_of(context, sympy.floor(formula_of(size) * above / below))


def concat(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Take one operand's number along the other axes, where all agree."""
    shapes = [value.shape for value in node.inputs if value is not None and value.shape is not None]
    long = sum(map(length_of, node.inputs)) > most("shape-numbers")
    if long and len(shapes) == len(node.inputs) and all(len(shape) == 1 for shape in shapes):
        first = node.inputs[0]
        assert first is not None
        total = sum((dim for (dim,) in shapes), start=0)  # of vectors that are long together, the length alone
        context.set_shape_and_dtype(
            node.outputs[0], ir.Shape([total]), node.inputs[0].dtype if node.inputs[0] else None
        )
        return None
    library(context, node)
    joined = node.outputs[0].shape
    if joined is None or len(shapes) < len(node.inputs):
        return None
    dims, axis = list(joined), attribute_int(node, "axis", 0) % max(len(joined), 1)
    for other in range(len(dims)):
        if other != axis:
            dims[other] = agreed(context, [shape[other] for shape in shapes])
    node.outputs[0].shape = ir.Shape(dims)
    return None


def pad(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Pad by amounts that are computed from sizes, or by operators from constants, as torch's exporters do."""
    data, amounts = input_of(node, 0), input_of(node, 1)
    pads: Sequence[Extent] | None = None if amounts is None else context.get_symbolic_value(amounts)
    if pads is None and (tensor := constant_tensor(amounts, 0)) is not None and tensor.size <= 2 * most("axes"):
        pads = [int(number) for number in read_array(tensor).ravel()]
    if data is None or data.shape is None or pads is None or len(node.inputs) > 3:
        library(context, node)
    elif len(pads) == 2 * len(data.shape):
        ends = zip(data.shape, pads, pads[len(data.shape) :], strict=False)
        context.set_shape_and_dtype(node.outputs[0], ir.Shape([dim + x + y for dim, x, y in ends]), data.dtype)
    return None


LAYOUT: dict[str, OwnRule] = {
    "AveragePool": pool, "Concat": concat, "Expand": expand, "LpPool": pool, "MaxPool": pool, "Pad": pad,
    "Reshape": reshape, "Resize": resize, "Split": split, "Squeeze": squeeze, "Unique": unique,
    "Unsqueeze": unsqueeze, "Upsample": resize,
}  # fmt: skip
"""Rules of operators that arrange elements, by operator of ONNX."""
