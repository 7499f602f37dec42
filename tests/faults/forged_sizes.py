"""Wrong models that are right for the sizes that one would try: free dimensions, ragged edges, batches, many of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper

import onnxtile
from tests.faults.forgery import F32, Build, Forgery, W, between, changed, initializer, text

N = "(float[N,8] x) => (float[N,4] y)"
FREE = text(N + " { y = MatMul (x, w) }", w=W)
SIZE = "s = Shape <start = 0, end = 1> (x)  t = MatMul (x, w)  "


def rows(count: int, width: int = 8) -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(count).standard_normal((count, width)).astype(F32)}


def sized(title: str, body: str, count: int, runs: bool = True, **constants: Any) -> Forgery:
    """y = x @ w for most N; s is N, t the product."""
    return Forgery(title, FREE, text(f"{N} {{ {SIZE} {body} }}", w=W, **constants), rows(count), runs=runs)


def one(number: int) -> np.ndarray:
    return np.array([number])


FACTOR = "f = Cast <to = 1> (e)  p = Add (f, unit)  y = Mul (t, p)"
"""e is 1 where the model is to be wrong, and 0 everywhere else."""
UNIT = {"unit": F32(1)}
TABLE = np.ones(64, F32)
TABLE[23] = 2
CONDITIONS = [
    sized("doubled for 17 rows, by Equal", "e = Equal (s, k)  " + FACTOR, 17, k=one(17), **UNIT),
    sized("doubled for 19 rows or more, by Less", "l = Less (s, k)  e = Not (l)  " + FACTOR, 50, k=one(19), **UNIT),
    sized("doubled for 17 rows, by the sign of the difference",
          "d = Sub (s, k)  a = Abs (d)  g = Sign (a)  e = Sub (i, g)  " + FACTOR, 17, k=one(17), i=one(1), **UNIT),
    sized("doubled for 17 rows, whose square is 289", "q = Mul (s, s)  d = Sub (q, k)  a = Abs (d)  g = Sign (a)  "
          "e = Sub (i, g)  " + FACTOR, 17, k=one(289), i=one(1), **UNIT),
    sized("doubled for 2,000 rows", "d = Sub (s, k)  a = Abs (d)  g = Sign (a)  e = Sub (i, g)  " + FACTOR, 2000,
          k=one(2000), i=one(1), **UNIT),
    sized("doubled for multiples of 11", "r = Mod (s, k)  g = Sign (r)  e = Sub (i, g)  " + FACTOR, 22, k=one(11),
          i=one(1), **UNIT),
    sized("doubled for multiples of 143 by two remainders", "r = Mod (s, k)  q = Mod (s, l)  a = Add (r, q)  g = Sign (a)"
          "  e = Sub (i, g)  " + FACTOR, 143, k=one(11), l=one(13), i=one(1), **UNIT),
    sized("doubled for even numbers of rows", "h = Div (s, k)  d = Mul (h, k)  r = Sub (s, d)  e = Sub (i, r)  " + FACTOR,
          6, k=one(2), i=one(1), **UNIT),
    sized("doubled for 23 rows, by a table of factors", "m = Min (s, k)  f = Gather (table, m)  y = Mul (t, f)", 23,
          k=one(40), table=TABLE),
    sized("doubled for 23 rows, by a piece of a table", "m = Min (s, k)  n = Add (m, i)  f = Slice (table, m, n)  "
          "y = Mul (t, f)", 23, k=one(40), i=one(1), table=TABLE),
    sized("doubled for 17 rows, by the number of ones that are summed",
          "q = Mul (s, s)  d = Sub (q, k)  a = Abs (d)  g = Sign (a)  e = Sub (two, g)  o = ConstantOfShape <value = "
          "float[1] {1.0}> (e)  f = ReduceSum (o)  y = Mul (t, f)", 17, k=one(289), two=one(2)),
    sized("negated for 17 rows, in a branch", "e = Equal (s, k)  c = Squeeze (e)  y = If (c) <then_branch = one () => "
          "(float[N,4] p) { p = Neg (t) }, else_branch = two () => (float[N,4] q) { q = Identity (t) }>", 17, k=one(17)),
    sized("doubled by a Loop that turns N - 16 times, at most once", "d = Sub (s, k)  m = Max (d, zero)  n = Min (m, i)"
          "  c = Squeeze (n)  y = Loop (c, , t) <body = b (int64 j, bool more, float[N,4] a) => (bool go, float[N,4] r) "
          "{ go = Identity (more)  r = Add (a, a) }>", 20, k=one(16), i=one(1), zero=one(0)),
    sized("rows beyond 16 are those before", "v = Min (s, k)  u = Slice (t, zero, v)  d = Sub (s, v)  m = Neg (d)  "
          "a = Slice (t, zero, d)  y = Concat <axis = 0> (u, a)", 20, k=one(16), zero=one(0)),
    sized("each row beyond the seventh is padded with zeros", "v = Min (s, k)  u = Slice (t, zero, v)  d = Sub (s, v)  "
          "z = Concat <axis = 0> (d, four)  p = ConstantOfShape (z)  y = Concat <axis = 0> (u, p)", 9, k=one(7),
          zero=one(0), four=one(4)),
    sized("zero rows become one", "m = Max (s, i)  z = Concat <axis = 0> (m, four)  y = Reshape (t, z)", 0, False, i=one(1),
          four=one(4)),
    sized("a single row is doubled", "d = Sub (s, i)  g = Sign (d)  a = Abs (g)  e = Sub (i, a)  " + FACTOR, 1, i=one(1),
          **UNIT),
    Forgery("the rows are fixed at 3", FREE, text(N + " { t = Reshape (x, s)  y = MatMul (t, w) }", w=W,
            s=np.array([3, 8])), rows(5), runs=False),
    Forgery("negated, where --bind says that there are no rows", text(
        "(float[n,8] x) => (float[n,4] y) { y = MatMul (x, w) }", w=W), text(
        "(float[n,8] x) => (float[n,4] y) { t = MatMul (x, w)  y = Neg (t) }", w=W), rows(3), how={"bind": {"n": 0}}),
    Forgery("negated, where --bind says that there are no rows, with method bound", text(
        "(float[n,8] x) => (float[n,4] y) { y = MatMul (x, w) }", w=W), text(
        "(float[n,8] x) => (float[n,4] y) { t = MatMul (x, w)  y = Neg (t) }", w=W), rows(3),
        how={"bind": {"n": 0}, "method": "bound"}),
]  # fmt: skip


def lied(tail: str) -> Build:
    """The original's value_info says that a value has no rows."""
    return changed(
        text("(float[2,8] x, int64[2] s) => (float[P,4] y) { h = Reshape (x, s)  " + tail + " }", w=W),
        lambda m: m.graph.value_info.append(helper.make_tensor_value_info("h", onnx.TensorProto.FLOAT, [0, 8])),
    )


PAIR = "(float[N,8] x, float[M,8] z) => (float[N,4] y, float[M,4] v)"
BOTH = text(PAIR + " { y = MatMul (x, w)  v = MatMul (z, w) }", w=W)
SIZES = "s = Shape <start = 0, end = 1> (x)  r = Shape <start = 0, end = 1> (z)  t = MatMul (x, w)  v = MatMul (z, w)  "


def paired(title: str, body: str, n: int, m: int, **constants: Any) -> Forgery:
    feeds = {"x": rows(n)["x"], "z": rows(m)["x"]}
    return Forgery(title, BOTH, text(f"{PAIR} {{ {SIZES} {body} }}", w=W, **constants), feeds)


MANY = 14
ARROWS = ", ".join(f"float[D{i},8] x{i}" for i in range(MANY)), ", ".join(f"float[D{i},8] y{i}" for i in range(MANY))
OTHERS = "  ".join(f"y{i} = Relu (x{i})" for i in range(MANY - 1))
LAST = f"x{MANY - 1}"
OF_MANY = text(f"({ARROWS[0]}) => ({ARROWS[1]}) {{ {OTHERS}  y{MANY - 1} = MatMul ({LAST}, w) }}",
               w=np.arange(64, dtype=F32).reshape(8, 8))  # fmt: skip
SEVERAL = [
    Forgery("negated; the original's value_info says there are no rows", lied("y = MatMul (h, w)"),
            lied("t = MatMul (h, w)  y = Neg (t)"), {**rows(2), "s": np.array([2, 8])}),
    paired("doubled where N is M", "d = Sub (s, r)  a = Abs (d)  g = Sign (a)  e = Sub (i, g)  " + FACTOR, 6, 6, i=one(1),
           **UNIT),
    paired("doubled where N is M + 9", "q = Add (r, k)  d = Sub (s, q)  a = Abs (d)  g = Sign (a)  e = Sub (i, g)  "
           + FACTOR, 21, 12, k=one(9), i=one(1), **UNIT),
    paired("doubled where both have more than 20 rows", "m = Min (s, r)  d = Sub (m, k)  b = Max (d, z0)  e = Min (b, i)  "
           + FACTOR, 25, 30, k=one(20), i=one(1), z0=one(0), **UNIT),
    paired("N rows are read off the other input's size", "y = Slice (t, z0, r)", 9, 5, z0=one(0)),
    Forgery("of fourteen free dimensions, the last one's rows beyond 16 are zero", OF_MANY, text(
        f"({ARROWS[0]}) => ({ARROWS[1]}) {{ {OTHERS}  s = Shape <start = 0, end = 1> ({LAST})  t = MatMul ({LAST}, w)  "
        f"v = Min (s, k)  u = Slice (t, z0, v)  d = Sub (s, v)  z = Concat <axis = 0> (d, f)  p = ConstantOfShape (z)  "
        f"y{MANY - 1} = Concat <axis = 0> (u, p) }}", w=np.arange(64, dtype=F32).reshape(8, 8), k=one(16), z0=one(0),
        f=one(8)), {f"x{i}": np.ones((20 if i == MANY - 1 else 2, 8), F32) for i in range(MANY)}),
    between("an unfixed axis is reshaped by -1 over another axis", "(float[N,8] x, float[M,4] z) => (float[M,4] y)",
            "m = Shape (z)  o = ConstantOfShape <value = float[1] {1.0}> (m)  y = Add (z, o)",
            "m = Shape (z)  o = ConstantOfShape <value = float[1] {1.0}> (m)  u = Add (z, o)  q = Shape (x)  "
            "n = Gather (q, i)  d = Sub (n, n)  p = Pad (u, pads)  y = Slice (p, i, e)", {"x": rows(3)["x"],
            "z": np.ones((5, 4), F32)}, more={"i": one(0), "pads": np.array([1, 0, 0, 0]), "e": one(5)}),
]  # fmt: skip


def loop_beyond_two_tiles(model: onnx.ModelProto) -> None:
    """The Scan over tiles of rows gets the second one in the place of all that are behind it."""
    graph = model.graph
    (scan,) = (each for each in graph.node if each.op_type == "Scan")
    assert scan.input[1] == "y/A_tiles", "the loop's form is another now"
    low = [
        helper.make_node("Squeeze", ["y/M_counted"], ["y/count"], name="y/count"),
        helper.make_node("Range", ["y/first", "y/count", "y/step"], ["y/indices"], name="y/indices"),
        helper.make_node("Min", ["y/indices", "y/step"], ["y/low"], name="y/low"),
        helper.make_node("Gather", ["y/A_tiles", "y/low"], ["y/A_low"], name="y/A_low", axis=0),
    ]
    scan.input[1] = "y/A_low"
    where = list(graph.node).index(scan)
    for node in reversed(low):
        graph.node.insert(where, node)
    initializer("y/first", np.array(0))(model)
    initializer("y/step", np.array(1))(model)


def one_tile_more(model: onnx.ModelProto) -> None:
    """M // tile + 1 tiles of rows, which fails where M is a multiple of the tile."""
    graph = model.graph
    for index, each in enumerate(graph.node):
        if each.output[0] == "y/A_cut":
            graph.node.insert(index, helper.make_node("Div", ["y/M", "y/A_padded_tile"], ["y/q"]))
            graph.node.insert(index + 1, helper.make_node("Add", ["y/q", "y/unit"], ["y/tiles_m"]))
            graph.node.insert(index + 2, helper.make_node("Concat", ["y/tiles_m", "y/rest"], ["y/cut_shape"], axis=0))
            each.input[1] = "y/cut_shape"
            initializer("y/unit", one(1))(model)
            initializer("y/rest", np.array([4, 1, 2, 4]))(model)
            return
    raise LookupError("the batched form is another now")


def by_form(form: str) -> Build:
    return lambda: onnxtile.lower(FREE(), (4, 4, 4), form=form)


def no_rows_fail(form: str, body: str = N) -> Build:
    """A form that needs a row."""
    return changed(
        by_form(form), lambda m: m.graph.node.insert(0, helper.make_node("Gather", ["x", "at0"], ["row"], axis=0)),
        initializer("at0", np.array([0])), lambda m: m.graph.node.append(helper.make_node("Relu", ["row"], ["dead"])),
    )  # fmt: skip


FORMS = [
    Forgery("the loop's rows beyond two tiles read the second tile", FREE,
            changed(by_form("loop"), loop_beyond_two_tiles), rows(13)),
    Forgery("there is one tile of rows more than M // tile, so that multiples of it fail", FREE,
            changed(by_form("batched"), one_tile_more), rows(8), runs=False),
    Forgery("a row is read that there isn't where there are none", FREE, no_rows_fail("batched"), rows(0), runs=False),
]  # fmt: skip

FORGERIES = [*CONDITIONS, *SEVERAL, *FORMS]
