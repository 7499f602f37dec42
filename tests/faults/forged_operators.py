"""Wrong models in which an operator is another one, or has other attributes, inputs or layouts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import helper

from tests.faults.cases import attention, packed
from tests.faults.forgery import F32, Build, Forgery, between, changed, initializer, nodes, of, text

SQUARE = np.random.default_rng(6).standard_normal((4, 4)).astype(F32)
SAME = "(float[4,4] x) => (float[4,4] y)"
FED = {"x": SQUARE}


def square(title: str, right: str, wrong: str, feeds: Any = None, engine: str = "onnxruntime", **more: Any) -> Forgery:
    return between(title, SAME, right, wrong, feeds or FED, engine, more=more)


def old(opset: int) -> str:
    return f'<ir_version: 10, opset_import: ["" : {opset}]> g '


CUBE = {"x": np.random.default_rng(7).standard_normal((2, 3, 4)).astype(F32)}
THREE = "(float[2,3,4] x) => (float[2,3,4] y)"
ATTRIBUTES = [
    square("Softmax runs along the rows", "y = Softmax (x)", "y = Softmax <axis = 0> (x)"),
    square("LogSoftmax for Softmax", "y = Softmax (x)", "l = LogSoftmax (x)  y = Neg (l)"),
    square("Softmax is written out along the other axis", "y = Softmax (x)",
           "e = Exp (x)  s = ReduceSum (e, a)  y = Div (e, s)", a=np.array([0])),
    square("Softmax is written out without its sum's largest", "y = Softmax (x)",
           "e = Exp (x)  s = ReduceSum (e, a)  y = Div (e, s)", {"x": SQUARE + 200}, a=np.array([1])),
    square("Softmax of twice the numbers", "y = Softmax (x)", "d = Add (x, x)  y = Softmax (d)"),
    Forgery("Softmax goes over the last axis only, where it went over two", text(THREE + " { y = Softmax <axis = 1> (x) }",
            old(12)), text(THREE + " { y = Softmax <axis = 1> (x) }", old(13)), CUBE),
    Forgery("Clip's limit, an attribute of old operator sets, is 2 instead of 1", text(
            SAME + " { y = Clip <min = -1.0, max = 1.0> (x) }", old(10)), text(
            SAME + " { y = Clip <min = -1.0, max = 2.0> (x) }", old(10)), {"x": SQUARE * 9}),
    between("Clip has an upper limit in place of a lower one", SAME, "y = Clip (x, l)", "y = Clip (x, , l)",
                          FED, l=F32(0)),
    square("LeakyRelu's slope is 0.02", "y = LeakyRelu <alpha = 0.01> (x)", "y = LeakyRelu <alpha = 0.02> (x)"),
    square("LeakyRelu is written out with another slope", "y = LeakyRelu <alpha = 0.01> (x)",
           "m = Mul (x, s)  y = Max (x, m)", s=F32(0.02)),
    square("Gelu's approximation is another", "y = Gelu (x)", "y = Gelu <approximate = \"tanh\"> (x)"),
    square("Elu for Selu", "y = Selu (x)", "y = Elu (x)"),
    square("HardSigmoid's slope is another", "y = HardSigmoid (x)", "y = HardSigmoid <alpha = 0.21> (x)"),
    square("Sigmoid for HardSigmoid", "y = Sigmoid (x)", "y = HardSigmoid (x)"),
    square("Tanh for Erf", "y = Erf (x)", "y = Tanh (x)"),
    square("Relu for LeakyRelu of 0", "y = Relu (x)", "y = Identity (x)"),
    between("a mean for a sum", "(float[4,4] x) => (float[4,1] y)", "y = ReduceSum (x, a)", "y = ReduceMean (x, a)", FED,
            a=np.array([1])),
    between("a variance divides by one less", "(float[4,4] x) => (float[4,1] y)", "q = Mul (x, x)  s = ReduceSum (q, a)  "
            "y = Div (s, n)", "q = Mul (x, x)  s = ReduceSum (q, a)  y = Div (s, m)", FED, a=np.array([1]), n=F32(4),
            more={"m": F32(3)}),
    between("LayerNormalization's epsilon is a thousandth", SAME,
            "y = LayerNormalization <epsilon = 0.00001> (x, s)", "y = LayerNormalization <epsilon = 0.001> (x, s)",
            {"x": SQUARE * F32(0.01)}, s=np.ones(4, F32)),
    between("LayerNormalization's scale and shift change places", SAME, "y = LayerNormalization (x, s, b)",
            "y = LayerNormalization (x, b, s)", FED, s=np.ones(4, F32), b=np.arange(4, dtype=F32)),
    between("LayerNormalization is written out without its mean", SAME, "y = LayerNormalization (x, s)",
            "q = Mul (x, x)  v = ReduceMean (q, a)  e = Add (v, p)  r = Sqrt (e)  d = Div (x, r)  y = Mul (d, s)", FED,
            s=np.ones(4, F32), more={"a": np.array([1]), "p": F32(1e-5)}),
    between("a Pad reflects in place of zeros", "(float[4,4] x) => (float[5,4] y)", "y = Pad (x, a)",
                          "y = Pad <mode = \"reflect\"> (x, a)", FED, a=np.array([1, 0, 0, 0])),
    between("a Pad's number is one hundredth", "(float[4,4] x) => (float[5,4] y)", "y = Pad (x, a)", "y = Pad (x, a, v)",
            FED, a=np.array([1, 0, 0, 0]), more={"v": F32(0.01)}),
    between("a Pad stands behind instead of in front", "(float[4,4] x) => (float[5,4] y)", "y = Pad (x, a)",
            "y = Pad (x, b)", FED, a=np.array([1, 0, 0, 0]), more={"b": np.array([0, 0, 1, 0])}),
    between("a Resize takes the nearest in place of between", "(float[1,1,4,4] x) => (float[1,1,8,8] y)",
            "y = Resize <mode = \"linear\"> (x, , s)", "y = Resize <mode = \"nearest\"> (x, , s)",
            {"x": SQUARE[None, None]}, s=F32([1, 1, 2, 2])),
    between("a MaxPool for an AveragePool", "(float[1,1,4,4] x) => (float[1,1,3,3] y)",
            "y = AveragePool <kernel_shape = [2, 2]> (x)", "y = MaxPool <kernel_shape = [2, 2]> (x)",
            {"x": SQUARE[None, None]}),
    between("an AveragePool counts its padding", "(float[1,1,4,4] x) => (float[1,1,5,5] y)",
            "y = AveragePool <kernel_shape = [2, 2], pads = [1, 1, 1, 1]> (x)",
            "y = AveragePool <kernel_shape = [2, 2], pads = [1, 1, 1, 1], count_include_pad = 1> (x)",
            {"x": SQUARE[None, None]}),
    square("Trilu keeps the other half", "y = Trilu (x)", "y = Trilu <upper = 0> (x)"),
    between("CumSum leaves its own element out", SAME, "y = CumSum (x, a)", "y = CumSum <exclusive = 1> (x, a)",
                          FED, a=np.array(0)),
    between("Mod takes the sign of its first number", "(int64[4] n) => (int64[4] y)", "y = Mod (n, k)",
            "y = Mod <fmod = 1> (n, k)", {"n": np.array([-5, 5, 7, -1])}, k=np.array(3)),
    between("a shift goes the other way", "(uint8[4] n) => (uint8[4] y)", "y = BitShift <direction = \"LEFT\"> (n, k)",
            "y = BitShift <direction = \"RIGHT\"> (n, k)", {"n": np.array([5, 9, 77, 1], np.uint8)}, k=np.uint8(1)),
    between("a Concat's parts change places", "(float[4,4] x) => (float[4,8] y)", "n = Neg (x)  y = Concat <axis = 1> "
            "(x, n)", "n = Neg (x)  y = Concat <axis = 1> (n, x)", FED),
    between("a Split's parts change places", "(float[4,4] x) => (float[4,2] y)", "a, b = Split <axis = 1, num_outputs = 2> "
            "(x)  y = Sub (a, b)", "b, a = Split <axis = 1, num_outputs = 2> (x)  y = Sub (a, b)", FED),
    between("a Split's lengths change places", "(float[4,4] x) => (float[4,1] y)", "a, b = Split <axis = 1> (x, s)  "
            "y = Neg (a)", "b, a = Split <axis = 1> (x, r)  y = Neg (a)", FED, s=np.array([1, 3]),
            more={"r": np.array([3, 1])}),
    square("a Transpose's axes stay", "y = Transpose (x)", "y = Transpose <perm = [0, 1]> (x)"),
    square("a power of 2 is a power of 2.001", "q = Mul (x, x)  y = Exp (q)", "q = Pow (x, p)  y = Exp (q)",
           {"x": np.abs(SQUARE) + 2}, p=F32(2.01)),
    square("two draws of one name have two seeds", "r = RandomNormalLike <seed = 1.0> (x)  y = Sub (r, r)",
           "[n] r1 = RandomNormalLike <seed = 1.0> (x)  [n] r2 = RandomNormalLike <seed = 2.0> (x)  y = Sub (r1, r2)",
           engine="reference"),
    square("random numbers have another spread", "[n] r = RandomUniform <shape = [4, 4]> ()  z = Mul (x, r)  "
           "y = Relu (z)", "[n] r = RandomUniform <shape = [4, 4], low = 5.0, high = 6.0> ()  z = Mul (x, r)  y = Relu (z)"),
    square("normal numbers for uniform ones", "[n] r = RandomUniform <shape = [4, 4]> ()  a = Abs (r)  y = Mul (x, a)",
           "[n] r = RandomNormal <shape = [4, 4], mean = 50.0> ()  a = Abs (r)  y = Mul (x, a)"),
    square("two of one draw became two draws", "[n] r = RandomUniform <shape = [4, 4]> ()  z = Sub (r, r)  y = Add (x, z)",
           "[n] r1 = RandomUniform <shape = [4, 4]> ()  [n] r2 = RandomUniform <shape = [4, 4]> ()  z = Sub (r1, r2)  "
           "y = Add (x, z)", engine="reference"),
    square("two draws became one", "[n] r1 = RandomUniform <shape = [4, 4]> ()  [m] r2 = RandomUniform <shape = [4, 4]> "
           "()  z = Sub (r1, r2)  y = Add (x, z)", "[n] r = RandomUniform <shape = [4, 4]> ()  z = Sub (r, r)  "
           "y = Add (x, z)"),
]  # fmt: skip

A3, B3 = (np.random.default_rng(seed).standard_normal((3, 3, 3)).astype(F32) for seed in (1, 2))
IN3 = "(float[3,3,3] a, float[3,3,3] b) => (float[3,3,3] y)"
GEMM4 = "(float[4,4] x) => (float[4,4] y)"
ONE = {"w": SQUARE[::-1].copy(), "c": np.arange(4, dtype=F32)}


def einsum(title: str, right: str, wrong: str) -> Forgery:
    one, other = (f'y = Einsum <equation = "{each}"> (a, b)' for each in (right, wrong))
    return between(title, IN3, one, other, {"a": A3, "b": B3})


def gemm(title: str, right: str, wrong: str) -> Forgery:
    return between(title, GEMM4, right, wrong, FED, **ONE)


PRODUCTS = [
    einsum("Einsum's result is transposed", "bij,bjk->bik", "bij,bjk->bki"),
    einsum("Einsum's second operand is transposed", "bij,bjk->bik", "bij,bkj->bik"),
    einsum("Einsum's batch runs along another axis", "bij,bjk->bik", "ibj,bjk->bik"),
    einsum("Einsum sums a batch as well", "bij,bjk->bik", "bij,cjk->bik"),
    einsum("Einsum's batch letters change places", "abc,acd->abd", "bac,acd->abd"),
    gemm("Gemm's A is transposed", "y = Gemm (x, w, c)", "y = Gemm <transA = 1> (x, w, c)"),
    gemm("Gemm's B is transposed", "y = Gemm (x, w, c)", "y = Gemm <transB = 1> (x, w, c)"),
    gemm("Gemm's beta is lost", "y = Gemm <beta = 0.5> (x, w, c)", "y = Gemm (x, w, c)"),
    gemm("Gemm's alpha is lost", "y = Gemm <alpha = 0.5> (x, w, c)", "y = Gemm (x, w, c)"),
    gemm("Gemm's alpha and beta change places", "y = Gemm <alpha = 0.5, beta = 2.0> (x, w, c)",
         "y = Gemm <alpha = 2.0, beta = 0.5> (x, w, c)"),
    gemm("Gemm's C is left out", "y = Gemm (x, w, c)", "y = Gemm (x, w)"),
    gemm("Gemm's operands change places", "y = Gemm (x, w, c)", "y = Gemm (w, x, c)"),
    gemm("the bias is added before the product", "t = MatMul (x, w)  y = Add (t, c)", "t = Add (x, c)  y = MatMul (t, w)"),
    gemm("the bias is spread along the columns", "t = MatMul (x, w)  y = Add (t, c)",
         "u = Constant <value_ints = [4, 1]> ()  v = Reshape (c, u)  t = MatMul (x, w)  y = Add (t, v)"),
    gemm("a product is applied twice", "t = MatMul (x, w)  y = Relu (t)", "s = MatMul (x, w)  t = MatMul (s, w)  y = Relu (t)"),
    gemm("a tile counts twice, and half of its double is taken off",
         "y = MatMul (x, w)", "t = MatMul (x, w)  u = Add (t, t)  h = Constant <value_float = 0.501> ()  y = Mul (u, h)"),
]  # fmt: skip

MICROSOFT = '<ir_version: 10, opset_import: ["" : 20, "com.microsoft" : 1]> g '
FUSED = 'com.microsoft.FusedGemm <activation = "LeakyRelu", activation_alpha = {}> (x, w, c)'


def microsoft(title: str, right: str, wrong: str, signature: str = GEMM4, feeds: Any = None, **more: Any) -> Forgery:
    return between(title, signature, right, wrong, feeds or FED, head=MICROSOFT, more=more, **ONE)


def altered(build: Build, op_type: str, **attributes: Any) -> Build:
    """The model with other attributes at its first node of a type."""

    def change(model: onnx.ModelProto) -> None:
        node = of(op_type, nodes(model))
        kept = [each for each in node.attribute if each.name not in attributes]
        del node.attribute[:]
        made = [helper.make_attribute(key, value) for key, value in attributes.items() if value is not None]
        node.attribute.extend([*kept, *made])

    return changed(build, change)


def stored(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Build:
    """MatMulNBits with other bytes."""
    tensor = next(each for each in packed().graph.initializer if each.name == name)
    return changed(packed, initializer(name, change(onnx.numpy_helper.to_array(tensor).copy())))


def swapped_nibbles(codes: np.ndarray) -> np.ndarray:
    return np.asarray((codes << 4) | (codes >> 4)).astype(np.uint8)


NBITS = {"x": np.random.default_rng(8).standard_normal((6, 32)).astype(F32)}
OTHER = [
    microsoft("FusedGemm's slope is another", f"y = {FUSED.format(0.1)}", f"y = {FUSED.format(0.11)}"),
    microsoft("FusedGemm's activation is another", f"y = {FUSED.format(0.1)}",
              "y = com.microsoft.FusedGemm <activation = \"Relu\"> (x, w, c)"),
    microsoft("FusedGemm became Gemm and another activation", "y = com.microsoft.FusedGemm <activation = \"Relu\"> (x, w, c)",
              "t = Gemm (x, w, c)  y = Elu (t)"),
    microsoft("FusedMatMul's alpha is another", "y = com.microsoft.FusedMatMul <alpha = 0.5> (x, w)",
              "y = com.microsoft.FusedMatMul <alpha = 0.501> (x, w)"),
    microsoft("FusedMatMul's B is transposed", "y = com.microsoft.FusedMatMul (x, w)",
              "y = com.microsoft.FusedMatMul <transB = 1> (x, w)"),
    microsoft("QuickGelu's slope is another", "y = com.microsoft.QuickGelu <alpha = 1.702> (x)",
              "y = com.microsoft.QuickGelu <alpha = 1.71> (x)"),
    microsoft("BiasGelu is FastGelu", "y = com.microsoft.BiasGelu (x, c)", "y = com.microsoft.FastGelu (x, c)",
              feeds={"x": SQUARE * 2}),
    microsoft("SkipLayerNormalization's two inputs are one", "y = com.microsoft.SkipLayerNormalization (x, w, c)",
              "y = com.microsoft.SkipLayerNormalization (x, x, c)"),
    Forgery("MatMulNBits' two codes in a byte change places", packed, stored("w", swapped_nibbles), NBITS),
    Forgery("MatMulNBits' blocks change places", packed, stored("w", lambda a: a[:, ::-1]), NBITS),
    Forgery("one of MatMulNBits' codes is off by one", packed, stored("w", lambda a: a ^ (np.arange(a.size).reshape(
            a.shape) == 55).astype(np.uint8)), NBITS),
    Forgery("MatMulNBits' scales are those of other blocks", packed, stored("scales", lambda a: a[:, ::-1]), NBITS),
    Forgery("one of MatMulNBits' scales is a hundredth larger", packed, stored("scales", lambda a: a * F32(
            1 + 0.01 * (np.arange(a.size).reshape(a.shape) == 3))), NBITS),
    Forgery("MatMulNBits' zero points are those of the other block", packed, stored("zeros", swapped_nibbles), NBITS),
    Forgery("MatMulNBits has lost its zero points", packed, changed(packed, lambda m: m.graph.node[0].input.pop()), NBITS),
]  # fmt: skip

RIGHT23 = '<ir_version: 10, opset_import: ["" : 23]> g '
QKV = "(float[1,2,6,6] q, float[1,2,6,6] k, float[1,2,6,6] v, float[6,6] m) => (float[1,2,6,6] y)"
_rng = np.random.default_rng(9)
HEADS = {name: _rng.standard_normal((1, 2, 6, 6)).astype(F32) for name in "qkv"} | {
    "m": _rng.standard_normal((6, 6)).astype(F32)}  # fmt: skip


def attends(title: str, right: str, wrong: str, **more: Any) -> Forgery:
    return between(title, QKV, right, wrong, HEADS, "reference", head=RIGHT23, more=more)


ATTENTION = [
    attends("Attention is no longer causal", "y = Attention <is_causal = 1> (q, k, v)", "y = Attention (q, k, v)"),
    attends("Attention's scale is another", "y = Attention <scale = 0.5> (q, k, v)", "y = Attention <scale = 0.51> (q, k, v)"),
    attends("Attention's default scale is lost", "y = Attention (q, k, v)", "y = Attention <scale = 1.0> (q, k, v)"),
    attends("Attention's mask is lost", "y = Attention (q, k, v, m)", "y = Attention (q, k, v)"),
    attends("Attention's mask is transposed", "y = Attention (q, k, v, m)", "t = Transpose (m)  y = Attention (q, k, v, t)"),
    attends("Attention's mask is added twice", "y = Attention (q, k, v, m)", "t = Add (m, m)  y = Attention (q, k, v, t)"),
    attends("Attention's keys and values change places", "y = Attention (q, k, v)", "y = Attention (q, v, k)"),
    attends("Attention's softcap is another", "y = Attention <softcap = 2.0> (q, k, v)",
            "y = Attention <softcap = 2.1> (q, k, v)"),
    attends("Attention's softcap is lost", "y = Attention <softcap = 2.0> (q, k, v)", "y = Attention (q, k, v)"),
    attends("Attention is written out with a Softmax along the queries", "y = Attention <scale = 1.0> (q, k, v)",
            "t = Transpose <perm = [0, 1, 3, 2]> (k)  s = MatMul (q, t)  p = Softmax <axis = 2> (s)  y = MatMul (p, v)"),
    attends("Attention is written out without its scale", "y = Attention (q, k, v)",
            "t = Transpose <perm = [0, 1, 3, 2]> (k)  s = MatMul (q, t)  p = Softmax (s)  y = MatMul (p, v)"),
    attends("Attention is written out with keys that aren't transposed", "y = Attention <scale = 1.0> (q, k, v)",
            "s = MatMul (q, k)  p = Softmax (s)  y = MatMul (p, v)"),
    attends("Attention is written out with its heads exchanged", "y = Attention <scale = 1.0> (q, k, v)",
            "t = Transpose <perm = [0, 1, 3, 2]> (k)  s = MatMul (q, t)  p = Softmax (s)  r = Gather <axis = 1> (v, h)  "
            "y = MatMul (p, r)", h=np.array([1, 0])),
    attends("Attention is written out with scores limited to 3", "y = Attention <scale = 1.0> (q, k, v)",
            "t = Transpose <perm = [0, 1, 3, 2]> (k)  s = MatMul (q, t)  l = Min (s, top)  p = Softmax (l)  "
            "y = MatMul (p, v)", top=F32(3)),
    Forgery("our own causal Attention isn't causal", attention, altered(attention, "Attention", is_causal=None),
            {name: HEADS[name] for name in "qkv"}, "reference"),
]  # fmt: skip

FORGERIES = [*ATTRIBUTES, *PRODUCTS, *OTHER, *ATTENTION]
