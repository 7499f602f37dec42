"""onnxruntime's own products, as its documentation writes them out."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.verification.semantics.casts import cast
from onnxtile.verification.semantics.entry import Call, operator
from onnxtile.verification.semantics.moves import reshaped
from onnxtile.verification.semantics.products import fused_product, integer_product, product, scaled, swapped
from onnxtile.verification.semantics.quantizing import quantized
from onnxtile.verification.value import UnprovenError, Value

FLOAT = ir.DataType.FLOAT
MICROSOFT = "com.microsoft"


@operator("QLinearMatMul")
def _qlinear_matmul(call: Call) -> Value:
    a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero = (call.value(index) for index in range(8))
    total = integer_product(call, a, b, a_zero, b_zero)
    scale = call.of("Mul", number_of(rows_of(a_scale)), number_of(b_scale))
    return requantized(call, total, scale, y_scale, y_zero)


def rows_of(parameter: Value) -> Value:
    """A scale a row of A, as a column."""
    several = len(parameter.shape) == 1 and parameter.shape != (1,)
    return reshaped(parameter, [*parameter.shape, 1]) if several else parameter


def number_of(parameter: Value) -> Value:
    return reshaped(parameter, []) if parameter.shape and set(parameter.shape) == {1} else parameter


def requantized(call: Call, total: Value, scale: Value, y_scale: Value | None, y_zero: Value | None) -> Value:
    """quantize(scale / sY * total), the factor being one float; without sY, scale * total."""
    if y_scale is not None:
        scale = call.of("Div", scale, number_of(y_scale))
    real = call.of("Mul", cast(call, total, FLOAT), scale)
    if y_scale is None or y_zero is None:
        return real
    return quantized(call, real, call.constant(1, FLOAT), number_of(y_zero))


@operator("MatMulIntegerToFloat", domain=MICROSOFT)
def _matmul_integer_to_float(call: Call) -> Value:
    a, b, a_scale, b_scale = (call.value(index) for index in range(4))
    total = integer_product(call, a, b, call.optional(4), call.optional(5))
    real = requantized(call, total, call.of("Mul", number_of(rows_of(a_scale)), number_of(b_scale)), None, None)
    bias = call.optional(6)
    return real if bias is None else call.of("Add", real, bias)


@operator("DynamicQuantizeMatMul", domain=MICROSOFT)
def _dynamic_quantize_matmul(call: Call) -> Value:
    node = onnx.helper.make_node("DynamicQuantizeLinear", ["x"], ["y", "scale", "zero"])
    a, a_scale, a_zero = call.run.evaluated([node], {"x": call.value(0)}, ["y", "scale", "zero"])
    total = integer_product(call, a, call.value(1), a_zero, call.optional(3))
    real = requantized(call, total, call.of("Mul", a_scale, number_of(call.value(2))), None, None)
    bias = call.optional(4)
    return real if bias is None else call.of("Add", real, bias)


@operator("QGemm", attributes="alpha transA transB", domain=MICROSOFT)
def _qgemm(call: Call) -> Value:
    a, a_scale, a_zero, b, b_scale, b_zero = (call.value(index) for index in range(6))
    a = swapped(a) if call.attributes.get("transA") else a
    b = swapped(b) if call.attributes.get("transB") else b
    total, bias = integer_product(call, a, b, a_zero, b_zero), call.optional(6)
    total = total if bias is None else call.of("Add", total, bias)
    alpha, scale = float(call.attributes.get("alpha", 1.0)), number_of(rows_of(a_scale))
    scale = scale if alpha == 1 else call.of("Mul", call.constant(alpha, FLOAT), scale)
    scale = call.of("Mul", scale, number_of(b_scale))
    return requantized(call, total, scale, call.optional(7), call.optional(8))


BYTES = 4
"""The `accuracy_level` at which engines may quantize A."""
PARAMETERS = ("alpha", "beta", "gamma")
SCALED = {"ParametricSoftplus": "Softplus", "ScaledTanh": "Tanh"}
"""alpha * function(beta * x)."""


@operator("FusedGemm", attributes="alpha beta transA transB activation activation_alpha activation_beta "
          "activation_gamma", domain=MICROSOFT)  # fmt: skip
def _fused_gemm(call: Call) -> Value:
    a, b = (swapped(call.value(i)) if call.attributes.get(f"trans{'AB'[i]}") else call.value(i) for i in range(2))
    return _activated(call, scaled(call, a, b, call.optional(2)))


def _activated(call: Call, y: Value) -> Value:
    activation = call.attributes.get("activation", b"").decode()
    given = {name: call.attributes[f"activation_{name}"] for name in PARAMETERS
             if f"activation_{name}" in call.attributes}  # fmt: skip
    if activation not in SCALED:
        return call.of(activation, y, **given)
    alpha, beta = (call.constant(given[name], y.dtype) for name in ("alpha", "beta"))
    return call.of("Mul", call.of(SCALED[activation], call.of("Mul", y, beta)), alpha)


@operator("FusedMatMulActivation", attributes="alpha transA transB transBatchA transBatchB activation "
          "activation_alpha activation_beta activation_gamma", domain=MICROSOFT)  # fmt: skip
def _fused_matmul_activation(call: Call) -> Value:
    return _activated(call, fused_product(call))


@operator("GemmFastGelu", domain=MICROSOFT)
def _gemm_fast_gelu(call: Call) -> Value:
    """X = A @ B + bias; 0.5 * x * (1 + tanh(x * (0.7978845608 + 0.0356774081 * x * x)))."""
    x, bias = product(call, call.value(0), call.value(1)), call.optional(2)
    x = x if bias is None else call.of("Add", x, bias)
    near, far, one, half = (
        call.constant(number, x.dtype) for number in (0.7978845608028654, 0.035677408136300125, 1, 0.5)
    )
    slope = call.of("Add", call.of("Mul", call.of("Mul", x, x), far), near)
    curve = call.of("Tanh", call.of("Mul", x, slope))
    return call.of("Mul", call.of("Mul", x, half), call.of("Add", curve, one))


@operator("MatMulNBits", attributes="K N bits block_size accuracy_level", domain=MICROSOFT)
def _matmul_nbits(call: Call) -> Value:
    """Weights of a few bits in blocks along K: (code - zero point) * scale, as float32 has it."""
    a, packed, scales, zeros, order, bias = (call.optional(index) for index in range(6))
    k, n, bits, size = (int(call.attributes.get(name, 4)) for name in ("K", "N", "bits", "block_size"))
    if a is None or order is not None or packed is None or scales is None:
        raise UnprovenError("MatMulNBits with blocks in an order of their own")
    if packed.known is None or scales.known is None or (zeros is not None and zeros.known is None):
        raise UnprovenError("MatMulNBits of weights that aren't constants")
    if min(k, n, size) < 1 or bits not in (2, 4, 8):
        raise UnprovenError(f"MatMulNBits has K {k}, N {n}, bits {bits}, block_size {size}")
    call.run.coarse |= int(call.attributes.get("accuracy_level", 0)) == BYTES
    blocks = -(-k // size)
    codes = _unpacked(packed.known.reshape(n, -1), bits).reshape(n, blocks, size).astype(np.float32)
    if zeros is None or zeros.known is None:
        zero = np.full((n, blocks), 1 << (bits - 1), np.float32)
    elif zeros.dtype == ir.DataType.UINT8:
        zero = _unpacked(zeros.known.reshape(n, -1), bits)[:, :blocks].astype(np.float32)
    else:
        zero = zeros.known.reshape(n, blocks).astype(np.float32)
    numbers = (codes - zero[..., None]) * scales.known.reshape(n, blocks, 1).astype(np.float32)
    weights = numbers.reshape(n, -1)[:, :k].T.astype(a.dtype.numpy())
    y = call.of("MatMul", a, Value.constant(call.field, weights, a.dtype))
    return y if bias is None else call.of("Add", y, bias)


def _unpacked(packed: np.ndarray, bits: int) -> np.ndarray:
    """Codes of 2, 4 or 8 bits, the lowest first in each byte."""
    places = np.arange(0, 8, bits, dtype=np.uint8)
    codes = (packed[..., None] >> places) & np.uint8((1 << bits) - 1)
    return np.asarray(codes.reshape(*packed.shape[:-1], -1))
