"""Wrong models that differ for infinity, NaN and zero only, or in the integers of quantized numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.faults.cases import integers
from tests.faults.forgery import F32, Forgery, X, behind, between, changed, initializer, product, text

INF = np.where(np.eye(2, 8) > 0, F32([[np.inf], [1]]), X)
INF[1, 1] = X[1, 1]
FED = {"x": INF}
"""Infinity in the first row only: the second row has nothing to do with it."""
ELEMENT = "e0 = Gather <axis = 0> (x, i)  e = Gather <axis = 1> (e0, i)  t = MatMul (x, w)  "
I = {"i": np.array([0])}
ZERO = {"zero": np.zeros((1, 1), F32)}
SIGN = "(float[2,4] x) => (float[2,4] y)"
FOUR = {"x": X[:, :4]}


def zero(title: str, body: str, **constants: Any) -> Forgery:
    """e is an element of row 0, t the product."""
    return product(title, ELEMENT + body, FED, **I, **ZERO, **constants)


NOT_FINITE = [
    zero("zero times an element is added to each row", "q = Mul (e, zero)  y = Add (t, q)"),
    zero("zero times an element, divided by one, is added to each row",
         "q = Mul (e, zero)  d = Div (q, one)  y = Add (t, d)", one=F32(1)),
    zero("the square of zero times an element is added to each row",
         "q = Mul (e, zero)  d = Mul (q, q)  y = Add (t, d)"),
    zero("zero times zero times an element is added to each row", "q = Mul (e, zero)  d = Mul (q, zero)  y = Add (t, d)"),
    zero("zero times an element is added and taken off", "q = Mul (e, zero)  a = Add (t, q)  y = Sub (a, q)"),
    zero("zero times an element, less itself, is added", "q = Mul (e, zero)  d = Sub (q, q)  y = Add (t, d)"),
    zero("zero times an element and minus zero times it are added",
         "q = Mul (e, zero)  n = Neg (q)  a = Add (t, q)  y = Add (a, n)"),
    zero("zero times an element is added in float16's range", "q = Mul (e, zero)  h = Cast <to = 10> (q)  "
         "f = Cast <to = 1> (h)  y = Add (t, f)"),
    zero("zero times an element is added by a wider product", "q = MatMul (e, zeros)  y = Add (t, q)",
         zeros=np.zeros((1, 4), F32)),
    zero("zero times an element is added by Gemm's C", "q = Mul (e, zero)  y = Gemm (x, w, q)"),
    zero("zero times an element is added by a Sum", "q = Mul (e, zero)  y = Sum (t, q, q)"),
    zero("zero times an element is added by Einsum", "q = Einsum <equation = \"ij,jk->ik\"> (e, zero)  y = Add (t, q)"),
    zero("zero times an element is added behind a reduction", "q = Mul (e, zeros)  r = ReduceSum (q)  y = Add (t, r)",
         zeros=np.zeros((1, 3), F32)),
    zero("zero times an element is added that's hidden in a power", "q = Mul (e, zero)  p = Pow (q, two)  y = Add (t, p)",
         two=F32(2)),
    zero("all rows are multiplied by zero times an element, and one", "q = Mul (e, zero)  p = Add (q, one)  "
         "y = Mul (t, p)", one=F32(1)),
    product("each row is padded with a zero that meets another row's number", "xt = Transpose (x)  "
            "f = Flatten <axis = 0> (xt)  z = MatMul (f, zeros)  t = MatMul (x, w)  y = Add (t, z)", FED,
            zeros=np.zeros((16, 4), F32)),
    product("the rows are mixed by an identity matrix", "m = MatMul (eye, x)  y = MatMul (m, w)", FED, eye=np.eye(2, dtype=F32)),
    behind("the columns are mixed by an identity matrix", "y = MatMul (t, eye)", {"x": X},
           eye=np.eye(4, dtype=F32) + np.eye(4, k=1, dtype=F32) * F32(0.01)),
    product("the product less itself, plus itself", "t = MatMul (x, w)  z = Sub (t, t)  y = Add (t, z)",
            {"x": np.where(np.eye(2, 8) > 0, F32(np.inf), X)}),
    between("x / 0 became 0 x", SIGN, "y = Div (x, z)", "y = Mul (x, z)", FOUR, z=F32(0)),
    between("x / 0 became x / -0", SIGN, "y = Div (x, z)", "y = Div (x, m)", FOUR, z=F32(0), more={"m": F32(-0.0)}),
    between("1 / 0 became 1 / -0, of a constant", SIGN, "r = Reciprocal (z)  y = Mul (x, r)",
            "r = Reciprocal (m)  y = Mul (x, r)", FOUR, z=F32(0), more={"m": F32(-0.0)}),
    between("0 x became 0", SIGN, "y = Mul (x, z)", "o = Mul (z, z)  s = Shape (x)  y = Expand (o, s)",
            {"x": X[:, :4] * np.inf}, z=F32(0)),
    between("x / x became 1", SIGN, "y = Div (x, x)", "s = Shape (x)  y = Expand (one, s)", {"x": X[:, :4] * 0},
            more={"one": F32(1)}),
    between("x - x became 0", SIGN, "y = Sub (x, x)", "s = Shape (x)  y = Expand (z, s)", {"x": X[:, :4] * np.inf},
            more={"z": F32(0)}),
    between("a sum times infinity became a sum of products", "(float[2,4] x, float[2,4] b) => (float[2,4] y)",
            "s = Add (x, b)  y = Mul (s, c)", "p = Mul (x, c)  q = Mul (b, c)  y = Add (p, q)",
            {"x": X[:, :4], "b": -X[:, :4] / 2}, c=F32(np.inf)),
    between("an infinite constant became NaN", SIGN, "y = Add (x, c)", "y = Add (x, d)", FOUR, c=F32(np.inf),
            more={"d": F32(np.nan)}),
    between("an infinite constant has lost its sign", SIGN, "y = Add (x, c)", "y = Add (x, d)", FOUR, c=F32(np.inf),
            more={"d": F32(-np.inf)}),
    between("a largest number became infinity", SIGN, "y = Min (x, c)", "y = Min (x, d)",
            {"x": X[:, :4] * 0 + F32(np.inf)}, c=np.finfo(F32).max, more={"d": F32(np.inf)}),
    between("a weight's smallest number became zero", SIGN, "y = Mul (x, c)", "y = Mul (x, d)",
            {"x": X[:, :4] * F32(1e30)}, c=F32(1e-40), more={"d": F32(0)}),
    between("Max(x, NaN's place)", SIGN, "y = Max (x, z)", "g = Greater (x, z)  y = Where (g, x, z)",
            {"x": X[:, :4] * np.nan}, z=F32(0)),
    between("IsInf sees one sign only", SIGN, "i = IsInf (x)  y = Where (i, z, x)",
            "i = IsInf <detect_negative = 0> (x)  y = Where (i, z, x)", {"x": X[:, :4] * 0 - F32(np.inf)}, z=F32(0)),
    between("a Cast to float8 doesn't saturate", "(float[4] x) => (float[4] y)", "q = Cast <to = 17> (x)  "
            "y = Cast <to = 1> (q)", "q = Cast <to = 17, saturate = 0> (x)  y = Cast <to = 1> (q)",
            {"x": F32([1, 900, -900, 2])}),
    between("a constant's Cast to float8 doesn't saturate", "(float[4] x) => (float[4] y)", "q = Cast <to = 17> (c)  "
            "d = Cast <to = 1> (q)  y = Mul (x, d)", "q = Cast <to = 17, saturate = 0> (c)  d = Cast <to = 1> (q)  "
            "y = Mul (x, d)", {"x": F32([1, 9, -9, 2])}, c=F32([1, 900, -900, 2])),
    between("a float8 of another kind", "(float[4] x) => (float[4] y)", "q = Cast <to = 17> (x)  "
            "y = Cast <to = 1> (q)", "q = Cast <to = 19> (x)  y = Cast <to = 1> (q)",
            {"x": F32([1.1, 9.3, -9, 2])}),
]  # fmt: skip

BYTES = "(uint8[2,64] x) => (int32[2,4] y)"
w8 = np.random.default_rng(3).integers(0, 256, (64, 4)).astype(np.uint8)
EDGE = {"x": np.full((2, 64), 255, np.uint8)}
RANDOM = {"x": integers(2, 64, dtype=np.uint8)}
MMI = "y = MatMulInteger (x, w)"
ZP = "y = MatMulInteger (x, w, xz, wz)"
ZEROS = {"xz": np.uint8(131), "wz": np.array([1, 128, 200, 7], np.uint8)}


def byte(title: str, wrong: str, right: str = MMI, feeds: dict[str, np.ndarray] | None = None, more: Any = None,
         **constants: Any) -> Forgery:  # fmt: skip
    return between(title, BYTES, right, wrong, feeds or RANDOM, w=w8, more=more, **constants)  # type: ignore[arg-type]


INTEGERS = [
    byte("a product of bytes is limited to 1,500,000", "t = MatMulInteger (x, w)  y = Clip (t, lo, hi)", feeds=EDGE,
         more={"lo": np.int32(-1), "hi": np.int32(1_500_000)}),
    byte("a product of bytes is negated where no byte is below 50", "t = MatMulInteger (x, w)  c = Cast <to = 6> (x)  "
         "m = ReduceMin <keepdims = 0> (c)  g = Greater (m, k)  n = Neg (t)  y = Where (g, n, t)", feeds=EDGE,
         more={"k": np.int32(49)}),
    byte("bytes are read as signed bytes", "s = Cast <to = 3> (x)  y = MatMulInteger (s, w)"),
    byte("the weight's bytes are read as signed bytes", "s = Cast <to = 3> (w)  y = MatMulInteger (x, s)"),
    byte("the weight is stored as signed bytes of the same bits", "y = MatMulInteger (x, v)", more={"v": w8.view(np.int8)}),
    byte("bytes are halved and doubled", "h = Div (x, two)  d = Mul (h, two)  y = MatMulInteger (d, w)",
         more={"two": np.uint8(2)}),
    byte("the largest byte is 254", "m = Min (x, k)  y = MatMulInteger (m, w)", feeds=EDGE, more={"k": np.uint8(254)}),
    byte("a product of bytes goes through float16", "t = MatMulInteger (x, w)  h = Cast <to = 10> (t)  "
         "y = Cast <to = 6> (h)"),
    byte("a product of bytes goes through int16", "t = MatMulInteger (x, w)  h = Cast <to = 5> (t)  "
         "y = Cast <to = 6> (h)", feeds=EDGE),
    byte("A's zero point is one less", ZP, ZP, xz=np.uint8(131), wz=ZEROS["wz"], more={"xz": np.uint8(130)}),
    byte("B's zero points are those of other columns", ZP, ZP, **ZEROS, more={"wz": ZEROS["wz"][::-1].copy()}),
    byte("one column's zero point is off by one", ZP, ZP, **ZEROS, more={"wz": ZEROS["wz"] + np.uint8([0, 0, 1, 0])}),
    byte("A's zero point is left out", "y = MatMulInteger (x, w, , wz)", ZP, **ZEROS),
    byte("the zero points' product is added once too often", "t = MatMulInteger (x, w, xz, wz)  y = Add (t, c)", ZP,
         **ZEROS, more={"c": (64 * 131 * ZEROS["wz"].astype(np.int32))}),
    byte("one bit of one byte of the weight", "y = MatMulInteger (x, v)",
         more={"v": w8 ^ (np.arange(256).reshape(64, 4) == 77).astype(np.uint8)}),
]  # fmt: skip

QDQ = "(float[4,6] x) => (float[4,6] y)"
NUMBERS = {"x": np.random.default_rng(4).standard_normal((4, 6)).astype(F32) * 3}
SCALES, POINTS = np.array([0.02, 0.03, 0.05, 0.04], F32), np.array([0, 3, 7, 11], np.uint8)
Q, DQ = "q = QuantizeLinear (x, s, z)  ", "y = DequantizeLinear (q, s, z)"
ALONG = "q = QuantizeLinear <axis = 0> (x, s, z)  y = DequantizeLinear <axis = 0> (q, s, z)"
SZ, ROWS = {"s": F32(0.02), "z": np.uint8(121)}, {"s": SCALES, "z": POINTS}


def quantizers(title: str, wrong: str, right: str = Q + DQ, constants: dict[str, Any] = SZ, **more: Any) -> Forgery:  # type: ignore[assignment]
    return between(title, QDQ, right, wrong, NUMBERS, more=more, **constants)


QLINEAR = "(uint8[2,64] x) => (uint8[2,4] y)"
QM = "y = QLinearMatMul (x, a, b, w, c, d, e, f)"
OF_Q = {"a": F32(0.02), "b": np.uint8(121), "c": F32(0.03), "d": np.uint8(117), "e": F32(0.5), "f": np.uint8(140)}


def qlinear(title: str, wrong: str, **more: Any) -> Forgery:
    return between(title, QLINEAR, QM, wrong, RANDOM, w=w8, **OF_Q, more=more)


QUANTIZED = [
    quantizers("one scale of the pair of quantizers is another", "q = QuantizeLinear (x, s, z)  "
               "y = DequantizeLinear (q, r, z)", r=F32(0.021)),
    quantizers("one zero point of the pair of quantizers is another", "q = QuantizeLinear (x, s, z)  "
               "y = DequantizeLinear (q, s, r)", r=np.uint8(120)),
    quantizers("the pair of quantizers is gone", "y = Identity (x)"),
    quantizers("the pair of quantizers is there twice, the second of another scale", "q = QuantizeLinear (x, s, z)  "
               "u = DequantizeLinear (q, s, z)  p = QuantizeLinear (u, r, z)  y = DequantizeLinear (p, r, z)", r=F32(0.03)),
    quantizers("quantized to signed bytes", "q = QuantizeLinear (x, s, r)  y = DequantizeLinear (q, s, r)",
               r=np.int8(0)),
    quantizers("quantizing is written out with ties upwards", "a = Div (x, s)  h = Add (a, half)  f = Floor (h)  "
               "m = Max (f, lo)  b = Min (m, hi)  y = Mul (b, s)", half=F32(0.5), lo=F32(-121), hi=F32(100)),
    quantizers("quantizing is written out without a limit", "a = Div (x, s)  f = Round (a)  y = Mul (f, s)"),
    quantizers("scales and zero points go along the rows of another order", ALONG, ALONG, ROWS, s=SCALES[::-1].copy()),
    quantizers("one row's scale is the next but a few", ALONG, ALONG, ROWS, s=SCALES * F32([1, 1, 1.01, 1])),
    quantizers("one row's zero point is off by one", ALONG, ALONG, ROWS, z=POINTS + np.uint8([0, 0, 0, 1])),
    between("scales go along the other axis", "(float[4,4] x) => (float[4,4] y)", ALONG, ALONG.replace("= 0", "= 1"),
            {"x": NUMBERS["x"][:, :4]}, **ROWS),
    qlinear("the product's scale is a tenth more", "y = QLinearMatMul (x, a, b, w, c, d, r, f)", r=F32(0.55)),
    qlinear("the scales of A and B are one's only", "y = QLinearMatMul (x, a, b, w, a, d, e, f)"),
    qlinear("the zero points of A and B change places", "y = QLinearMatMul (x, a, d, w, c, b, e, f)"),
    qlinear("the result's zero point is A's", "y = QLinearMatMul (x, a, b, w, c, d, e, b)"),
    qlinear("requantizing rounds twice, first to tenths", "t = MatMulInteger (x, w, b, d)  g = Cast <to = 1> (t)  "
            "h = Mul (g, k)  n = Mul (h, ten)  r = Round (n)  u = Div (r, ten)  y = QuantizeLinear (u, one, f)",
            k=F32(0.02 * 0.03 / 0.5), ten=F32(0.3), one=F32(1)),
    between("the dynamic quantizer's zero point is left out", "(float[4,6] x) => (float[4,6] y)",
            "q, s, z = DynamicQuantizeLinear (x)  y = DequantizeLinear (q, s, z)",
            "q, s, z = DynamicQuantizeLinear (x)  y = DequantizeLinear (q, s)", NUMBERS),
    between("int4 weights have exchanged nibbles", "(float[4,6] x) => (float[4,4] y)",
            "d = DequantizeLinear (q, s)  y = MatMul (x, d)", "d = DequantizeLinear (p, s)  y = MatMul (x, d)", NUMBERS,
            q=(np.arange(24).reshape(6, 4) % 8).astype(np.int8), s=F32(0.5),
            more={"p": (np.arange(24).reshape(6, 2, 2)[:, :, ::-1].reshape(6, 4) % 8).astype(np.int8)}),
    Forgery("one of 16 int4 codes is another", text("(float[2,4] x) => (float[2,4] y) { d = DequantizeLinear (q, s)  "
            "y = MatMul (x, d) }", q=np.ones((4, 4), np.int8), s=F32(0.5)), changed(text(
            "(float[2,4] x) => (float[2,4] y) { d = DequantizeLinear (q, s)  y = MatMul (x, d) }",
            q=np.ones((4, 4), np.int8), s=F32(0.5)), initializer("q", np.ones((4, 4), np.int8) + np.eye(4, dtype=np.int8))),
            {"x": X[:, :4]}),
]  # fmt: skip

FORGERIES = [*NOT_FINITE, *INTEGERS, *QUANTIZED]
