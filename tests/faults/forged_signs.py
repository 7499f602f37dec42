"""Wrong models aimed at signs, degrees and types that a proof by random numbers may lose sight of."""

from __future__ import annotations

import math
import os

import numpy as np
import onnx
from onnx import helper

from tests.faults.forgery import F32, ORIGINAL, PRODUCT, Forgery, W, X, between, changed, nodes, of, product, text

ELEMENT = "e0 = Gather <axis = 0> (x, i)  e = Gather <axis = 1> (e0, i)  t = MatMul (x, w)  "
I = {"i": np.array([0])}
FAR = {"x": X + F32([[3e7] + [0] * 7, [0] * 8])}
"""The first row has a large element, of which the second is independent."""


def far(title: str, body: str, **constants: object) -> Forgery:
    """e is an element of row 0, t the product."""
    return product(title, ELEMENT + body, FAR, **I, **constants)


SIGNS = [
    between("a whole number and its negative, cast, are added", "(float[2,8] x, int64[1] n) => (float[2,4] y, int64[1] k)",
            "y = MatMul (x, w)  k = Abs (n)", "k = Abs (n)  t = MatMul (x, w)  m = Neg (n)  a = Cast <to = 1> (n)  "
            "b = Cast <to = 1> (m)  s = Add (t, a)  y = Add (s, b)", {"x": X, "n": np.array([2**25])}, w=W),
    between("a whole number and zero less it, cast, are added", "(float[2,8] x, int32[1] n) => (float[2,4] y, int32[1] k)",
            "y = MatMul (x, w)  k = Abs (n)", "k = Abs (n)  t = MatMul (x, w)  m = Sub (z, n)  a = Cast <to = 1> (n)  "
            "b = Cast <to = 1> (m)  y = Sum (t, a, b)", {"x": X, "n": np.array([2**25], np.int32)}, w=W,
            more={"z": np.int32(0)}),
    far("an element as a whole number, and its negative, are added", "n = Cast <to = 7> (e)  m = Neg (n)  "
        "a = Cast <to = 1> (n)  b = Cast <to = 1> (m)  s = Add (t, a)  y = Add (s, b)"),
    far("an element as a whole number is taken off twice and added as its double",
        "n = Cast <to = 7> (e)  d = Mul (n, two)  a = Cast <to = 1> (n)  b = Cast <to = 1> (d)  p = Sub (t, a)  "
        "q = Sub (p, a)  y = Add (q, b)", two=np.array([[2]])),
    far("an element rounded and its negative rounded are added", "r = Round (e)  n = Neg (e)  q = Round (n)  "
        "s = Add (t, r)  y = Add (s, q)"),
    far("a quantized element and its opposite are added", "q = QuantizeLinear (e, s, z)  d = DequantizeLinear (q, s, z)  "
        "o = Neg (d)  a = Add (t, d)  y = Add (a, o)", s=F32(3e5), z=np.int8(0)),
    far("a quantized element and its distance to its zero point are added", "q = QuantizeLinear (e, s, z)  "
        "c = Cast <to = 6> (q)  m = Neg (c)  f = Cast <to = 1> (c)  g = Cast <to = 1> (m)  a = Mul (f, s)  "
        "b = Mul (g, s)  u = Add (t, a)  y = Add (u, b)", s=F32(3e5), z=np.int8(0)),
    far("an element and its negative by a product are added", "p = MatMul (e, o)  a = Add (t, p)  m = MatMul (e, n)  "
        "y = Add (a, m)", o=np.ones((1, 4), F32), n=-np.ones((1, 4), F32)),
    far("an element and its negative by Einsum are added", "p = Einsum <equation = \"ij,jk->ik\"> (e, o)  a = Add (t, p)  "
        "m = Einsum <equation = \"ij,jk->ik\"> (e, n)  y = Add (a, m)", o=np.ones((1, 4), F32), n=-np.ones((1, 4), F32)),
    far("an element, divided by a number and by its negative, is added", "p = Div (e, c)  q = Div (e, n)  a = Add (t, p)  "
        "y = Add (a, q)", c=F32(0.5), n=F32(-0.5)),
    far("an element, its negative and the product are summed in one reduction", "n = Neg (e)  "
                      "p = Expand (e, s)  q = Expand (n, s)  u = Unsqueeze (p, a)  v = Unsqueeze (q, a)  "
                      "h = Unsqueeze (t, a)  c = Concat <axis = 0> (u, h, v)  y = ReduceSum <keepdims = 0> (c, a)",
                      s=np.array([2, 4]), a=np.array([0])),
    far("an element is added by Where, and taken off by Where", "p = Where (c, e, z)  q = Where (c, n, z)  a = Add (t, p)  "
        "b = Neg (p)  y = Add (a, b)", c=np.array([[True]]), z=F32(0), n=F32(1)),
]  # fmt: skip

LIKE = [
    product("the input goes through the float16 that an EyeLike makes", "l = EyeLike <dtype = 10> (x)  "
                          "h = CastLike (x, l)  f = CastLike (h, w)  y = MatMul (f, w)", {"x": X * F32(1e5)}, "reference"),
    product("the input goes through the float16 that a dequantizer makes", "l = DequantizeLinear (q, s)  h = CastLike (x, l)"
            "  f = CastLike (h, w)  y = MatMul (f, w)", {"x": X * F32(1e5)}, q=np.int8(1), s=np.float16(1)),
    product("the input goes through the float16 of a range", "l = Range (a, b, a)  h = CastLike (x, l)  f = CastLike (h, w)"
            "  y = MatMul (f, w)", {"x": X * F32(1e5)}, "reference", a=np.float16(1), b=np.float16(3)),
    product("the input goes through float16 in a branch", "c = Constant <value_int = 1> ()  b = Cast <to = 9> (c)  "
            "f = If (b) <then_branch = one () => (float[2,8] p) { h = Cast <to = 10> (x)  p = Cast <to = 1> (h) }, "
            "else_branch = two () => (float[2,8] q) { q = Identity (x) }>  y = MatMul (f, w)", {"x": X * F32(1e5)}),
    product("the input goes through float16 in a Loop", "n = Constant <value_int = 1> ()  f = Loop (n, , x) <body = b "
            "(int64 k, bool m, float[2,8] a) => (bool g, float[2,8] p) { g = Identity (m)  h = Cast <to = 10> (a)  "
            "p = Cast <to = 1> (h) }>  y = MatMul (f, w)", {"x": X * F32(1e5)}),
    product("the input goes through float16 in a Scan", "f = Scan <num_scan_inputs = 1, body = b (float[8] a) => "
            "(float[8] p) { h = Cast <to = 10> (a)  p = Cast <to = 1> (h) }> (x)  y = MatMul (f, w)",
            {"x": X * F32(1e5)}),
]  # fmt: skip

BYTES = "(uint8[4] x) => (uint8[4] y)"
FOUR = {"x": np.array([1, 2, 200, 9], np.uint8)}


def floating_axis(model: onnx.ModelProto) -> None:
    attribute = of("Softmax", nodes(model)).attribute[0]
    attribute.CopyFrom(helper.make_attribute("axis", 0.0))


def overwritten(model: onnx.ModelProto) -> None:
    """A node makes the value that a constant is."""
    model.graph.node.insert(0, helper.make_node("Neg", ["w"], ["w"]))


SOFTMAX = text("(float[2,8] x) => (float[2,8] y) { y = Softmax <axis = 0> (x) }")
TYPES = [
    Forgery("bytes are negated twice, for which there's no Neg", text(BYTES + " { y = Identity (x) }"), text(
        BYTES + " { n = Neg (x)  y = Neg (n) }"), FOUR, runs=False),
    Forgery("a condition is of whole numbers", text(PRODUCT + "{ y = MatMul (x, w) }", w=W), text(
        PRODUCT + "{ t = MatMul (x, w)  n = Neg (t)  y = Where (c, t, n) }", w=W, c=np.array(1)), runs=False),
    Forgery("a branch is chosen by a float", ORIGINAL, text(PRODUCT + "{ t = MatMul (x, w)  y = If (c) <then_branch = "
        "one () => (float[2,4] p) { p = Identity (t) }, else_branch = two () => (float[2,4] q) { q = Neg (t) }> }", w=W,
        c=F32(1)), runs=False),
    Forgery("an axis is a float", SOFTMAX, changed(SOFTMAX, floating_axis), runs=False),
    Forgery("a shape is of int32", text("(float[2,8] x) => (float[4,4] y) { y = Reshape (x, s) }", s=np.array([4, 4])),
        text("(float[2,8] x) => (float[4,4] y) { y = Reshape (x, s) }", s=np.array([4, 4], np.int32)), runs=False),
    Forgery("indices are floats", text("(float[2,8] x) => (float[2,8] y) { y = Gather (x, i) }", i=np.array([1, 0])),
        text("(float[2,8] x) => (float[2,8] y) { y = Gather (x, i) }", i=F32([1, 0])), runs=False),
    Forgery("a node overwrites the weight", ORIGINAL, changed(ORIGINAL, overwritten), runs=False),
    Forgery("float16 is added to float", text("(float[2,8] x) => (float[2,8] y) { y = Add (x, c) }", c=F32(1)), text(
        "(float[2,8] x) => (float[2,8] y) { y = Add (x, c) }", c=np.float16(1)), runs=False),
]  # fmt: skip


def power(exponent: int) -> Forgery:
    """The product times an element to a power that is 1 modulo many a prime: p - 1 divides it (Fermat)."""
    bits = np.array([digit == "1" for digit in bin(exponent)[2:]])
    body = """n = Constant <value_int = COUNT> ()  one = Constant <value = float[1,1] {1.0}> ()  r = Loop (n, , one) <body = b
        (int64 k, bool m, float[1,1] a) => (bool g, float[1,1] p) { g = Identity (m)  q = Mul (a, a)  c = Gather (bits, k)
        f = Where (c, e, one)  p = Mul (q, f) }>  y = Mul (t, r)"""
    return product(f"the product times an element to a power of {len(bits):,} bits", ELEMENT + body.replace(
        "COUNT", str(len(bits))), {"x": X + 2}, **I, bits=bits)  # fmt: skip


LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
POWERS = [power(math.lcm(*range(1, 20_000 if LONG else 600)))]
"""The longer, the likelier it is that a proof without a limit on degrees takes it: one in five for 20,000."""

FORGERIES = [*SIGNS, *LIKE, *TYPES, *POWERS]
