"""Wrong models aimed at what types do to numbers: roundings that are composed, wraps, scalings by vectors, float8."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from tests.faults.forgery import F32, Forgery, W, X, behind, between

HEAD_21 = '<ir_version: 10, opset_import: ["" : 21]> g '
HALF, F8 = np.float16, np.dtype(ml_dtypes.float8_e4m3fn)
FOUR = {"x": X[:, :4]}
HUGE = {"x": X * 1e5}
PAIR = "(float[2,4] a, float[2,4] b) => (float16[2,4] y)"
LARGE = {"a": np.full((2, 4), 7e4, F32), "b": np.full((2, 4), -6.9e4, F32)}
SMALL = np.round(W) / F32(256)
OF_HALF, HALVES = np.ones((8, 4), HALF), {"x": np.full((2, 8), 2e3, HALF)}
FAR = F32([1e30, 1, 1, 1])
"""A factor of each column; only the first one is far from 1."""

COMPOSED = [
    between("a sum in float32 becomes a sum in float16", PAIR, "s = Add (a, b)  y = Cast <to = 10> (s)",
            "p = Cast <to = 10> (a)  q = Cast <to = 10> (b)  y = Add (p, q)", LARGE, "reference"),
    between("a product in float32 becomes one in float16", "(float[2,8] x) => (float16[2,4] y)",
            "t = MatMul (x, w)  y = Cast <to = 10> (t)",
            "p = Cast <to = 10> (x)  q = Cast <to = 10> (w)  y = MatMul (p, q)", HUGE, "reference", w=SMALL),
    between("the operands of a product go through float16, as its result does", "(float[2,8] x) => (float16[2,4] y)",
            "t = MatMul (x, w)  y = Cast <to = 10> (t)", "p = Cast <to = 10> (x)  r = Cast <to = 1> (p)  "
            "t = MatMul (r, w)  y = Cast <to = 10> (t)", HUGE, w=SMALL),
    between("the operands of a product in double go through float, as its result does",
            "(double[2,8] x) => (float[2,4] y)", "t = MatMul (x, w)  y = Cast <to = 1> (t)",
            "p = Cast <to = 1> (x)  q = Cast <to = 1> (w)  y = MatMul (p, q)", {"x": X.astype(np.float64) * 1e39},
            w=SMALL.astype(np.float64)),
    between("squares of float16 in float32 become squares in float16", "(float16[2,4] x) => (float16[2,4] y)",
            "f = Cast <to = 1> (x)  q = Mul (f, f)  r = Mul (q, c)  y = Cast <to = 10> (r)",
            "q = Mul (x, x)  f = Cast <to = 1> (q)  r = Mul (f, c)  y = Cast <to = 10> (r)",
            {"x": np.full((2, 4), 300, HALF)}, "reference", c=F32(1 / 256)),
    between("what bfloat16 lacks of a number becomes zero", "(float[2,4] x) => (float[2,4] y)",
            "h = Cast <to = 16> (x)  f = Cast <to = 1> (h)  r = Sub (x, f)  s = Cast <to = 16> (r)  y = Cast <to = 1> (s)",
            "r = Sub (x, x)  s = Cast <to = 16> (r)  y = Cast <to = 1> (s)", FOUR),
    between("a sum of two numbers rounded to float16 isn't one of rounded numbers",
            "(float[2,4] a, float[2,4] b) => (float[2,4] y)",
            "p = Cast <to = 10> (a)  q = Cast <to = 10> (b)  p1 = Cast <to = 1> (p)  q1 = Cast <to = 1> (q)  "
            "s = Add (p1, q1)  h = Cast <to = 10> (s)  y = Cast <to = 1> (h)",
            "s = Add (a, b)  h = Cast <to = 10> (s)  y = Cast <to = 1> (h)", LARGE),
]  # fmt: skip

WRAPPED = [
    between("a negative byte goes through uint64", "(int8[2,4] x) => (float[2,4] y)", "y = Cast <to = 1> (x)",
            "u = Cast <to = 13> (x)  y = Cast <to = 1> (u)", {"x": np.full((2, 4), -1, np.int8)}, "reference"),
    between("a negative number goes through uint64", "(int64[2,4] x) => (float[2,4] y)", "y = Cast <to = 1> (x)",
            "u = Cast <to = 13> (x)  y = Cast <to = 1> (u)", {"x": np.full((2, 4), -1)}, "reference"),
    between("a large number goes through int64", "(uint64[2,4] x) => (float[2,4] y)", "y = Cast <to = 1> (x)",
            "u = Cast <to = 7> (x)  y = Cast <to = 1> (u)", {"x": np.full((2, 4), 2**64 - 1, np.uint64)}, "reference"),
    between("a byte is negated before it's widened", "(int8[2,4] x) => (int32[2,4] y)",
            "w = Cast <to = 6> (x)  y = Neg (w)", "n = Neg (x)  y = Cast <to = 6> (n)",
            {"x": np.full((2, 4), -128, np.int8)}, "reference"),
    between("a number is negated before it wraps to uint8", "(int32[2,4] x) => (int32[2,4] y)",
            "u = Cast <to = 2> (x)  w = Cast <to = 6> (u)  y = Neg (w)", "n = Neg (x)  u = Cast <to = 2> (n)  "
            "y = Cast <to = 6> (u)", {"x": np.full((2, 4), 1, np.int32)}),
    between("a number is negated before it wraps to int8", "(int32[2,4] x) => (int32[2,4] y)",
            "u = Cast <to = 3> (x)  w = Cast <to = 6> (u)  y = Neg (w)", "n = Neg (x)  u = Cast <to = 3> (n)  "
            "y = Cast <to = 6> (u)", {"x": np.full((2, 4), 128, np.int32)}),
    between("a quantized number is doubled before it's widened", "(float[2,4] x) => (int32[2,4] y)",
            "q = QuantizeLinear (x, s)  w = Cast <to = 6> (q)  y = Add (w, w)",
            "q = QuantizeLinear (x, s)  d = Add (q, q)  y = Cast <to = 6> (d)", {"x": np.full((2, 4), 200, F32)},
            s=F32(1)),
    between("-128 by 2 is 64", "(int8[2,4] x) => (int8[2,4] y)", "c = Div (a, b)  y = Add (x, c)", "y = Add (x, c)",
            {"x": np.zeros((2, 4), np.int8)}, "reference", a=np.int8(-128), b=np.int8(2), more={"c": np.int8(64)}),
]  # fmt: skip

SCALED = [
    behind("columns are multiplied up past infinity and down again, by vectors", "a = Mul (t, d)  b = Mul (a, d)  "
           "c = Mul (b, e)  y = Mul (c, e)", d=F32([2.0**100, 1, 1, 1]), e=F32([2.0**-100, 1, 1, 1])),
    behind("columns are multiplied up past infinity and divided again, by a vector",
           "a = Mul (t, d)  b = Mul (a, d)  c = Div (b, d)  y = Div (c, d)", d=FAR),
    behind("columns are multiplied up past infinity and divided again, by a diagonal matrix",
           "a = MatMul (t, d)  b = Mul (a, v)  c = Div (b, v)  y = Div (c, v)", v=FAR, d=np.diag(FAR)),
    between("a product of float16 is multiplied by 8 and down again", "(float16[2,8] x) => (float16[2,4] y)",
            "y = MatMul (x, w)", "t = MatMul (x, w)  a = Mul (t, d)  y = Mul (a, e)", HALVES, "reference",
            w=OF_HALF, more={"d": HALF(8), "e": HALF(1 / 8)}),
    between("a product of float16 is scaled behind, not before", "(float16[2,8] x) => (float16[2,4] y)",
            "s = Mul (x, e)  y = MatMul (s, w)", "t = MatMul (x, w)  y = Mul (t, e)", {"x": np.full((2, 8), 3e4, HALF)},
            "reference", w=OF_HALF, e=HALF(1 / 64)),
]  # fmt: skip

EIGHT = [
    between("float8 is dequantized by way of whole numbers", "(float8e4m3fn[2,4] x) => (float[2,4] y)",
            "y = DequantizeLinear (x, s)", "i = Cast <to = 6> (x)  f = Cast <to = 1> (i)  y = Mul (f, s)",
            {"x": np.full((2, 4), 1.5, F8)}, "reference", head=HEAD_21, s=F32(1)),
    between("float8 is dequantized by way of whole numbers of int32", "(float8e4m3fn[2,4] x) => (float[2,4] y)",
            "y = DequantizeLinear (x, s)", "i = Cast <to = 6> (x)  y = DequantizeLinear (i, s)",
            {"x": np.full((2, 4), 1.5, F8)}, "reference", head=HEAD_21, s=F32(1)),
]  # fmt: skip

ZEROS = [
    between("zeros beside a number are negative, and 1 / x is taken", "(float[2,4] x) => (float[2,8] y)",
            "c = Concat <axis = 1> (x, z)  y = Reciprocal (c)", "c = Concat <axis = 1> (x, m)  y = Reciprocal (c)",
            FOUR, z=np.zeros((2, 4), F32), more={"m": -np.zeros((2, 4), F32)}),
    between("a number is padded with -0, and 1 / x is taken", "(float[2,4] x) => (float[2,8] y)",
            "c = Pad (x, p, z)  y = Reciprocal (c)", "c = Pad (x, p, m)  y = Reciprocal (c)", FOUR,
            z=F32(0), p=np.array([0, 0, 0, 4]), more={"m": F32(-0.0)}),
]  # fmt: skip

FORGERIES: list[Forgery] = [*COMPOSED, *WRAPPED, *SCALED, *EIGHT, *ZEROS]
