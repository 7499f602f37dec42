"""Slice, Concat, Pad and Reshape at run time, in the spelling of the node's opset, with their shapes worked out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from onnxtile.ir.arrays import last_axes_swapped
from onnxtile.ir.metadata import BY_TILES_META
from onnxtile.ir.symbolic.amounts import Dim, dimension
from onnxtile.operators.sizes import read_size, sum_of
from onnxtile.passes.rewrites.replacement import Replacement

ENDLESS = 2**63 - 1
"""The end of a slice that reaches to the last element, whatever the length."""
PADS_AS_INPUT = 11
"""From this opset on Pad takes its amounts as a value, and pads integers too."""
SLICES_WITH_STEPS = 10
"""From this opset on Slice has steps, and takes its numbers as values."""


class Moves:
    """Adds moves of elements to a replacement. Values need shapes; sizes of them may be unknown."""

    def __init__(self, new: Replacement, opset: int) -> None:
        self.new, self._opset = new, opset

    def numbers(self, leaf: str, numbers: Sequence[int]) -> ir.Value:
        """Add a constant vector of int64."""
        return self.new.constant(leaf, np.array(numbers, np.int64), ir.DataType.INT64)

    def node(
        self, op_type: str, leaf: str, inputs: Sequence[ir.Value], dims: Sequence[Dim],
        attributes: dict[str, int | list[int]] | None = None,
    ) -> ir.Value:  # fmt: skip
        """Add a node whose result has the type of its first input."""
        return self.new.node(op_type, leaf, inputs, attributes, ir.Shape(map(dimension, dims)), inputs[0].dtype)

    def pad(
        self, leaf: str, value: ir.Value, pads: Sequence[tuple[int, int]], filler: ir.Value | None = None
    ) -> ir.Value:
        """Pad each axis at its begin and end, with `filler` (a scalar of the value's type; None: 0)."""
        if not any(map(any, pads)):
            return value
        amounts = [begin for begin, _ in pads] + [end for _, end in pads]
        dims = [sum_of([dim, *pair]) for dim, pair in zip(dims_of(value), pads, strict=True)]
        if self._opset < PADS_AS_INPUT:
            return self.node("Pad", leaf, [value], dims, {"pads": amounts})
        return self.pad_by(leaf, value, self.numbers(f"{leaf}_pads", amounts), dims, filler)

    def pad_by(
        self, leaf: str, value: ir.Value, amounts: ir.Value, dims: Sequence[Dim], filler: ir.Value | None = None
    ) -> ir.Value:
        """Pad by amounts that are a value, to `dims`."""
        return self.node("Pad", leaf, [value, amounts, *([] if filler is None else [filler])], dims)

    def slice(self, leaf: str, value: ir.Value, axis: int, start: int, end: int, step: int, length: Dim) -> ir.Value:
        """Take elements of an axis from `start` to `end` (negative: from its end), so that it's of `length`.

        Before opset 10 a step needs an axis whose length is a number: its elements are gathered.
        """
        dims = dims_of(value)
        whole, dims[axis] = dims[axis], length
        if self._opset < SLICES_WITH_STEPS and step != 1:
            assert isinstance(whole, int)
            places = list(range(whole))[start:end:step]
            return self.node("Gather", leaf, [value, self.numbers(f"{leaf}_places", places)], dims, {"axis": axis})
        if self._opset < SLICES_WITH_STEPS:
            return self.node("Slice", leaf, [value], dims, {"axes": [axis], "starts": [start], "ends": [end]})
        vectors = {"start": start, "end": end, "axis": axis} | ({"step": step} if step != 1 else {})
        numbers = [self.numbers(f"{leaf}_{name}", [number]) for name, number in vectors.items()]
        return self.node("Slice", leaf, [value, *numbers], dims)

    def concat(self, leaf: str, values: Sequence[ir.Value], axis: int) -> ir.Value:
        """Join values along an axis; one alone stays as it is."""
        if len(values) == 1:
            return values[0]
        dims = dims_of(values[0])
        dims[axis] = sum_of([dims_of(value)[axis] for value in values])
        return self.node("Concat", leaf, values, dims, {"axis": axis})

    def reshape(self, leaf: str, value: ir.Value, dims: Sequence[Dim]) -> ir.Value:
        """Reshape to `dims`; one that isn't a number, beside those that stay where they are, can be worked out."""
        old = dims_of(value)
        if old == list(dims):
            return value
        stays = [index < len(old) and dim == old[index] for index, dim in enumerate(dims)]
        sizes = [dim if isinstance(dim, int) else 0 if stay else -1 for dim, stay in zip(dims, stays, strict=True)]
        assert sizes.count(-1) <= 1
        return self.node("Reshape", leaf, [value, self.numbers(f"{leaf}_shape", sizes)], dims)

    def transpose(self, leaf: str, value: ir.Value, order: Sequence[int]) -> ir.Value:
        """Bring axes into an order; none changes: no node."""
        return self.new.transpose(leaf, value, list(order))

    def swap_last_axes(self, leaf: str, value: ir.Value) -> ir.Value:
        """Transpose the last two axes of a product: where it's cut, tile by tile."""
        swapped = self.transpose(leaf, value, last_axes_swapped(len(dims_of(value))))
        node = swapped.producer()
        assert node is not None
        node.meta[BY_TILES_META] = True
        return swapped


def dims_of(value: ir.Value) -> list[Dim]:
    """Return the sizes of a value whose shape is known."""
    assert value.shape is not None
    return [read_size(dim) for dim in value.shape]
