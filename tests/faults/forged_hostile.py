"""Wrong models aimed at proofs by random numbers, by sizes that are tried, and by marks on what was rounded."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

import onnxtile
from tests.faults.forged_numbers import FED, I
from tests.faults.forged_sizes import FACTOR, one, rows, sized
from tests.faults.forgery import F32, ORIGINAL, PRODUCT, Build, Forgery, W, X, between, changed, copied, product, text

ELEMENT = "e0 = Gather <axis = 0> (x, i)  e = Gather <axis = 1> (e0, i)  t = MatMul (x, w)  "


def infinite(title: str, body: str, **constants: Any) -> Forgery:
    return product(title, ELEMENT + body, FED, **I, **constants)


ZEROS = [
    infinite("a zero that is an empty sum meets an element", "o = Slice (x, a, a)  z = ReduceSum (o, a)  "
             "r = ReduceSum (z)  q = Mul (e, r)  y = Add (t, q)", a=np.array([0])),
    infinite("a zero that is a product over no terms meets an element", "o = Slice (x, a, a, b)  v = Slice (w, a, a)  "
             "p = MatMul (o, v)  r = Slice (p, a, b)  q = Mul (e, r)  y = Add (t, q)", a=np.array([0]), b=np.array([1])),
    infinite("a zero that is 0 of whole numbers, cast, meets an element", "s = Size (x)  d = Sub (s, s)  "
             "f = Cast <to = 1> (d)  q = Mul (e, f)  y = Add (t, q)"),
    infinite("a zero that is padded meets an element", "h = Slice (x, a, a)  z = Pad (h, p)  r = ReduceSum (z)  "
             "q = Mul (e, r)  y = Add (t, q)", a=np.array([0]), p=np.array([1, 0, 0, 0])),
    infinite("a zero of float16, cast, meets an element", "f = Cast <to = 1> (z)  q = Mul (e, f)  y = Add (t, q)",
             z=np.float16(0)),
    infinite("a zero and its negative meet an element", "p = Mul (e, z)  q = Mul (e, m)  r = Sub (p, q)  y = Add (t, r)",
             z=F32(0), m=F32(-0.0)),
    infinite("an element less itself is multiplied by zero and added", "d = Sub (e, e)  q = Mul (d, z)  y = Add (t, q)",
             z=F32(0)),
    infinite("an element divided by infinity is added", "q = Div (e, c)  y = Add (t, q)", c=F32(np.inf)),
    between("a number of whole ones less itself, cast, meets an element", "(float[2,8] x, int64[1] n) => (float[2,4] y, "
            "int64[1] m)", "y = MatMul (x, w)  m = Neg (n)", "m = Neg (n)  " + ELEMENT + "d = Sub (n, n)  "
            "f = Cast <to = 1> (d)  q = Mul (e, f)  y = Add (t, q)", {**FED, "n": np.array([3])}, w=W, more=I),
    between("0 / 0 is gone", "(float[2,4] x) => (float[2,4] y)", "q = Div (z, z)  y = Mul (x, q)", "y = Identity (x)",
            {"x": X[:, :4]}, z=F32(0)),
    between("NaN is multiplied where a one is", "(float[2,4] x) => (float[2,4] y)", "y = Mul (x, a)", "y = Mul (x, b)",
            {"x": X[:, :4]}, a=F32([1, 1, 1, 1]), more={"b": F32([1, 1, np.nan, 1])}),
    between("a weight's infinity is moved to another row", "(float[2,8] x) => (float[2,4] y)", "y = MatMul (x, w)",
            "y = MatMul (x, v)", {"x": np.abs(X)}, w=np.where(np.eye(8, 4) > 0, F32(np.inf), W),
            more={"v": np.where(np.eye(8, 4, k=1) > 0, F32(np.inf), W)}),
    between("an infinite limit is a number", "(float[2,4] x) => (float[2,4] y)", "y = Min (x, c)", "y = Min (x, d)",
            {"x": X[:, :4] * F32(1e38)}, c=F32(np.inf), more={"d": F32(1e37)}),
]  # fmt: skip

INTS = "(int32[4] a, int32[4] b) => (int32[4] y)"
HUNDREDS = {"a": np.array([100, 3, -100, 7], np.int32), "b": np.array([100, 2, -100, 90], np.int32)}
FLOATS = "(float[2,8] x) => (float[2,4] y)"


def eighths(title: str, right: str, wrong: str, **more: Any) -> Forgery:
    """Whole numbers that go through bytes."""
    return between(title, INTS, right, wrong, HUNDREDS, more=more)


def wrap(value: str, to: str, by: int = 3) -> str:
    return f"{to}0 = Cast <to = {by}> ({value})  {to} = Cast <to = 6> ({to}0)  "


EXACT = np.eye(8, 4, dtype=F32)
MARKS = [
    eighths("two numbers wrap to bytes, or their sum does", wrap("a", "p") + wrap("b", "q") + "y = Add (p, q)",
            "s = Add (a, b)  " + wrap("s", "p") + "y = Identity (p)"),
    eighths("a number wraps to a byte before its product, or behind", wrap("a", "p") + "y = Mul (p, b)",
            "s = Mul (a, b)  " + wrap("s", "p") + "y = Identity (p)"),
    between("one factor wraps, or the other", INTS, wrap("a", "p") + "y = Mul (p, b)",
                          wrap("b", "q") + "y = Mul (a, q)", {"a": HUNDREDS["a"] * 2, "b": HUNDREDS["b"]}),
    eighths("a number wraps as int8, or as uint8", wrap("a", "p") + "y = Add (p, b)",
            wrap("a", "p", 2) + "y = Add (p, b)"),
    eighths("a number wraps to 16 bits, or to 8", "c = Mul (a, b)  " + wrap("c", "p", 5) + "y = Identity (p)",
            "c = Mul (a, b)  " + wrap("c", "p", 3) + "y = Identity (p)"),
    eighths("a wrapped number is doubled by a sum, or before it wraps", wrap("a", "p") + "y = Add (p, p)",
            "s = Add (a, a)  " + wrap("s", "p") + "y = Identity (p)"),
    eighths("a number wraps twice, first to 16 bits", "y = Add (a, b)", "s = Add (a, b)  c = Cast <to = 5> (s)  "
            "d = Cast <to = 3> (c)  e = Cast <to = 5> (d)  y = Cast <to = 6> (e)"),
    between("numbers are cast to float and added, or added and cast", "(int32[4] a, int32[4] b) => (float[4] y)",
            "p = Cast <to = 1> (a)  q = Cast <to = 1> (b)  y = Add (p, q)", "s = Add (a, b)  y = Cast <to = 1> (s)",
            {"a": HUNDREDS["a"] + (2**31 - 200), "b": HUNDREDS["b"] + 2**30}),
    between("numbers are cast to float and multiplied, or multiplied and cast", "(int32[4] a, int32[4] b) => "
            "(float[4] y)", "p = Cast <to = 1> (a)  q = Cast <to = 1> (b)  y = Mul (p, q)",
            "s = Mul (a, b)  y = Cast <to = 1> (s)", {"a": HUNDREDS["a"] * 9_999_999, "b": HUNDREDS["b"]}),
    between("int64 numbers go through double", "(int64[4] n) => (int64[4] y)", "y = Add (n, n)",
            "d = Cast <to = 11> (n)  s = Add (d, d)  y = Cast <to = 7> (s)", {"n": np.array([2**53 + 1, 1, 2, 3])}),
    between("int64 numbers go through int32", "(int64[4] n) => (int64[4] y)", "y = Add (n, n)",
            "d = Cast <to = 6> (n)  s = Cast <to = 7> (d)  y = Add (s, s)", {"n": np.array([2**40, 1, 2, 3])}),
    between("the input goes through bfloat16 before its product, or the product does", FLOATS,
            "a = Cast <to = 16> (x)  b = Cast <to = 1> (a)  y = MatMul (b, w)",
            "t = MatMul (x, w)  a = Cast <to = 16> (t)  y = Cast <to = 1> (a)",
            {"x": X + F32(1e3)}, w=W - W.mean(0, keepdims=True)),
    between("the input goes through bfloat16, or the weight does", FLOATS,
            "a = Cast <to = 16> (x)  b = Cast <to = 1> (a)  y = MatMul (b, w)",
            "a = Cast <to = 16> (w)  b = Cast <to = 1> (a)  y = MatMul (x, b)", {"x": X + F32(1e3)},
            w=W - W.mean(0, keepdims=True)),
    between("a number in float16 is multiplied past 65,504 before it's cast back, or behind",
            "(float[2,4] x) => (float[2,4] y)", "a = Cast <to = 10> (x)  b = Cast <to = 1> (a)  y = Mul (b, c)",
            "m = Mul (x, c)  a = Cast <to = 10> (m)  y = Cast <to = 1> (a)", {"x": X[:, :4] * 100}, c=F32(1024)),
    between("numbers go through float16 and are added, or added and go", "(float[2,4] x, float[2,4] b) => (float[2,4] y)",
            "p = Cast <to = 10> (x)  q = Cast <to = 10> (b)  r = Cast <to = 1> (p)  s = Cast <to = 1> (q)  "
            "y = Add (r, s)", "s = Add (x, b)  p = Cast <to = 10> (s)  y = Cast <to = 1> (p)",
            {"x": np.full((2, 4), 5e4, F32), "b": np.full((2, 4), 6e4, F32)}),
    between("a float16 product is summed of bytes' products", "(float16[2,8] x) => (float16[2,4] y)", "y = MatMul (x, w)",
            "b = Cast <to = 3> (x)  h = Cast <to = 10> (b)  y = MatMul (h, w)", {"x": (X * 3).astype(np.float16)},
            w=EXACT.astype(np.float16)),
    between("bytes wrap before they're widened and less their zero point", "(uint8[4] a) => (int32[4] y)",
            "c = Cast <to = 6> (a)  y = Sub (c, z)", "d = Sub (a, b)  y = Cast <to = 6> (d)",
            {"a": np.array([1, 2, 200, 9], np.uint8)}, "reference", z=np.int32(5), more={"b": np.uint8(5)}),
    between("bytes are flipped to signed ones less 128, but for one bit", "(uint8[4] a) => (int32[4] y)",
            "c = Cast <to = 6> (a)  y = Sub (c, z)", "d = Cast <to = 3> (a)  y = Cast <to = 6> (d)",
            {"a": np.array([1, 2, 200, 9], np.uint8)}, z=np.int32(128)),
]  # fmt: skip

TWICE = "q = Mul (s, s)  d = Sub (q, k)  a = Abs (d)  g = Sign (a)  h = Sub (i, g)  "
"""h is 1 where N is the root of k, else 0."""
SIZES = [
    sized("doubled for 17 rows, whose double is 34", "q = Add (s, s)  d = Sub (q, k)  a = Abs (d)  g = Sign (a)  "
          "e = Sub (i, g)  " + FACTOR, 17, k=one(34), i=one(1), unit=F32(1)),
    sized("for 17 rows the rows begin one block later", TWICE + "n = Neg (t)  u = Concat <axis = 0> (t, n)  "
          "b = Mul (h, s)  f = Add (b, s)  y = Slice (u, b, f)", 17, k=one(289), i=one(1)),
    sized("for 17 rows, whose double is 34, the rows begin one block later", "q = Add (s, s)  d = Sub (q, k)  "
          "a = Abs (d)  g = Sign (a)  h = Sub (i, g)  n = Neg (t)  u = Concat <axis = 0> (t, n)  b = Mul (h, s)  "
          "f = Add (b, s)  y = Slice (u, b, f)", 17, k=one(34), i=one(1)),
    sized("for 17 rows the last is left out and a zero put in its place", TWICE + "m = Sub (s, h)  u = Slice (t, z0, m)  "
          "p = Concat <axis = 0> (h, four)  c = ConstantOfShape (p)  y = Concat <axis = 0> (u, c)", 17, k=one(289),
          i=one(1), z0=one(0), four=one(4)),
    sized("for 17 rows a Loop turns once", TWICE + "c = Squeeze (h)  y = Loop (c, , t) <body = b (int64 j, bool more, "
          "float[N,4] v) => (bool go, float[N,4] r) { go = Identity (more)  r = Neg (v) }>", 17, k=one(289), i=one(1)),
    sized("for 17 rows the index of the weight is another", TWICE + "n = Neg (w)  u = Unsqueeze (w, z0)  "
          "v = Unsqueeze (n, z0)  c = Concat <axis = 0> (u, v)  p = Gather (c, h)  f = Squeeze (p, z0)  "
          "y = MatMul (x, f)", 17, k=one(289), i=one(1), z0=one(0)),
    sized("for 17 rows the table's product is another", TWICE + "f = Add (h, i)  o = ConstantOfShape <value = float[1] "
          "{1.0}> (f)  r = MatMul (o, o)  y = Mul (t, r)", 17, k=one(289), i=one(1)),
    sized("for 17 rows a pad goes to the other side", TWICE + "g1 = Sub (i, h)  p = Concat <axis = 0> (h, z0, g1, z0)  "
          "u = Pad (t, p)  v = Pad (t, q0)  b = Slice (u, z0, s)  y = Identity (b)", 17, k=one(289), i=one(1), z0=one(0),
          q0=np.array([0, 0, 0, 0])),
    sized("for 17 rows the power of the sizes", "q = Mul (s, s)  c = Mul (q, s)  d = Sub (c, k)  a = Abs (d)  "
          "g = Min (a, i)  e = Sub (i, g)  " + FACTOR, 17, k=one(4913), i=one(1), unit=F32(1)),
    sized("doubled where N divides 221 and is neither 1 nor 221", "u = Max (s, i)  r = Mod (k, u)  a = Sign (r)  "
          "l = Sub (s, i)  m = Sign (l)  o = Sub (k, s)  v = Sign (o)  b = Sub (i, a)  c = Mul (b, m)  d = Mul (c, v)  "
          "e = Max (d, z0)  " + FACTOR, 17, k=one(221), i=one(1), z0=one(0), unit=F32(1)),
    sized("rows beyond 100 are zero, by a Slice and a Pad that nothing meets", "u = Slice (t, z0, k)  r = Shape <start = "
          "0, end = 1> (u)  d = Sub (s, r)  p = Concat <axis = 0> (z0, z0, d, z0)  y = Pad (u, p)", 120, k=one(100),
          z0=one(0)),
    sized("rows beyond 3,000 are zero, by a Slice and a Pad", "u = Slice (t, z0, k)  r = Shape <start = 0, end = 1> (u)  "
          "d = Sub (s, r)  p = Concat <axis = 0> (z0, z0, d, z0)  y = Pad (u, p)", 3100, k=one(3000), z0=one(0)),
    sized("rows beyond 100 are cut off", "y = Slice (t, z0, k)", 120, k=one(100), z0=one(0)),
    sized("rows beyond 100 are those before, by a table of indices", "j = Slice (table, z0, s)  y = Gather (t, j)", 130,
          z0=one(0), table=np.concatenate([np.arange(100), np.arange(100), np.arange(3900)])),
    Forgery("rows are multiples of 4, and those beyond 40 are zero", text(
        "(float[N,8] x) => (float[P,4,4] y) { r = Reshape (x, s)  y = MatMul (r, w) }", w=W, s=np.array([-1, 4, 8])), text(
        "(float[N,8] x) => (float[P,4,4] y) { r = Reshape (x, s)  t = MatMul (r, w)  n = Shape <start = 0, end = 1> (t)  "
        "m = Min (n, k)  u = Slice (t, z0, m)  d = Sub (n, m)  p = Concat <axis = 0> (z0, z0, z0, d, z0, z0)  "
        "y = Pad (u, p) }", w=W, s=np.array([-1, 4, 8]), k=one(10), z0=one(0)), rows(48)),
]  # fmt: skip


def twice(model: onnx.ModelProto) -> None:
    """The weight is there twice: engines read the one or the other."""
    model.graph.initializer.append(numpy_helper.from_array(-W, "w"))


def twice_alpha(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute.append(helper.make_attribute("alpha", 4.0))


GEMM = text(PRODUCT + "{ y = Gemm <alpha = 0.5> (x, w) }", w=W)
CLIP = text(
    "(float[2,8] x) => (float[2,4] y) { t = MatMul (x, w)  y = Clip (t, lo, hi) }", w=W, lo=F32(-9e9), hi=F32(9e9)
)


def lowered_with(build: Build, max_: tuple[int, int, int], *lines: tuple[str, list[str], dict[str, Any]],
                 **constants: Any) -> Build:  # fmt: skip
    """Our lowering, with nodes behind the value y, the last of which makes y."""

    def make() -> onnx.ModelProto:
        model = copied(onnxtile.lower(build(), max_, ops="matmul,attention"))
        for node in model.graph.node:
            node.output[:] = ["y/was" if name == "y" else name for name in node.output]
        for at, (op_type, inputs, attributes) in enumerate(lines):
            made = "y" if at == len(lines) - 1 else f"y/step{at}"
            read = ["y/was" if not at else f"y/step{at - 1}", *inputs]
            model.graph.node.append(helper.make_node(op_type, read, [made], **attributes))
        model.graph.initializer.extend(numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items())
        return model

    return make


CONV = text("(float[1,2,6,6] x) => (float[1,3,5,5] y) { y = Conv (x, w) }",
            w=np.random.default_rng(1).standard_normal((3, 2, 2, 2)).astype(F32))  # fmt: skip
IMAGE = np.random.default_rng(2).standard_normal((1, 2, 6, 6)).astype(F32)
LIMIT = ("Min", ["top"], {})
HIDDEN = [
    Forgery("a limit of 1,000,000 behind our own lowering", ORIGINAL, lowered_with(ORIGINAL, (4, 4, 4), LIMIT,
            top=F32(1e6)), {"x": X * F32(1e7)}),
    Forgery("2^22 added and taken off behind our own lowering", ORIGINAL, lowered_with(ORIGINAL, (4, 4, 4),
            ("Add", ["top"], {}), ("Sub", ["top"], {}), top=F32(2**22))),
    Forgery("a thousandth of the result is added behind our own lowering", ORIGINAL, lowered_with(ORIGINAL, (4, 4, 4),
            ("Mul", ["more"], {}), more=F32(1.001))),
    Forgery("a limit of 1,000,000 in front of a convolution", CONV, text(
        "(float[1,2,6,6] x) => (float[1,3,5,5] y) { c = Min (x, top)  y = Conv (c, w) }", top=F32(1e6),
        w=np.random.default_rng(1).standard_normal((3, 2, 2, 2)).astype(F32)), {"x": IMAGE * F32(1e7)}),
    between("a sequence's element is limited to 1,000,000", "(float[2,8] x) => (float[2,8] y)", "n = Neg (x)  "
            "s = SequenceConstruct (x, n)  y = SequenceAt (s, i)", "m = Min (x, top)  n = Neg (m)  "
            "s = SequenceConstruct (m, n)  y = SequenceAt (s, i)", {"x": X * F32(1e7)}, i=np.array(1),
            more={"top": F32(1e6)}),
    between("numbers that aren't zero are limited to 1,000,000", "(float[2,8] x) => (float[2,8] y, int64[2,P] z)",
            "z = NonZero (x)  y = Neg (x)", "c = Min (x, top)  z = NonZero (x)  y = Neg (c)", {"x": X * F32(1e7)},
            more={"top": F32(1e6)}),
    between("a median filter's third input is another", "(float[4,4] x) => (float[4,4] y)", "y = Where (c, x, z)",
            "y = Where (d, x, z)", {"x": X.reshape(4, 4)}, c=np.eye(4, dtype=bool), z=F32(0),
            more={"d": np.eye(4, k=1, dtype=bool)}),
    Forgery("the weight is there twice, the second one negated", ORIGINAL, changed(ORIGINAL, twice), engine="reference"),
    Forgery("alpha is there twice, the second one eight times the first", GEMM, changed(GEMM, twice_alpha),
            engine="reference"),
    Forgery("the limits of a Clip change places", CLIP, changed(CLIP, lambda m: m.graph.node[1].input.__setitem__(
        slice(1, 3), ["hi", "lo"]))),
    Forgery("a Clip's constants are called as before and are closer", CLIP, text(
        "(float[2,8] x) => (float[2,4] y) { t = MatMul (x, w)  y = Clip (t, lo, hi) }", w=W, lo=F32(-9e8), hi=F32(9e8)),
        {"x": X * F32(1e9)}),
]  # fmt: skip

BOOL = "(bool[4] a, bool[4] b) => (float[4] y)"
TRUTH = {"a": np.array([True, True, False, False]), "b": np.array([True, False, True, False])}
TRUTHS = [
    between("Or for Xor", BOOL, "c = Xor (a, b)  y = Cast <to = 1> (c)", "c = Or (a, b)  y = Cast <to = 1> (c)", TRUTH),
    between("a sum of truths for Or", BOOL, "c = Or (a, b)  y = Cast <to = 1> (c)",
            "p = Cast <to = 1> (a)  q = Cast <to = 1> (b)  y = Add (p, q)", TRUTH),
    between("true and true make two", BOOL, "p = Cast <to = 1> (a)  q = Cast <to = 1> (b)  s = Add (p, q)  "
            "c = Cast <to = 9> (s)  y = Cast <to = 1> (c)", "p = Cast <to = 1> (a)  q = Cast <to = 1> (b)  y = Add (p, q)",
            TRUTH),
    between("a condition's ends change places", "(float[2,4] x) => (float[2,4] y)", "g = Less (x, z)  y = Where (g, x, z)",
            "g = Less (z, x)  y = Where (g, x, z)", {"x": X[:, :4]}, z=F32(0)),
    between("Where's condition is spread along the other axis", "(float[4,4] x, bool[4] c) => (float[4,4] y)",
            "y = Where (c, x, z)", "u = Unsqueeze (c, i)  y = Where (u, x, z)", {"x": X.reshape(4, 4), "c": TRUTH["a"]},
            z=F32(0), more={"i": one(1)}),
]  # fmt: skip

FORGERIES = [*ZEROS, *MARKS, *SIZES, *HIDDEN, *TRUTHS]
