"""Wrong models in which numbers decide: conditions, turns, indices and shapes that data or other inputs give."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.faults.cases import integers
from tests.faults.forgery import F32, Forgery, W, X, between, product

ELEMENT = "e0 = Gather <axis = 0> (x, i)  e1 = Gather <axis = 1> (e0, i)  e = Squeeze (e1)  "
"""e is x's first element."""
I = {"i": np.array([0])}
ONCE = """<body = step (int64 k, bool more, KIND[2,4] a) => (bool again, KIND[2,4] b) {
    tr = Constant <value_int = 0> ()  again = Cast <to = 9> (tr)  b = Identity (t) }>"""
ZERO, SEVEN = X.copy(), X.copy()
ZERO[0, 0], SEVEN[0, 0] = 0, 7
WHOLE = {"w": np.arange(32).reshape(8, 4) - 15}
LARGE = X * 1e6

BRANCHES = [
    product("negated where an element is above 1,000,000, by Where",
            ELEMENT + "t = MatMul (x, w)  g = Greater (e, k)  n = Neg (t)  y = Where (g, n, t)", {"x": LARGE * 99},
            k=F32(1e6), **I),
    product("negated where an element is 7, by If", ELEMENT + "t = MatMul (x, w)  g = Equal (e, k)  y = If (g) "
            "<then_branch = one () => (float[2,4] p) { p = Neg (t) }, else_branch = two () => (float[2,4] q) "
            "{ q = Identity (t) }>", {"x": SEVEN}, k=F32(7), **I),
    product("the product of the input's magnitude where all elements are below 1e-30",
            "t = MatMul (x, w)  a = Abs (x)  m = ReduceMax <keepdims = 0> (a)  g = Less (m, k)  n = MatMul (a, w)  "
            "y = Where (g, n, t)", {"x": X * 1e-32}, k=F32(1e-30)),
    product("each element that is exactly 2 is 3", "g = Equal (x, k)  h = Where (g, l, x)  y = MatMul (h, w)",
            {"x": np.where(np.eye(2, 8) > 0, F32(2), X)}, k=F32(2), l=F32(3)),
    product("the larger of the product and its hundredth", "t = MatMul (x, w)  u = Mul (t, c)  y = Max (t, u)", c=F32(0.01)),
    product("the larger of the product and -1e9", "t = MatMul (x, w)  y = Max (t, c)", {"x": LARGE * 1e6}, c=F32(-1e9)),
    product("the larger of the product and itself with one column negated", "t = MatMul (x, w)  u = MatMul (x, v)  "
            "y = Max (t, u)", v=W * F32([1, 1, -1, 1])),
    product("a condition that's a number of the product picks the branch", "t = MatMul (x, w)  c = Cast <to = 9> (t)  "
            "n = Neg (t)  y = Where (c, n, n)"),
    between("a condition is negated twice, but for one input", "(float[2,8] x, bool c) => (float[2,4] y)",
            "t = MatMul (x, w)  n = Neg (t)  y = Where (c, t, n)",
            "t = MatMul (x, w)  n = Neg (t)  d = Or (c, k)  y = Where (d, t, n)", {"x": X, "c": np.array(False)}, w=W,
            more={"k": np.array(True)}),
    between("If becomes its then branch", "(float[2,8] x, bool c) => (float[2,4] y)",
            "y = If (c) <then_branch = one () => (float[2,4] p) { p = MatMul (x, w) }, else_branch = two () => "
            "(float[2,4] q) { q = Add (z, z) }>", "y = MatMul (x, w)", {"x": X, "c": np.array(False)}, w=W,
            z=np.ones((2, 4), F32)),
    between("If becomes its else branch", "(float[2,8] x, bool c) => (float[2,4] y)",
            "y = If (c) <then_branch = one () => (float[2,4] p) { p = MatMul (x, w) }, else_branch = two () => "
            "(float[2,4] q) { q = Add (z, z) }>", "y = Add (z, z)", {"x": X, "c": np.array(True)}, w=W,
            z=np.ones((2, 4), F32)),
    between("the branch that needs a condition above 1,000 is another", "(float[2,8] x) => (float[2,4] y)",
            ELEMENT + "g = Greater (e, k)  t = MatMul (x, w)  y = If (g) <then_branch = one () => (float[2,4] p) "
            "{ p = Neg (t) }, else_branch = two () => (float[2,4] q) { q = Abs (t) }>",
            ELEMENT + "g = Greater (e, k)  t = MatMul (x, w)  y = If (g) <then_branch = one () => (float[2,4] p) "
            "{ p = Exp (t) }, else_branch = two () => (float[2,4] q) { q = Abs (t) }>", {"x": np.abs(LARGE)}, w=W,
            k=F32(1000), **I),
    between("the limit of a condition is 1,001 instead of 1,000", "(float[2,8] x) => (float[2,4] y)",
            ELEMENT + "g = Greater (e, k)  t = MatMul (x, w)  n = Neg (t)  y = Where (g, n, t)",
            ELEMENT + "g = Greater (e, l)  t = MatMul (x, w)  n = Neg (t)  y = Where (g, n, t)",
            {"x": X + F32([[1000.5] + [0] * 7] * 2)}, w=W, k=F32(1000), more={"l": F32(1001)}, **I),
    between("Greater is GreaterOrEqual", "(float[2,8] x) => (float[2,8] y)",
            "g = Greater (x, k)  n = Neg (x)  y = Where (g, n, x)",
            "g = GreaterOrEqual (x, k)  n = Neg (x)  y = Where (g, n, x)",
            {"x": np.full((2, 8), 2, F32)}, k=F32(2)),
]  # fmt: skip

SUMS = "(float[5,4] xs, float[4] h) => (float[4] y, float[5,4] ys)"
STEP = "<num_scan_inputs = 1, ATTRIBUTES body = b (float[4] s, float[4] e) => (float[4] r, float[4] o) { BODY }>"


def scan(title: str, wrong: str, body: str = "", right: str = "", right_body: str = "m = MatMul (e, v)  r = Add (s, m)  "
         "o = Tanh (r)") -> Forgery:  # fmt: skip
    one, other = (
        "y, ys = Scan " + STEP.replace("ATTRIBUTES", attributes).replace("BODY", each) + " (h, xs)"
        for attributes, each in ((right, right_body), (wrong, body or right_body))
    )
    feeds = {"xs": np.arange(20, dtype=F32).reshape(5, 4) / 9, "h": np.arange(4, dtype=F32)}
    return between(title, SUMS, one, other, feeds, v=W[:4])


def loop(title: str, wrong: str, right: str = "t = MatMul (a, v)  b = Tanh (t)", turns: str = "n",
         feeds: int = 3, first: str = "x", **constants: Any) -> Forgery:  # fmt: skip
    body = "<body = b (int64 k, bool more, float[2,4] a) => (bool go, float[2,4] b) {{ go = Identity (more)  {} }}>"
    signature = "(float[2,4] x, int64 n) => (float[2,4] y)"
    return between(
        title, signature, f"y = Loop (n, , x) {body.format(right)}", f"y = Loop ({turns}, , {first}) {body.format(wrong)}",
        {"x": X[:, :4], "n": np.array(feeds)}, v=W[:4], more=constants,
    )  # fmt: skip


TURNS = [
    between("negated where an element of whole numbers is 0, by a Loop's turns", "(int64[2,8] x) => (int64[2,4] y)",
            "y = MatMul (x, w)", ELEMENT + "q = Mul (e, e)  t = MatMul (x, w)  n = Neg (t)  y = Loop (q, , n) "
            + ONCE.replace("KIND", "int64"), {"x": ZERO.astype(np.int64)}, **WHOLE, more=I),
    between("negated where another input of the model is 0, by a Loop's turns",
            "(float[2,8] x, int64[1] n) => (float[2,4] y, int64[1] m)", "y = MatMul (x, w)  m = Neg (n)",
            "m = Neg (n)  q = Mul (n, n)  s = Squeeze (q)  t = MatMul (x, w)  u = Neg (t)  y = Loop (s, , u) "
            + ONCE.replace("KIND", "float"), {"x": X, "n": np.array([0])}, w=W),
    loop("the Loop's body reads what the Loop began with", "t = MatMul (x, v)  b = Tanh (t)"),
    loop("the Loop's body lacks Tanh", "t = MatMul (a, v)  b = Identity (t)"),
    loop("the Loop turns once more", "t = MatMul (a, v)  b = Tanh (t)", turns="n1", n1=np.array(4)),
    loop("the Loop's count makes a difference from the third turn on",
         "t = MatMul (a, v)  h = Tanh (t)  g = Greater (k, two)  z = Neg (h)  b = Where (g, z, h)", feeds=4,
         two=np.array(2)),
    loop("the Loop begins with zeros where it doesn't turn", "t = MatMul (a, v)  b = Tanh (t)", feeds=0, first="o",
         o=np.zeros((2, 4), F32)),
    scan("a Scan runs backwards", "scan_input_directions = [1],"),
    scan("a Scan stacks backwards", "scan_output_directions = [1],"),
    scan("a Scan that runs backwards runs forwards", "", "", "scan_input_directions = [1],"),
    scan("a Scan's output is taken before its step", "", "m = MatMul (e, v)  r = Add (s, m)  o = Tanh (s)"),
    scan("a Scan's body adds its state twice", "", "m = MatMul (e, v)  q = Add (s, m)  r = Add (q, s)  o = Tanh (r)"),
    scan("a Scan's body multiplies the state", "", "m = MatMul (s, v)  r = Add (e, m)  o = Tanh (r)"),
    scan("a Scan reads its first state in each step", "", "m = MatMul (e, v)  r = Add (h, m)  o = Tanh (r)"),
    scan("a Scan limits its state at 1,000", "", "m = MatMul (e, v)  q = Add (s, m)  c = Constant <value_float = 2.0> ()"
         "  r = Min (q, c)  o = Tanh (r)"),
]  # fmt: skip

PICKED = np.arange(32, dtype=F32).reshape(8, 4)
LOOKED = "(int64[3] n, float[8,4] x) => (float[3,4] y)"
INDEX = {"n": np.array([7, 0, 3]), "x": PICKED}
PLACES = [
    between("indices are limited to 6", LOOKED, "y = Gather (x, n)", "m = Min (n, k)  y = Gather (x, m)", INDEX,
            more={"k": np.array(6)}),
    between("indices are taken modulo 7", LOOKED, "y = Gather (x, n)", "m = Mod (n, k)  y = Gather (x, m)", INDEX,
            more={"k": np.array(7)}),
    between("indices go through int8", "(int64[3] n, float[300,4] x) => (float[3,4] y)", "y = Gather (x, n)",
            "b = Cast <to = 3> (n)  m = Cast <to = 7> (b)  y = Gather (x, m)",
            {"n": np.array([299, 130, 3]), "x": np.arange(1200, dtype=F32).reshape(300, 4)}),
    between("Gather goes along the other axis", "(int64[4] n, float[4,4] x) => (float[4,4] y)", "y = Gather (x, n)",
            "y = Gather <axis = 1> (x, n)", {"n": np.array([3, 0, 2, 1]), "x": PICKED[:4]}),
    between("two Gathers have exchanged their indices", "(int64[4] n, int64[4] m, float[4,4] x) => (float[4,4] y)",
            "a = Gather (x, n)  y = Gather <axis = 1> (a, m)", "a = Gather (x, m)  y = Gather <axis = 1> (a, n)",
            {"n": np.array([3, 0, 2, 1]), "m": np.array([0, 0, 1, 2]), "x": PICKED[:4]}),
    between("GatherElements for Gather", "(float[4,4] x) => (float[4,4] y)", "y = Gather (x, i)",
            "y = GatherElements (x, j)", {"x": PICKED[:4]}, i=np.array([3, 0, 2, 1]),
            more={"j": np.tile(np.array([3, 0, 2, 1]), (4, 1))}),
    between("a Slice's start is an input's", "(float[8,4] x, int64[1] n) => (float[2,4] y, int64[1] m)",
            "m = Neg (n)  y = Slice (x, a, b)", "m = Neg (n)  c = Add (n, two)  y = Slice (x, n, c)",
            {"x": PICKED, "n": np.array([2])}, a=np.array([1]), b=np.array([3]), more={"two": np.array([2])}),
    between("a shape is computed of another input's numbers", "(float[8,4] x, int64[2] n) => (float[P,Q] y, int64[2] m)",
            "m = Neg (n)  y = Reshape (x, s)", "m = Neg (n)  y = Reshape (x, n)", {"x": PICKED, "n": np.array([2, 16])},
            s=np.array([4, 8])),
    between("a Reshape's 0 and -1 stand for other axes", "(float[2,8,4] x) => (float[P,Q,R] y)", "y = Reshape (x, s)",
            "y = Reshape (x, t)", {"x": np.arange(64, dtype=F32).reshape(2, 8, 4)}, s=np.array([0, 4, -1]),
            more={"t": np.array([-1, 4, 2])}),
    between("a Reshape in place of a Transpose", "(float[4,6] x) => (float[6,4] y)", "y = Transpose (x)",
            "y = Reshape (x, t)", {"x": np.arange(24, dtype=F32).reshape(4, 6)}, more={"t": np.array([6, 4])}),
    between("a Reshape in place of a Transpose, of equal sides", "(float[4,4] x) => (float[4,4] y)", "y = Transpose (x)",
            "y = Identity (x)", {"x": PICKED[:4]}),
    between("ScatterND writes its rows in another order", "(float[4,4] x) => (float[4,4] y)",
            "y = ScatterND (x, i, u)", "y = ScatterND (x, j, u)", {"x": PICKED[:4]}, i=np.array([[0], [2]]),
            u=integers(2, 4).astype(F32), more={"j": np.array([[2], [0]])}),
    between("TopK gives the smallest", "(float[2,8] x) => (float[2,3] y)", "y, i = TopK (x, k)",
            "y, i = TopK <largest = 0> (x, k)", {"x": X}, k=np.array([3])),
    between("TopK's two outputs change places", "(float[2,8] x) => (float[2,3] y)",
            "v, i = TopK (x, k)  y = Cast <to = 1> (v)", "v, i = TopK (x, k)  y = Cast <to = 1> (i)", {"x": X},
            k=np.array([3])),
    between("an axis of ReduceSum is the other", "(float[4,4] x) => (float[4] y)", "y = ReduceSum <keepdims = 0> (x, a)",
            "y = ReduceSum <keepdims = 0> (x, b)", {"x": PICKED[:4]}, a=np.array([0]), more={"b": np.array([1])}),
    between("a Slice's steps are doubled, and its end moved", "(float[8,4] x) => (float[2,4] y)",
            "y = Slice (x, a, b, c, d)", "y = Slice (x, a, e, c, f)", {"x": PICKED}, a=np.array([0]), b=np.array([2]),
            c=np.array([0]), d=np.array([1]), more={"e": np.array([4]), "f": np.array([2])}),
    between("a Slice runs backwards", "(float[8,4] x) => (float[8,4] y)", "y = Identity (x)", "y = Slice (x, a, b, c, d)",
            {"x": PICKED}, more={"a": np.array([-1]), "b": np.array([-9]), "c": np.array([0]), "d": np.array([-1])}),
    between("Expand spreads the other axis", "(float[4] x) => (float[4,4] y)", "u = Unsqueeze (x, a)  y = Expand (u, s)",
            "u = Unsqueeze (x, b)  y = Expand (u, s)", {"x": PICKED[0]}, a=np.array([0]), s=np.array([4, 4]),
            more={"b": np.array([1])}),
    between("ConstantOfShape has another value", "(float[2,8] x) => (float[2,8] y)",
            "s = Shape (x)  c = ConstantOfShape <value = float[1] {1.0}> (s)  y = Add (x, c)",
            "s = Shape (x)  c = ConstantOfShape <value = float[1] {1.001}> (s)  y = Add (x, c)", {"x": X}),
    between("a sequence's elements change places", "(float[2,8] x) => (float[2,8] y)", "n = Neg (x)  "
            "s = SequenceConstruct (x, n)  y = SequenceAt (s, i)", "n = Neg (x)  s = SequenceConstruct (n, x)  "
            "y = SequenceAt (s, i)", {"x": X}, i=np.array(1)),
    between("a sequence gives its other element", "(float[2,8] x) => (float[2,8] y)", "n = Neg (x)  "
            "s = SequenceConstruct (x, n)  y = SequenceAt (s, i)", "n = Neg (x)  s = SequenceConstruct (x, n)  "
            "y = SequenceAt (s, j)", {"x": X}, i=np.array(1), more={"j": np.array(0)}),
]  # fmt: skip

FORGERIES = [*BRANCHES, *TURNS, *PLACES]
