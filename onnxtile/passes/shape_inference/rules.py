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

from onnxtile.ir.attributes import node_name
from onnxtile.passes.shape_inference.sizes import (
    FAR,
    Size,
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


def run_time(what: str, node: ir.Node) -> str:
    """The reason that something decides which only a run tells."""
    return f"{what} of {node.op_type} {node_name(node)!r} are only known at run time"


def _shape(node: ir.Node, index: int) -> ir.Shape | None:
    value = node.inputs[index] if index < len(node.inputs) else None
    return None if value is None else value.shape


def _given(node: ir.Node, index: int) -> ir.Value | None:
    return node.inputs[index] if index < len(node.inputs) else None


def _ints(node: ir.Node, name: str, default: Sequence[int]) -> list[int]:
    attribute = node.attributes.get(name)
    return list(default if attribute is None else attribute.as_ints())


def _int(node: ir.Node, name: str, default: int) -> int:
    attribute = node.attributes.get(name)
    return default if attribute is None else attribute.as_int()


def broadcasting(*operands: int) -> OwnRule:
    """The rule of an operator that broadcasts these inputs; none: all of them."""

    def rule(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
        shapes = [_shape(node, index) for index in operands or range(len(node.inputs))]
        found = broadcast(context, shapes)  # refuses what can't be
        library(context, node)
        if found is None or node.outputs[0].shape != found:
            node.outputs[0].shape = found
        return f"which operand of {node.op_type} {node_name(node)!r} is broadcast is only known at run time"

    return rule


def expand(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Broadcast the input to the shape that the second input holds."""
    library(context, node)
    wanted = asked_shape(context, _given(node, 1))
    target = None if wanted is None else ir.Shape([_size(context, each) for each in wanted])
    node.outputs[0].shape = broadcast(context, [_shape(node, 0), target])
    return run_time("the lengths", node)


def _size(context: ShapeInferenceContext, number: Size) -> Size:
    """A number that stands for a size: an unknown one may be negative, which is no size."""
    return unknown(context) if is_minted(context, number) or (number == -1) else number


def split(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """The library takes equal parts where the lengths aren't constant."""
    lengths = _given(node, 1)
    if lengths is None:
        library(context, node)
        return None
    found, shape = numbers(context, lengths), _shape(node, 0)
    if found is not None and all(isinstance(each, int) for each in found):
        library(context, node)
    for index, output in enumerate(node.outputs):
        context.set_dtype(output, node.inputs[0].dtype) if node.inputs[0] and node.inputs[0].dtype else None
        if shape is None:
            output.shape = None
            continue
        dims = list(shape)
        axis = _int(node, "axis", 0) % max(len(dims), 1)
        known = found is not None and len(found) == len(node.outputs)
        dims[axis] = _size(context, found[index]) if known and found else unknown(context)
        output.shape = ir.Shape(dims)
    return run_time("the lengths", node)


def squeeze(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """The library takes axes that it can't read for none given, and no axes for those that are 1 already."""
    shape, axes = _shape(node, 0), _given(node, 1)
    read = integers(context, axes) if axes is not None else None
    library(context, node)
    if axes is not None and read is None:
        node.outputs[0].shape = None
        return run_time("the axes", node)
    if axes is not None and read is not None and shape is not None:
        gone = {axis % max(len(shape), 1) for axis in read}
        node.outputs[0].shape = ir.Shape([dim for axis, dim in enumerate(shape) if axis not in gone])
    elif "axes" not in node.attributes and shape is not None and not all(isinstance(dim, int) for dim in shape):
        node.outputs[0].shape = None
        return f"Squeeze {node_name(node)!r} drops each axis of length 1, and which these are is only known at run time"
    return None


def unsqueeze(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """The library reads axes from constants alone; the rank is known where their count is."""
    library(context, node)
    shape, axes = _shape(node, 0), _given(node, 1)
    if node.outputs[0].shape is None and shape is not None and axes is not None:
        read = integers(context, axes)
        if read is not None:
            rank = len(shape) + len(read)
            new, dims = {axis % rank for axis in read}, list(shape)
            node.outputs[0].shape = ir.Shape([1 if axis in new else dims.pop(0) for axis in range(rank)])
    return run_time("the axes", node)


def unique(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """The library forgets the other axes where Unique has an axis."""
    library(context, node)
    shape, axis = _shape(node, 0), node.attributes.get("axis")
    count = unknown(context)
    whole: Sequence[Size] | None = None if shape is None else list(shape)
    if axis is None:
        kept: ir.Shape | None = ir.Shape([count])
        source = None if whole is None else quotient(context, whole, [])
    else:
        place = axis.as_int() % max(len(whole or ()), 1)
        kept = None if whole is None else ir.Shape([*whole[:place], count, *whole[place + 1 :]])
        source = None if whole is None else whole[place]
    length = unknown(context) if source is None else source
    for output, found in zip(node.outputs, (kept, *map(ir.Shape, ([count], [length], [count]))), strict=False):
        output.shape = found
    return f"how many different elements Unique {node_name(node)!r} finds is only known at run time"


def pool(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """The library counts a last window that begins in the padding, if the length is free, which engines drop."""
    library(context, node)
    shape = _shape(node, 0)
    kernel = _ints(node, "kernel_shape", ())
    if shape is None or len(shape) != len(kernel) + 2 or node.outputs[0].shape is None:
        return None
    padding = node.attributes["auto_pad"].as_string() if "auto_pad" in node.attributes else "NOTSET"
    free = not all(isinstance(dim, int) for dim in shape)
    if not free or (padding == "NOTSET" and not _int(node, "ceil_mode", 0)):
        return None  # of numbers the library takes care
    count = len(kernel)
    strides, dilations = (_ints(node, name, [1] * count) for name in ("strides", "dilations"))
    pads = _ints(node, "pads", [0] * 2 * count) if padding == "NOTSET" else [0] * 2 * count
    dims = list(shape[:2])
    for axis, (size, stride, dilation) in enumerate(zip(kernel, strides, dilations, strict=True)):
        length, reach = formula_of(shape[axis + 2]), (size - 1) * dilation + 1
        if padding.startswith("SAME"):
            dims.append(size_of(context, rounded_up(length, stride)))
        elif _int(node, "ceil_mode", 0):
            more = min(0, pads[axis + count] - reach + stride)  # a window begins before the padding at the end
            dims.append(size_of(context, rounded_up(length + pads[axis] + more, stride)))
        else:
            dims.append(size_of(context, sympy.floor((length - reach) / stride) + 1))
    for output in node.outputs:
        output.shape = ir.Shape(dims)
    return None


def reshape(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """The library divides with a remainder; a run that succeeds leaves none, so that 6*B/B is the number 6."""
    library(context, node)
    wanted, shape = asked_shape(context, _given(node, 1)), _shape(node, 0)
    if wanted is None:
        return f"the shape that Reshape {node_name(node)!r} makes is only known at run time"
    dims: list[Size | None] = []
    for axis, number in enumerate(wanted):
        if number == 0 and not _int(node, "allowzero", 0):
            dims.append(shape[axis] if shape is not None and axis < len(shape) else None)
        else:
            dims.append(None if number == -1 or is_minted(context, number) else number)
    if dims.count(None) == 1 and shape is not None:
        others = [each for each in dims if each is not None]
        dims[dims.index(None)] = quotient(context, list(shape), others)
    node.outputs[0].shape = ir.Shape([unknown(context) if each is None else each for each in dims])
    return f"the shape that Reshape {node_name(node)!r} makes is only known at run time"


def resize(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """Sizes are believed as they are given; by scales only where no rounding decides: engines multiply in float32."""
    library(context, node)
    shape = _shape(node, 0)
    policy = (
        node.attributes["keep_aspect_ratio_policy"].as_string()
        if "keep_aspect_ratio_policy" in node.attributes
        else "stretch"
    )
    if shape is None:
        return None
    axes = [axis % len(shape) for axis in _ints(node, "axes", range(len(shape)))]
    by_sizes = _given(node, 3)
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
    value = _given(node, 1 if node.op_type == "Upsample" or len(node.inputs) == 2 else 2)
    if node.op_type == "Upsample" and "scales" in node.attributes:
        read = [float(each) for each in node.attributes["scales"].as_floats()]
    else:
        tensor = None if value is None else ir.convenience.get_const_tensor(value)
        read = [] if tensor is None else [float(each) for each in tensor.numpy().reshape(-1)]
    return read if len(read) == count else None


def _scaled(context: ShapeInferenceContext, size: Size, scale: float) -> Size:
    above, below = scale.as_integer_ratio()
    if isinstance(size, int) and above > 0:
        exact, rounded = size * above // below, math.floor(np.float32(size) * np.float32(scale))
        return exact if exact == rounded else unknown(context)
    if above * below <= 0 or (above > 2**10 or below > 2**10):
        return unknown(context)
    return size_of(context, sympy.floor(formula_of(size) * above / below))


def slice_(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """The library takes it that an axis of any length holds what is asked for, and axes it can't read for the first."""
    shape = _shape(node, 0)
    if len(node.inputs) < 3 or shape is None:
        library(context, node)
        return None
    starts, ends, axes, steps = (_given(node, index) for index in (1, 2, 3, 4))
    library(context, node)
    places = integers(context, axes) if axes is not None else None
    first, last = numbers(context, starts), numbers(context, ends)
    if axes is None:
        length = None if first is None else len(first)
        length = len(last) if length is None and last is not None else length
        places = None if length is None else list(range(length))
    if places is None:
        node.outputs[0].shape = ir.Shape([unknown(context) for _ in shape])
        return run_time("the axes", node)
    strides = [1] * len(places) if steps is None else integers(context, steps)
    dims = list(shape)
    for index, axis in enumerate(places):
        known = first is not None and last is not None and strides is not None
        if not known or not len(first or ()) == len(last or ()) == len(strides or ()) == len(places):
            dims[axis % len(dims)] = unknown(context)
            continue
        assert first is not None and last is not None and strides is not None
        dims[axis % len(dims)] = _sliced(context, shape[axis], first[index], last[index], strides[index])
    node.outputs[0].shape = ir.Shape(dims)
    return f"how much Slice {node_name(node)!r} finds is only known at run time"


def _sliced(context: ShapeInferenceContext, size: Size, start: Size, end: Size, step: int) -> Size:
    if all(isinstance(each, int) for each in (size, start, end)):
        return len(range(*slice(start, end, step).indices(size)))  # type: ignore[arg-type]
    if step == -1 and isinstance(start, int) and isinstance(end, int) and end <= -FAR and (start == -1 or start >= FAR):
        return size
    if step < 1:
        return unknown(context)
    whole = formula_of(size)
    low, high = (_bound(context, whole, each) for each in (start, end))
    if low is None or high is None:
        return unknown(context)
    return size_of(context, sympy.Max(0, rounded_up(high - low, step)))


def _bound(context: ShapeInferenceContext, size: sympy.Expr, end: Size) -> sympy.Expr | None:
    """Where a slice begins or ends; None where it isn't known whether that's counted from the end."""
    if isinstance(end, int) and end >= FAR:
        return size
    if is_minted(context, end):
        return None
    place = formula_of(end)
    if place.is_nonnegative:
        return sympy.Min(place, size)
    return sympy.Max(0, size + place) if place.is_negative else None


def concat(context: ShapeInferenceContext, node: ir.Node, library: Rule) -> str | None:
    """All operands agree along the other axes, so that the number of one holds for all."""
    library(context, node)
    shapes = [value.shape for value in node.inputs if value is not None and value.shape is not None]
    made = node.outputs[0].shape
    if made is None or len(shapes) < len(node.inputs):
        return None
    axis = _int(node, "axis", 0) % max(len(made), 1)
    dims = list(made)
    for place in range(len(dims)):
        if place != axis:
            dims[place] = agreed(context, [shape[place] for shape in shapes])
    node.outputs[0].shape = ir.Shape(dims)
    return None
