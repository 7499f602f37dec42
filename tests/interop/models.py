"""Small models on whole numbers, so that every order of summation gives the same; each lowered to two limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import onnx

import onnxtile
from tests.support import FORMS, parse, run_onnxruntime, whole

F32, I8, I32 = np.dtype(np.float32), np.dtype(np.int8), np.dtype(np.int32)
LIMITS = ((8, 8, 8), (16, 24, 16))
HEAD = '<ir_version: 8, opset_import: ["" : 17]> g'
"""The newest opset of which all neighbours know all operators."""


def mlp() -> onnx.ModelProto:
    text = """(float[10,20] x) => (float[10,9] y)
    { [fc1] a = MatMul (x, w1)  b = Relu (a)  [fc2] y = Gemm (b, w2, c) }"""
    return parse(HEAD + text, w1=whole([20, 18], F32, 1), w2=whole([18, 9], F32, 2), c=whole([9], F32, 3))


def convolutions() -> onnx.ModelProto:
    text = """(float[1,3,8,8] x) => (float[1,10] y) {
        [conv1] a = Conv <pads = [1, 1, 1, 1]> (x, w1, c1)  b = Relu (a)
        p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (b)
        [conv2] d = Conv <strides = [2, 2], kernel_shape = [1, 1]> (p, w2)  e = Relu (d)
        f = Flatten (e)  [fc] y = Gemm <transB = 1> (f, w3, c3)
    }"""
    return parse(
        HEAD + text, w1=whole([9, 3, 3, 3], F32, 1), c1=whole([9], F32, 2), w2=whole([12, 9, 1, 1], F32, 3),
        w3=whole([10, 48], F32, 4), c3=whole([10], F32, 5),
    )  # fmt: skip


def quantized() -> onnx.ModelProto:
    """Two products between quantizers; scales are powers of two, so nothing is rounded but what is to be."""
    text = """(float[10,20] x) => (float[10,9] y) {
        q = QuantizeLinear (x, s, z)  d = DequantizeLinear (q, s, z)
        v1 = DequantizeLinear (w1, s, z)  [fc1] a = MatMul (d, v1)  b = Relu (a)
        r = QuantizeLinear (b, t, z)  e = DequantizeLinear (r, t, z)
        v2 = DequantizeLinear (w2, s, z)  k = DequantizeLinear (c, u, i)  [fc2] f = Gemm (e, v2, k)
        o = QuantizeLinear (f, t, z)  y = DequantizeLinear (o, t, z)
    }"""
    return parse(
        HEAD + text, w1=whole([20, 18], I8, 1), w2=whole([18, 9], I8, 2), c=whole([9], I32, 3), s=np.float32(0.5),
        t=np.float32(2), u=np.float32(1), z=np.int8(0), i=np.int32(0),
    )  # fmt: skip


MODELS = {"mlp": mlp, "convolutions": convolutions, "quantized": quantized}


@dataclass(frozen=True)
class Case:
    """A model, limits and a form; `str` is the test's name."""

    name: str
    limits: tuple[int, int, int]
    form: str

    def __str__(self) -> str:
        return f"{self.name}-{'x'.join(map(str, self.limits))}-{self.form}"

    @property
    def original(self) -> onnx.ModelProto:
        return _original(self.name)

    @property
    def lowered(self) -> onnx.ModelProto:
        return lower(self.original, self)

    @property
    def feeds(self) -> Mapping[str, np.ndarray]:
        shape = [dim.dim_value for dim in self.original.graph.input[0].type.tensor_type.shape.dim]
        return {"x": whole(shape, F32, 9)}

    @property
    def expected(self) -> np.ndarray:
        """Return what onnxruntime gives for the original, without its optimizer."""
        return _expected(self)


CASES = [Case(name, limits, form) for name in MODELS for limits in LIMITS for form in FORMS]


def lower(model: onnx.ModelProto, case: Case) -> onnx.ModelProto:
    return onnxtile.lower(model, case.limits, form=case.form)  # type: ignore[call-overload]  # a name of a form


@cache
def _original(name: str) -> onnx.ModelProto:
    return MODELS[name]()


@cache
def _expected(case: Case) -> np.ndarray:
    return run_onnxruntime(case.original, case.feeds, optimize=False)[0]
