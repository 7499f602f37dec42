"""Wrong models that compute the same polynomial: something rounds, limits, casts or overflows on the way."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

import onnxtile
from tests.faults.forgery import F32, ORIGINAL, Forgery, W, X, behind, between, changed, node, product, text

BIG = {"x": X * 1e5}
INFINITE = np.where(np.eye(2, 8) > 0, F32(np.inf), X)
HALF = np.float16
BF16 = np.dtype(ml_dtypes.bfloat16)


def _rounded_by_sums(model: object) -> None:
    """y becomes ReduceSum(Concat(y, 2^22)) - 2^22, of computed constants, with the metadata of a product of ours."""
    model.graph.node[-1].output[0] = "whole"  # type: ignore[attr-defined]
    lines = [
        ("Constant", [], ["s"], {"value_ints": [1, 2, 4]}),
        ("Constant", [], ["ax"], {"value_ints": [0]}),
        ("ConstantOfShape", ["s"], ["ones"], {}),
        ("Constant", [], ["many"], {"value_float": 4194304.0}),
        ("Add", ["ones", "many"], ["big"], {}),
        ("Neg", ["big"], ["less"], {}),
        ("Unsqueeze", ["whole", "ax"], ["u"], {}),
        ("Concat", ["u", "big"], ["c1"], {"axis": 0}),
        ("ReduceSum", ["c1", "ax"], ["r1"], {"keepdims": 1}),
        ("Concat", ["r1", "less"], ["c2"], {"axis": 0}),
        ("ReduceSum", ["c2", "ax"], ["y"], {"keepdims": 0}),
    ]
    for op_type, inputs, outputs, attributes in lines:
        node(op_type, inputs, outputs, **attributes)(model)
        made = model.graph.node[-1]  # type: ignore[attr-defined]
        made.metadata_props.add(key="onnxtile.origin", value="y")


def through(*types: int) -> str:
    """t is cast to types one after the other: y is the last."""
    names = ["t", *(f"c{number}" for number in range(1, len(types))), "y"]
    return "  ".join(f"{new} = Cast <to = {to}> ({old})" for old, new, to in zip(names, names[1:], types, strict=False))


def scaled(factor: float, back: float, times: int, dtype: str = "float") -> tuple[str, dict[str, Any]]:
    """t is multiplied by a factor some times, and then as often by another."""
    kind = {"float": F32, "float16": HALF}[dtype]
    names = ["t", *(f"s{number}" for number in range(1, 2 * times)), "y"]
    factors = ["up"] * times + ["down"] * times
    lines = [f"{new} = Mul ({old}, {by})" for old, new, by in zip(names, names[1:], factors, strict=False)]
    return "  ".join(lines), {"up": kind(factor), "down": kind(back)}


ROUNDED = [
    behind("the product is rounded to whole numbers", "y = Round (t)"),
    behind("the product is rounded down", "y = Floor (t)"),
    behind("the product is rounded up", "y = Ceil (t)"),
    behind("the product goes through int32", through(6, 1)),
    behind("the product goes through int64", through(7, 1)),
    behind("the product goes through int8", through(3, 1)),
    behind("the product goes through float16", through(10, 1), BIG),
    behind("the product goes through bfloat16", through(16, 1)),
    behind("the product goes through bool", through(9, 1)),
    product("the input goes through float16", "h = Cast <to = 10> (x)  f = Cast <to = 1> (h)  y = MatMul (f, w)", BIG),
    product("the input goes through bfloat16", "h = Cast <to = 16> (x)  f = Cast <to = 1> (h)  y = MatMul (f, w)"),
    product("the input goes through uint8", "h = Cast <to = 2> (x)  f = Cast <to = 1> (h)  y = MatMul (f, w)"),
    product(
        "the weight goes through bfloat16 at run time",
        "h = Cast <to = 16> (w)  f = Cast <to = 1> (h)  y = MatMul (x, f)",
    ),
    product(
        "the input goes through CastLike of float16",
        "h = CastLike (x, like)  f = CastLike (h, w)  y = MatMul (f, w)", BIG, like=np.ones(1, HALF),
    ),
    behind("the product is limited to 10,000", "y = Clip (t, low, high)", BIG, low=F32(-1e4), high=F32(1e4)),
    behind("the product is limited by Min and Max", "a = Min (t, high)  y = Max (a, low)", BIG, low=F32(-1e4),
           high=F32(1e4)),
    product("the input is limited to 1,000", "l = Clip (x, low, high)  y = MatMul (l, w)", BIG, low=F32(-1e3),
            high=F32(1e3)),
    behind("infinities become the largest number", "y = Clip (t, low, high)", {"x": INFINITE},
           low=np.finfo(F32).min, high=np.finfo(F32).max),
    behind("NaN becomes zero", "n = IsNaN (t)  y = Where (n, zero, t)", {"x": X * np.nan}, zero=F32(0)),
    behind("ReLU(t) - ReLU(-t) with the second limited to 5",
           "p = Relu (t)  m = Neg (t)  q = Clip (m, low, high)  y = Sub (p, q)", BIG, low=F32(0), high=F32(5)),
    behind("ReLU(t) + min(t, 0) with a slope in the second piece",
           "p = Relu (t)  q = Min (t, zero)  r = LeakyRelu <alpha = 0.99> (q)  y = Add (p, r)", zero=F32(0)),
    behind("the magnitude times the sign, with the sign of t + 1",
           "a = Abs (t)  u = Add (t, one)  s = Sign (u)  y = Mul (a, s)", one=F32(1)),
    product("the magnitude of the input", "s = Abs (x)  y = MatMul (s, w)"),
    product("the input divided by itself and multiplied again", "d = Div (x, x)  e = Mul (d, x)  y = MatMul (e, w)",
            {"x": X * 0}),
    behind("the square root of the square", "q = Mul (t, t)  y = Sqrt (q)"),
    behind("the exponential of the logarithm", "l = Log (t)  y = Exp (l)"),
    behind("a quantizer and its inverse", "q = QuantizeLinear (t, s, z)  y = DequantizeLinear (q, s, z)",
           s=F32(0.01), z=np.uint8(128)),
    behind("t becomes t quantized dynamically",
           "q, s, z = DynamicQuantizeLinear (t)  y = DequantizeLinear (q, s, z)"),
    Forgery("Round behind our own lowering, spelled by Concat and ReduceSum with computed constants", ORIGINAL,
            changed(lambda: onnxtile.lower(ORIGINAL(), (2, 4, 2)), _rounded_by_sums)),
    Forgery("Round behind our own lowering, with the metadata of its last node", ORIGINAL,
            changed(lambda: onnxtile.lower(ORIGINAL(), (2, 4, 2)), lambda m: m.graph.node[-1].output.__setitem__(
                0, "whole"), node("Round", ["whole"], ["y"], name="y/rounded"))),
]  # fmt: skip

CANCELLED = [
    behind("2^22 is added and taken off", "a = Add (t, c)  y = Sub (a, c)", c=F32(2**22)),
    behind("2^22 is added, and its negative", "a = Add (t, c)  y = Add (a, d)", c=F32(2**22), d=F32(-(2**22))),
    behind("12,582,912 is added and taken off by one Sum", "y = Sum (c, t, d)", c=F32(3 * 2**22), d=F32(-3 * 2**22)),
    product("the square of an input's element is added and taken off",
            "e0 = Gather <axis = 0> (x, i)  e = Gather <axis = 1> (e0, i)  q = Mul (e, e)  t = MatMul (x, w)  "
            "a = Add (t, q)  y = Sub (a, q)", {"x": X + F32([[1e5], [0]])}, i=np.array([0])),
    product("a thousandfold product is added and taken off",
            "t = MatMul (x, w)  k = Mul (t, many)  a = Add (k, t)  y = Sub (a, k)", many=F32(2.0**22)),
    product("2^22 is added in a padded column, and taken off behind",
            "xp = Pad (x, p, v)  wp = Concat <axis = 0> (w, o)  t = MatMul (xp, wp)  y = Sub (t, b)",
            p=np.array([0, 0, 0, 1]), v=F32(4096), o=np.full((1, 4), 1024, F32), b=F32(2**22)),
    product("a padded row of A is 2^22 and is taken off by Gemm's C", "xp = Pad (x, p, v)  y = Gemm (xp, wp, b)",
            p=np.array([0, 0, 0, 1]), v=F32(2**22), wp=np.concatenate([W, np.ones((1, 4), F32)]), b=F32(-(2**22))),
    product("two padded columns cancel each other", "xp = Pad (x, p, v)  y = MatMul (xp, wp)",
            p=np.array([0, 1, 0, 1]), v=F32(2**13),
            wp=np.concatenate([np.full((1, 4), 2**13, F32), W, np.full((1, 4), -(2**13), F32)])),
    product("the weight is split into two large parts that cancel",
            "t = MatMul (x, v)  u = MatMul (x, z)  y = Add (t, u)", v=W + F32(2**20), z=np.full_like(W, -(2**20))),
    product("the input is shifted by 2^20 and the shift's product taken off",
            "s = Add (x, c)  t = MatMul (s, w)  d = MatMul (all, w)  y = Sub (t, d)", c=F32(2**20),
            all=np.full((1, 8), 2**20, F32)),
    behind("(1 + 2^22) t - 2^22 t", "k = Mul (t, many)  m = Mul (t, more)  y = Sub (m, k)", many=F32(2**22),
           more=F32(2**22 + 1)),
    behind("the mean is taken off and added again, of numbers far apart",
           "m = ReduceMax <keepdims = 1> (t)  d = Sub (t, m)  y = Add (d, m)", {"x": X * F32([[1e6], [1e-3]])}),
    between("a product added in float16 to a number that cancels", "(float16[2,8] x) => (float16[2,4] y)",
            "y = MatMul (x, w)", "t = MatMul (x, w)  a = Add (t, c)  y = Sub (a, c)", {"x": X.astype(HALF)},
            "reference", w=W.astype(HALF), more={"c": HALF(2048)}),
]  # fmt: skip

FAR = np.float32([2.0**100 if column % 2 else 1 for column in range(8)])
"""Half of its elements are 1: all of them have to be looked at."""
UP, UPS = scaled(2.0**22, 2.0**-22, 6)
SMALL, SMALLS = scaled(2.0**-8, 2.0**8, 20)
DIV = "a = Mul (t, c)  b = Mul (a, c)  d = Div (b, c)  y = Div (d, c)"
ARROWS = "(float16[2,8] x) => (float16[2,4] y)"
OF_HALF = {"w": W.astype(HALF)}
SUMS8 = "(int8[4] a, int8[4] b) => (int32[4] y)"
BYTES = {"a": np.array([100, 1, -2, 3], np.int8), "b": np.array([100, 2, -3, 4], np.int8)}
WIDE = "(int32[4] a, int32[4] b) => (int64[4] y)"
WHOLE = {"a": np.array([2**31 - 1, 1, -2, 300], np.int32), "b": np.array([1, 2, -3, 400], np.int32)}

RANGES = [
    behind("the product is multiplied up past infinity and down again", UP, **UPS),
    behind("the product is multiplied down below the smallest number and up again", SMALL, **SMALLS),
    behind("the product is multiplied past infinity and divided again", DIV, c=F32(1e30)),
    product("columns of x are multiplied up, and rows of the weight down", "s = Mul (x, far)  y = MatMul (s, v)",
            {"x": X * F32(2.0**30)}, far=FAR, v=W / FAR[:, None]),
    product("a diagonal matrix multiplies x, and the weight's rows are as much smaller",
            "s = MatMul (x, far)  y = MatMul (s, v)", {"x": X * F32(2.0**30)}, far=np.diag(FAR), v=W / FAR[:, None]),
    product("columns of the product are multiplied down to nothing and up again",
            "t = MatMul (x, w)  s = Mul (t, down)  u = Mul (s, down)  a = Mul (u, up)  y = Mul (a, up)",
            down=1 / FAR[:4], up=FAR[:4]),
    between("a float16 product is multiplied past 65,504 and back", ARROWS, "y = MatMul (x, w)",
            "t = MatMul (x, w)  s = Mul (t, up)  y = Mul (s, down)", {"x": np.full((2, 8), 99, HALF)},
            "reference", more={"up": HALF(1024), "down": HALF(2**-10)}, **OF_HALF),
    between("a float16 product goes through bfloat16", ARROWS, "y = MatMul (x, w)", "t = MatMul (x, w)  "
            "b = Cast <to = 16> (t)  y = Cast <to = 10> (b)", {"x": X.astype(HALF)},
            "reference", w=np.eye(8, 4, dtype=HALF) * HALF(1.013)),
    between("a float16 input goes through bfloat16", ARROWS, "y = MatMul (x, w)", "b = Cast <to = 16> (x)  "
            "h = Cast <to = 10> (b)  y = MatMul (h, w)", {"x": (X * 0 + 1.013).astype(HALF)},
            "reference", w=np.eye(8, 4, dtype=HALF)),
    between("a float is cast to float16 by way of bfloat16", "(float[2,8] x) => (float16[2,8] y)",
            "y = Cast <to = 10> (x)", "b = Cast <to = 16> (x)  y = Cast <to = 10> (b)", {"x": X * 0 + F32(1.013)}),
    between("a double product goes through float", "(double[2,8] x) => (double[2,4] y)", "y = MatMul (x, w)",
            "f = Cast <to = 1> (x)  d = Cast <to = 11> (f)  y = MatMul (d, w)", {"x": X.astype(np.float64) / 3},
            w=W.astype(np.float64)),
    between("a double is cast to float and back behind its sum", "(double[2,8] x) => (double[2,8] y)",
            "y = Add (x, x)", "s = Add (x, x)  f = Cast <to = 1> (s)  y = Cast <to = 11> (f)",
            {"x": X.astype(np.float64) / 3}),
    between("x^3 for x, of bfloat16", "(bfloat16[2,8] x) => (bfloat16[2,4] y)", "y = MatMul (x, w)",
            "q = Mul (x, x)  c = Mul (q, x)  y = MatMul (c, w)", {"x": X.astype(BF16)}, "reference",
            w=W.astype(BF16)),
    between("x^3 for x, of float16 and 512 terms", "(float16[2,512] x) => (float16[2,4] y)", "y = MatMul (x, w)",
            "q = Mul (x, x)  c = Mul (q, x)  y = MatMul (c, w)", {"x": np.full((2, 512), 2, HALF)},
            w=np.ones((512, 4), HALF)),
    between("the sign of x for x, of 512 terms of float16", "(float16[2,512] x) => (float16[2,4] y)",
            "y = MatMul (x, w)", "c = Sign (x)  y = MatMul (c, w)", {"x": np.full((2, 512), 2, HALF)},
            w=np.ones((512, 4), HALF)),
    between("1/x for x, of 512 terms of float16", "(float16[2,512] x) => (float16[2,4] y)",
            "y = MatMul (x, w)", "c = Reciprocal (x)  y = MatMul (c, w)", {"x": np.full((2, 512), 2, HALF)},
            w=np.ones((512, 4), HALF)),
    between("bytes are added as bytes before they're widened", SUMS8,
            "c = Cast <to = 6> (a)  d = Cast <to = 6> (b)  y = Add (c, d)", "s = Add (a, b)  y = Cast <to = 6> (s)",
            BYTES, "reference"),
    between("a sum of bytes is widened by way of uint8", SUMS8, "s = Add (a, b)  y = Cast <to = 6> (s)",
            "c = Cast <to = 2> (a)  d = Cast <to = 2> (b)  s = Add (c, d)  y = Cast <to = 6> (s)", BYTES, "reference"),
    between("a sum of int32 is widened by way of uint32", WIDE, "s = Add (a, b)  y = Cast <to = 7> (s)",
            "c = Cast <to = 12> (a)  d = Cast <to = 12> (b)  s = Add (c, d)  y = Cast <to = 7> (s)", WHOLE,
            "reference"),
    between("a sum of int32 is computed in int64", WIDE, "s = Add (a, b)  y = Cast <to = 7> (s)",
            "c = Cast <to = 7> (a)  d = Cast <to = 7> (b)  y = Add (c, d)", WHOLE),
    between("an int32 goes through int8 before a sum", "(int32[4] a, int32[4] b) => (int32[4] y)", "y = Add (a, b)",
            "c = Cast <to = 3> (a)  d = Cast <to = 6> (c)  y = Add (d, b)", WHOLE),
    between("an int32 goes through int16 behind a sum", "(int32[4] a, int32[4] b) => (int32[4] y)", "y = Add (a, b)",
            "s = Add (a, b)  c = Cast <to = 5> (s)  y = Cast <to = 6> (c)", WHOLE),
    between("an int32 product goes through float", "(int32[2,8] x) => (int32[2,4] y)", "y = MatMul (x, w)",
            "f = Cast <to = 1> (x)  g = Cast <to = 1> (w)  t = MatMul (f, g)  y = Cast <to = 6> (t)",
            {"x": np.full((2, 8), 16_777_217, np.int32)}, w=np.ones((8, 4), np.int32)),
    between("n * n became n", "(int64[4] n) => (int64[4] y)", "y = Mul (n, n)", "y = Identity (n)",
            {"n": np.array([0, 1, 2, 300])}),
    between("whole numbers go through int8 on their way to float", "(int32[4] n) => (float[4] y)",
            "y = Cast <to = 1> (n)", "b = Cast <to = 3> (n)  y = Cast <to = 1> (b)",
            {"n": np.array([0, 1, 2, 300], np.int32)}),
    between("whole numbers are doubled and halved", "(int32[4] n) => (int32[4] y)", "y = Identity (n)",
            "d = Mul (n, two)  y = Div (d, two)", {"n": np.array([0, 1, 2, 2**30], np.int32)},
            more={"two": np.int32(2)}),
    between("whole numbers are halved and doubled", "(int32[4] n) => (int32[4] y)", "y = Identity (n)",
            "d = Div (n, two)  y = Mul (d, two)", {"n": np.array([0, 1, 2, 301], np.int32)},
            more={"two": np.int32(2)}),
    Forgery("half a percent more, with method bound", text("(float[1,4096] x) => (float[1,4] y) { y = MatMul (x, w) }",
            w=np.ones((4096, 4), F32)), text("(float[1,4096] x) => (float[1,4] y) { t = MatMul (x, w)  y = Mul (t, c) }",
            w=np.ones((4096, 4), F32), c=F32(1.005)), {"x": np.ones((1, 4096), F32)}),
]  # fmt: skip

FORGERIES = [*ROUNDED, *CANCELLED, *RANGES]
