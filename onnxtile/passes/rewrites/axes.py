"""Nodes that take, put in and cut axes, in the form that an opset has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from onnxtile.ir.symbolic.amounts import Dim, dimension
from onnxtile.passes.rewrites.replacement import Replacement

AXES_AS_INPUT = 13
"""The version of the default operator set from which Split and Unsqueeze take numbers as inputs."""
INT64 = ir.DataType.INT64


class Axes:
    """Adds nodes to a replacement; dimensions are of what they give."""

    def __init__(self, new: Replacement, opset: int) -> None:
        self.new, self.opset = new, opset

    def numbers(self, leaf: str, numbers: int | Sequence[int]) -> ir.Value:
        return self.new.constant(leaf, np.array(numbers, np.int64), INT64)

    def take(self, leaf: str, value: ir.Value, index: ir.Value, axis: int, dims: Sequence[Dim]) -> ir.Value:
        """Take what lies at a place of an axis, which goes."""
        return self.new.node("Gather", leaf, [value, index], {"axis": axis}, sized(dims), value.dtype)

    def unsqueeze(self, leaf: str, value: ir.Value, axis: int) -> ir.Value:
        """Put in an axis of one."""
        if self.opset < AXES_AS_INPUT:
            return self.new.node("Unsqueeze", leaf, [value], {"axes": [axis]}, dtype=value.dtype)
        return self.new.node("Unsqueeze", leaf, [value, self.numbers(f"{leaf}_axes", [axis])], dtype=value.dtype)

    def reshape(self, leaf: str, value: ir.Value, sizes: Sequence[int] | ir.Value, dims: Sequence[Dim]) -> ir.Value:
        shape = sizes if isinstance(sizes, ir.Value) else self.numbers(f"{leaf}_shape", sizes)
        return self.new.node("Reshape", leaf, [value, shape], None, sized(dims), value.dtype)

    def splitter(self, leaf: str, lengths: Sequence[int]) -> Splitter:
        """Return what splits values of these lengths along their last axis; their constant is made now."""
        constant = None if self.opset < AXES_AS_INPUT else self.numbers(f"{leaf}_lengths", lengths)
        return Splitter(self.new, lengths, constant)


class Splitter:
    """Splits values along their last axis into pieces of the same lengths."""

    def __init__(self, new: Replacement, lengths: Sequence[int], constant: ir.Value | None) -> None:
        self._new, self._lengths, self._constant = new, list(lengths), constant

    def split(self, value: ir.Value, leaves: Sequence[str]) -> list[ir.Value]:
        """Split a value of two axes into as many pieces as there are leaves."""
        new, axis = self._new, {"axis": 1}
        if self._constant is None:
            first = new.node("Split", leaves[0], [value], axis | {"split": self._lengths}, dtype=value.dtype)
        else:
            first = new.node("Split", leaves[0], [value, self._constant], axis, dtype=value.dtype)
        node = first.producer()
        assert node is not None and value.shape is not None and value.dtype is not None
        node.resize_outputs(len(leaves))
        for piece, leaf, length in zip(node.outputs, leaves, self._lengths, strict=True):
            piece.name, piece.type = f"{new.prefix}/{leaf}", ir.TensorType(value.dtype)
            piece.shape = ir.Shape([value.shape[0], length])
        return list(node.outputs)


def sized(dims: Sequence[Dim]) -> ir.Shape:
    """Return the shape of these sizes."""
    return ir.Shape(map(dimension, dims))
