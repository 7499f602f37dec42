"""Products of 8-bit integers for onnx.reference, computed by numpy: exact sums, scaled and rounded once in float32.

onnx.reference has none of onnxruntime's own operators; of those of ONNX it scales in float64 and adds the zero point
before it rounds, so a lowered model, which scales in float32, may differ from it by one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx.reference.op_run import OpRun
from onnx.reference.ops.op_dynamic_quantize_linear import DynamicQuantizeLinear

MICROSOFT = "com.microsoft"
Array = np.ndarray
Optional = np.ndarray | None


def product(a: Array, b: Array, a_zero: Optional = None, b_zero: Optional = None) -> Array:
    """(A - zA) @ (B - zB) modulo 2^32; a zero point a row of A, a column of B.

    Every sum of fewer than 2^37 products of bytes is exact in float64, and its library is a hundred times as fast.
    """
    wide = _less(a, a_zero, -2) @ _less(b, b_zero, -1)
    return np.asarray(np.asarray(wide).astype(np.int64).astype(np.int32))


def _less(values: Array, zero: Optional, axis: int) -> Array:
    numbers: Array = values.astype(np.float64)
    if zero is None:
        return numbers
    own = zero.astype(np.float64)
    return numbers - (np.expand_dims(own, -1) if axis == -2 and own.ndim == 1 and own.size > 1 else own)


def quantized(total: Array, scale: Array, zero: Optional, dtype: np.dtype[Any]) -> Array:
    """round(scale * total) + zero point, saturated, in float32 as onnxruntime has it."""
    info = np.iinfo(dtype)
    rounded = np.rint(total.astype(np.float32) * scale.astype(np.float32))
    shifted = rounded.astype(np.float64) + (0 if zero is None else zero.astype(np.float64))
    return np.asarray(np.clip(shifted, info.min, info.max).astype(dtype))


class MatMulInteger(OpRun):
    def _run(self, a: Array, b: Array, a_zero: Optional = None, b_zero: Optional = None) -> tuple[Array]:
        return (product(a, b, a_zero, b_zero),)


class QLinearMatMul(OpRun):
    def _run(
        self, a: Array, a_scale: Array, a_zero: Array, b: Array, b_scale: Array, b_zero: Array, y_scale: Array,
        y_zero: Array,
    ) -> tuple[Array]:  # fmt: skip
        scale = (_rows(a_scale) * b_scale) / y_scale
        return (quantized(product(a, b, a_zero, b_zero), scale, y_zero, y_zero.dtype),)


def _rows(scale: Array) -> Array:
    return np.expand_dims(scale, -1) if scale.ndim == 1 and scale.size > 1 else scale


class QGemm(OpRun):
    op_domain = MICROSOFT

    def _run(
        self, a: Array, a_scale: Array, a_zero: Array, b: Array, b_scale: Array, b_zero: Array, bias: Optional = None,
        y_scale: Optional = None, y_zero: Optional = None, alpha: float = 1.0, transA: int = 0, transB: int = 0,
    ) -> tuple[Array]:  # fmt: skip
        total = product(a.T if transA else a, b.T if transB else b, a_zero, b_zero)
        total = total if bias is None else total + bias
        scale = (np.float32(alpha) * a_scale) * b_scale
        if y_scale is None:
            return (total.astype(np.float32) * scale,)
        return (quantized(total, scale / y_scale, y_zero, a.dtype if y_zero is None else y_zero.dtype),)


class MatMulIntegerToFloat(OpRun):
    op_domain = MICROSOFT

    def _run(
        self, a: Array, b: Array, a_scale: Array, b_scale: Array, a_zero: Optional = None, b_zero: Optional = None,
        bias: Optional = None,
    ) -> tuple[Array]:  # fmt: skip
        result = product(a, b, a_zero, b_zero).astype(np.float32) * (a_scale * b_scale)
        return (result if bias is None else result + bias,)


class DynamicQuantizeMatMul(OpRun):
    op_domain = MICROSOFT

    def _run(self, a: Array, b: Array, b_scale: Array, b_zero: Optional = None, bias: Optional = None) -> tuple[Array]:
        own, scale, zero = DynamicQuantizeLinear.eval(a)  # type: ignore[arg-type]  # its arguments are declared as lists
        result = product(own, b, zero, b_zero).astype(np.float32) * (scale * b_scale)
        return (result if bias is None else result + bias,)


OPERATORS = [MatMulInteger, QLinearMatMul, QGemm, MatMulIntegerToFloat, DynamicQuantizeMatMul]
"""Classes that onnx.reference takes in place of its own, or beside them."""
