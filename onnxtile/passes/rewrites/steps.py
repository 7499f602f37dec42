"""Short ways to write the nodes that replace one: whole numbers among operands become constants."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from onnxtile.passes.rewrites.replacement import Replacement

Size = int | ir.SymbolicDim
Shape = ir.Shape | Sequence[Size]
Operand = ir.Value | int | Sequence[int] | np.ndarray
Setting = int | float | str | Sequence[int]


class Steps:
    """Adds nodes to a replacement."""

    def __init__(self, new: Replacement) -> None:
        self.new = new

    def __call__(
        self,
        op_type: str,
        leaf: str,
        *operands: Operand,
        shape: Shape | None = None,
        dtype: ir.DataType | None = None,
        **attributes: Setting,
    ) -> ir.Value:
        """Add a node and return its output, of the first value's type if `dtype` isn't given."""
        values = [self.constant(f"{leaf}_{index}", operand) for index, operand in enumerate(operands)]
        own = dtype or next((value.dtype for value in operands if isinstance(value, ir.Value)), ir.DataType.INT64)
        return self.new.node(op_type, leaf, values, attributes, None if shape is None else ir.Shape(shape), own)

    def constant(self, leaf: str, operand: Operand) -> ir.Value:
        """Return the operand as a value: numbers as a constant, whole ones of int64."""
        if isinstance(operand, ir.Value):
            return operand
        array = operand if isinstance(operand, np.ndarray) else np.array(operand, np.int64)
        return self.new.constant(leaf, array, ir.DataType.from_numpy(array.dtype))

    def reshape(self, leaf: str, value: ir.Value, sizes: Sequence[int], shape: Shape | None = None) -> ir.Value:
        """Add a Reshape to `sizes`; 0 leaves an axis as it is, -1 is what remains. `shape`: what comes of it."""
        return self("Reshape", leaf, value, list(sizes), shape=shape)

    def integers(self, leaf: str, value: ir.Value, sizes: Sequence[int]) -> ir.Value:
        """Add the value as int64, in these sizes."""
        wide = value
        if value.dtype != ir.DataType.INT64:
            wide = self("Cast", f"{leaf}_wide", value, dtype=ir.DataType.INT64, to=ir.DataType.INT64.value)
        return self.reshape(leaf, wide, sizes)
