"""Arithmetic on values of which some are constants: these are computed ahead of time, and cost no node."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxtile.ir.arrays import read_array
from onnxtile.ir.constants import constant_tensor, declared_ir_version
from onnxtile.passes.rewrites.replacement import Replacement

Term = np.ndarray | ir.Value
"""A constant's numbers, or a value that only run time knows."""
_OPERATIONS = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}


class Arithmetic:
    """Adds nodes to a replacement for what only run time can compute. Integers wrap around, as those of ONNX do."""

    def __init__(self, new: Replacement, model: ir.Model, opset: int) -> None:
        self.new, self._version, self._opset = new, declared_ir_version(model), opset

    def term(self, value: ir.Value) -> Term:
        """Return the value's numbers where it's a constant."""
        tensor = constant_tensor(value, self._version)
        return value if tensor is None else read_array(tensor)

    def value(self, term: Term, leaf: str, dtype: ir.DataType) -> ir.Value:
        """Return the term as a value of the graph."""
        return self.new.constant(leaf, term, dtype) if isinstance(term, np.ndarray) else term

    def cast(self, term: Term, leaf: str, dtype: ir.DataType) -> Term:
        if isinstance(term, np.ndarray):
            return term.astype(dtype.numpy())
        return self.new.node("Cast", leaf, [term], {"to": dtype.value}, term.shape, dtype)

    def of(self, op_type: str, leaf: str, left: Term, right: Term, dtype: ir.DataType) -> Term:
        """Compute `left` op `right`, both of type `dtype`."""
        if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
            result = _OPERATIONS[op_type](np.atleast_1d(left), np.atleast_1d(right))  # numpy warns of scalars that wrap
            return np.asarray(result).reshape(np.broadcast_shapes(left.shape, right.shape))
        operands = [self.value(left, f"{leaf}_left", dtype), self.value(right, f"{leaf}_right", dtype)]
        return self.new.node(op_type, leaf, operands, dtype=dtype)

    def sum(self, term: Term, leaf: str, axis: int, dtype: ir.DataType) -> Term:
        """Sum along an axis from the end, which stays as one of size 1."""
        if isinstance(term, np.ndarray):
            return np.asarray(term.sum(axis, dtype=term.dtype, keepdims=True))
        if self._opset >= 13:
            return self.new.node(
                "ReduceSum", leaf, [term, self._numbers(f"{leaf}_axes", [axis])], {"keepdims": 1}, dtype=dtype
            )
        assert term.shape is not None
        return self.new.node("ReduceSum", leaf, [term], {"axes": [axis + len(term.shape)], "keepdims": 1}, dtype=dtype)

    def reshape(self, term: Term, leaf: str, shape: list[int], dtype: ir.DataType) -> Term:
        if isinstance(term, np.ndarray):
            return term.reshape(shape)
        sizes = self._numbers(f"{leaf}_shape", shape)
        return self.new.node("Reshape", leaf, [term, sizes], shape=ir.Shape(shape), dtype=dtype)

    def _numbers(self, leaf: str, numbers: list[int]) -> ir.Value:
        return self.new.constant(leaf, np.array(numbers, np.int64), ir.DataType.INT64)
