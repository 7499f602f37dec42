"""Count pools, resampling, distances and scattered elements: the shapes alone don't say how many operations."""

from __future__ import annotations

import math

from onnxtile.operators.resampling import interpolated
from onnxtile.operators.work import COMPARISON, ELEMENTWISE, MOVEMENT, TRANSCENDENTAL, Work
from onnxtile.torch_frontend.aten.counting import Count, elements_of
from onnxtile.torch_frontend.aten.products import by_product
from onnxtile.torch_frontend.trace.calls import Call, Value


def pool(average: bool, axes: int) -> Count:
    """Count windows of so many elements, which count whole at a border too."""

    def count(call: Call) -> Work:
        kernel = list(call.argument("kernel_size"))
        window, size = math.prod(kernel * axes if len(kernel) == 1 else kernel), call.outputs[0].elements
        return ELEMENTWISE * (size * window) if average else COMPARISON * (size * window - size)

    return count


def adaptive(average: bool) -> Count:
    """Count windows, which may overlap: from floor(i * in / out) to ceil((i + 1) * in / out) along each axis."""

    def count(call: Call) -> Work:
        x, y = call.inputs[0].shape, call.outputs[0].shape
        axes = len(call.argument("output_size"))
        windows = math.prod(_read(before, after) for before, after in zip(x[-axes:], y[-axes:], strict=True))
        read = math.prod(x[:-axes]) * windows
        return ELEMENTWISE * read if average else COMPARISON * (read - call.outputs[0].elements)

    return count


def _read(before: int, after: int) -> int:
    """Return the elements in all windows along an axis."""
    return sum(-(-(index + 1) * before // after) - index * before // after for index in range(after))


def resampled(taps: int) -> Count:
    """Count interpolation along the axes whose sizes differ; nearest copies."""

    def count(call: Call) -> Work:
        x, y = call.inputs[0].shape, call.outputs[0].shape
        size = call.outputs[0].elements
        axes = sum(before != after for before, after in zip(x[2:], y[2:], strict=True))
        return (ELEMENTWISE * interpolated([taps] * axes) if taps else MOVEMENT) * size

    return count


def cdist(call: Call) -> Work:
    """Count by a product: squares of both operands and their sums, -2 times the product, two additions; a root."""
    a, b, result = call.inputs[0], call.inputs[1], call.outputs[0].elements
    rows, columns = (math.prod(operand.shape[:-1]) for operand in (a, b))
    if by_product(call):
        return ELEMENTWISE * (2 * a.elements - rows + 2 * b.elements - columns + 3 * result) + TRANSCENDENTAL * result
    terms, order = result * a.shape[-1], float(call.argument("p"))
    powers = 0 if order in (1, 2) or math.isinf(order) else terms
    return ELEMENTWISE * (3 * terms - result) + TRANSCENDENTAL * (powers + (result if order != 1 else 0))


def scattered(call: Call) -> Work:
    """Count the copy of the result, and elements of `src` that are put or added into it."""
    updates = call.inputs[-1].elements if len(call.inputs) > 2 else call.inputs[1].elements
    adds = any(word in call.operator.name for word in ("add", "reduce"))
    return (ELEMENTWISE if adds else MOVEMENT) * updates + MOVEMENT * call.outputs[0].elements


def put(call: Call) -> Work:
    """Count the elements of `values` that index_put puts or adds."""
    return (ELEMENTWISE if call.argument("accumulate") else MOVEMENT) * elements_of(call, "values")


def bags(call: Call) -> Work:
    """Count rows that embedding_bag looks up and adds; the mean divides them."""
    rows, width, bags = call.argument("indices").elements, call.argument("weight").shape[-1], call.outputs[0].elements
    mode = int(call.argument("mode"))
    if mode == 2:
        return COMPARISON * max(rows * width - bags, 0) + MOVEMENT * (rows * width)
    weighted = rows * width if isinstance(call.argument("per_sample_weights"), Value) else 0
    added = weighted + max(rows * width - bags, 0) + (bags if mode == 1 else 0)
    return ELEMENTWISE * added + MOVEMENT * (rows * width)
