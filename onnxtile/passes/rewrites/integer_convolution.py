"""The product of a convolution of quantized numbers, in int32, and its requantization."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxtile.ir.constants import constant_tensor, declared_ir_version
from onnxtile.ir.symbolic.amounts import dimension
from onnxtile.operators.windows import Geometry
from onnxtile.passes.rewrites.arithmetic import Arithmetic, Term
from onnxtile.passes.rewrites.im2col import Im2col
from onnxtile.passes.rewrites.quantization import INT32, Quantized, product_less_zeros, rescaled
from onnxtile.passes.rewrites.replacement import Replacement

FLOAT = ir.DataType.FLOAT


class IntegerConvolution:
    """Writes the product of a convolution of bytes, and its requantization, laid out as Im2col has them."""

    def __init__(self, new: Replacement, geometry: Geometry, model: ir.Model, opset: int) -> None:
        self.im2col, self._fold = Im2col(new, geometry, opset), Arithmetic(new, model, opset)
        self._numbers: dict[ir.Value, Term] = {}
        self._version = declared_ir_version(model)
        self.shape = ir.Shape(map(dimension, self.im2col.product_dims))

    def product(self, x: Quantized, w: Quantized, bias: ir.Value | None) -> ir.Value:
        """Add (X - zX) conv (W - zW) + B in int32."""
        fold, im2col, depth = self._fold, self.im2col, self.im2col.geometry.depth
        assert x.value is not None and w.value is not None and isinstance(depth, int)
        x_zero = self._wide(x.zero, "x_zero")
        padded = any(axis.begin is None or axis.begin or axis.end for axis in im2col.geometry.axes)
        pad = None
        if padded and x.zero is not None and x_zero is not None:
            pad = self._value(self._number(x.zero, "x_zero"), "x_pad", x.zero.dtype)
        operands = im2col.windows(x.value, pad), im2col.weight(w.value, constant_tensor(w.value, self._version))
        zeros = x_zero, self._wide(w.zero, "w_zero")
        total = product_less_zeros(fold, operands, zeros, np.array(depth, np.int32), self.shape)
        if bias is not None:
            column = self._value(self._of_filters(bias, "bias"), "bias", INT32)
            total = fold.new.node("Add", "biased", [total, column], shape=self.shape, dtype=INT32)
        return total

    def requantized(self, total: ir.Value, x_scale: ir.Value, w_scale: ir.Value, y: Quantized) -> ir.Value:
        scales = self._number(x_scale, "x_scale"), self._of_filters(w_scale, "w_scale")
        return rescaled(self._fold, total, self._fold.of("Mul", "scales", *scales, FLOAT), y)

    def _wide(self, zero: ir.Value | None, leaf: str) -> Term | None:
        """Return zero points in int32 that broadcast over the product; None where they are 0."""
        if zero is None:
            return None
        term = self._fold.cast(self._of_filters(zero, leaf), f"{leaf}_wide", INT32)
        return None if isinstance(term, np.ndarray) and not term.any() else term

    def _of_filters(self, value: ir.Value, leaf: str) -> Term:
        """Return one number, or a number for each filter, so that it broadcasts over the product."""
        if value.shape is not None and list(value.shape) in ([], [1]):
            return self._number(value, leaf)
        term = self._fold.term(value)
        if isinstance(term, np.ndarray):
            return term.reshape(self.im2col.filter_dims)
        return self.im2col.of_filters(f"{leaf}_filters", value)

    def _number(self, value: ir.Value, leaf: str) -> Term:
        assert value.dtype is not None
        if value not in self._numbers:
            self._numbers[value] = self._fold.reshape(self._fold.term(value), f"{leaf}_number", [], value.dtype)
        return self._numbers[value]

    def _value(self, term: Term, leaf: str, dtype: ir.DataType | None) -> ir.Value:
        assert dtype is not None
        return self._fold.value(term, leaf, dtype)
