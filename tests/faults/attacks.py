"""Wrong models made to look right: by kinds of what a verifier might overlook, each with an input that shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

import onnxtile
from tests.faults.forged_sizes import loop_beyond_two_tiles

HEAD = '<ir_version: 10, opset_import: ["" : 20]>'
OWN = '<ir_version: 10, opset_import: ["" : 20, "onnxtile" : 1, "local" : 1]>'
W = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
X = np.random.default_rng(1).standard_normal((2, 8)).astype(np.float32)
G = "(float[2,8] x) => (float[2,4] y) "
Made = onnx.ModelProto | Callable[[], onnx.ModelProto]


def model(text: str, head: str = HEAD, **constants: Any) -> onnx.ModelProto:
    """A model from ONNX text; not checked."""
    made = onnx.parser.parse_model(f"{head} g {text}")
    nodes = [made.graph.node, *(function.node for function in made.functions)]
    for each in nodes:
        for node in each:
            node.domain = "" if node.domain == "ai.onnx" else node.domain
            nodes += [attribute.g.node for attribute in node.attribute if attribute.HasField("g")]
    for name, array in constants.items():
        made.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
    return made


@dataclass(frozen=True, eq=False)
class Attack:
    """A wrong model beside the original, and an input on which it's wrong."""

    title: str
    original: Made
    lowered: Made
    shows: dict[str, np.ndarray] = field(default_factory=lambda: {"x": X})

    @property
    def models(self) -> tuple[onnx.ModelProto, onnx.ModelProto]:
        one, other = (each() if callable(each) else each for each in (self.original, self.lowered))
        return one, other


PRODUCT = model(G + "{ y = MatMul (x, w) }", w=W)
FREE = model("(float[N,8] x) => (float[N,4] y) { y = MatMul (x, w) }", w=W)


def instead(body: str, **constants: Any) -> onnx.ModelProto:
    """Something in the place of y = x @ w."""
    return model(G + "{" + body + "}", w=W, **constants)


def branches(one: np.ndarray, other: np.ndarray, hoisted: bool) -> onnx.ModelProto:
    made = model(
        """(float[2,8] x, bool c) => (float[2,4] y) { y = If (c) <
        then_branch = one () => (float[2,4] p) { p = MatMul (x, w) },
        else_branch = two () => (float[2,4] q) { q = MatMul (x, w) }> }"""
    )
    graphs = {attribute.name: attribute.g for attribute in made.graph.node[0].attribute}
    places = [(made.graph, one)] if hoisted else [(graphs["then_branch"], one), (graphs["else_branch"], other)]
    for graph, array in places:
        graph.initializer.append(numpy_helper.from_array(array, "w"))
    return made


def behind_our_lowering() -> onnx.ModelProto:
    """Rounding to halves by adding and taking off 2^22, spelled with sums, behind a right lowering and its metadata."""
    lowered = onnxtile.lower(PRODUCT, (2, 4, 2))
    lowered.graph.node[-1].output[0] = "y/whole"
    more = model(
        """(float[2,4] whole) => (float[2,4] y) { s = Constant <value_ints = [1, 2, 4]> ()
        ax = Constant <value_ints = [0]> ()  big = ConstantOfShape <value = float[1] {4194304.0}> (s)
        neg = ConstantOfShape <value = float[1] {-4194304.0}> (s)  u = Unsqueeze (whole, ax)
        c1 = Concat <axis = 0> (u, big)  r1 = ReduceSum <keepdims = 1> (c1, ax)
        c2 = Concat <axis = 0> (r1, neg)  y = ReduceSum <keepdims = 0> (c2, ax) }"""
    )
    for node in more.graph.node:
        node.input[:] = ["y/whole" if name == "whole" else name for name in node.input]
        node.metadata_props.add(key="onnxtile.origin", value="y")
        lowered.graph.node.append(node)
    return lowered


def third_tile_is_the_second() -> onnx.ModelProto:
    lowered: onnx.ModelProto = onnxtile.lower(FREE, (4, 4, 4), form="loop")
    loop_beyond_two_tiles(lowered)
    return lowered


def with_node(node: onnx.NodeProto, **constants: Any) -> onnx.ModelProto:
    made = instead("y = MatMul (x, w)", **constants)
    made.graph.node.append(node)
    return made


BIG = X.copy()
BIG[0, 0] = 1e5
INFINITE = X.copy()
INFINITE[0, 0] = np.inf
BYTES = np.random.default_rng(2).integers(0, 256, (64, 4)).astype(np.uint8)
WHOLE = np.array([0, 1, 2, 300])
TABLE = np.random.default_rng(3).standard_normal((5000, 4)).astype(np.float32)
OTHER = TABLE.copy()
OTHER[4321] = 7
LOOP = """<body = step (int64 k, bool more, float[2,4] a) => (bool again, float[2,4] b) {
    tr = Constant <value_int = 0> ()  again = Cast <to = 9> (tr)  b = Identity (t) }>"""

ATTACKS = (
    Attack("the branches' own weights are hoisted into one", lambda: branches(W, -W, False),
           lambda: branches(W, -W, True), {"x": X, "c": np.array(False)}),
    Attack("sums that round, behind our own lowering", PRODUCT, behind_our_lowering),
    Attack("a factor becomes a whole number", model(G + "{ y = Gemm <alpha = 0.7> (x, w) }", w=W),
           instead("t = MatMul (x, w)  y = Add (t, t)")),
    Attack("a term is added and taken off again", PRODUCT,
           instead("""i = Constant <value_ints = [0]> ()  e0 = Gather <axis = 0> (x, i)  e = Gather <axis = 1> (e0, i)
           q = Mul (e, e)  t = MatMul (x, w)  a = Add (t, q)  y = Sub (a, q)"""), {"x": BIG}),
    Attack("padding that isn't zero is added and taken off again", PRODUCT,
           instead("""p = Constant <value_ints = [0, 0, 0, 1]> ()  q = Constant <value_ints = [0, 0, 1, 0]> ()
           v = Constant <value_float = 4096.0> ()  o = Constant <value_float = 1024.0> ()  on = Neg (o)
           xp = Pad (x, p, v)  wp = Pad (w, q, o)  wn = Pad (w, q, on)  t = MatMul (xp, wp)
           i = Constant <value_ints = [0, -8, 0, 0]> ()  h = Pad (xp, i)  j = Constant <value_ints = [-8, 0, 0, 0]> ()
           k = Pad (wn, j)  y = Gemm (h, k, t)""")),
    Attack("a constant inside a function rounds", PRODUCT,
           lambda: model(G + """{ y = onnxtile.product (x, w) } <domain: "onnxtile", opset_import: ["" : 20]>
           product (a, b) => (c) { w = Constant <value_float = 4194304.0> ()  t = MatMul (a, b)  u = Add (t, w)
           c = Sub (u, w) }""", OWN, w=W)),
    Attack("an overload hides the function that's called", PRODUCT,
           lambda: model(G + """{ y = onnxtile.product (x, w) } <domain: "onnxtile", opset_import: ["" : 20]>
           product (a, b) => (c) { t = MatMul (a, b)  c = Round (t) }
           <domain: "onnxtile", overload: "decoy", opset_import: ["" : 20]>
           product (a, b) => (c) { c = MatMul (a, b) }""",
           OWN, w=W)),
    Attack("the turns of a loop come from an operand", PRODUCT,
           instead("""i = Constant <value_ints = [0]> ()  f = Constant <value_ints = [-1]> ()  fl = Reshape (x, f)
           e = Gather <axis = 0> (fl, i)  z = Cast <to = 7> (e)  q = Mul (z, z)  sc = Squeeze (q, i)  t = MatMul (x, w)
           n = Neg (t)  y = Loop (sc, , n) """ + LOOP)),
    Attack("the turns of a loop come from another input",
           model("(float[2,8] x, int64[1] n) => (float[2,4] y, int64[1] m) { y = MatMul (x, w)  m = Neg (n) }", w=W),
           model("""(float[2,8] x, int64[1] n) => (float[2,4] y, int64[1] m) { m = Neg (n)  q = Mul (n, n)
           s0 = Constant <value_ints = [0]> ()  sc = Squeeze (q, s0)  t = MatMul (x, w)  u = Neg (t)
           y = Loop (sc, , u) """ + LOOP + "}", w=W), {"x": X, "n": np.array([0])}),
    Attack("a constant zero meets an operand's number", PRODUCT,
           instead("""i = Constant <value_ints = [0]> ()  e0 = Gather <axis = 0> (x, i)  e = Gather <axis = 1> (e0, i)
           z = Constant <value = float[1,1] {0.0}> ()  q = Mul (e, z)  t = MatMul (x, w)  y = Add (t, q)"""),
           {"x": INFINITE}),
    Attack("a product of bytes is limited",
           model("(uint8[2,64] x) => (int32[2,4] y) { y = MatMulInteger (x, w) }", w=BYTES),
           model("(uint8[2,64] x) => (int32[2,4] y) { t = MatMulInteger (x, w)  y = Clip (t, lo, hi) }", w=BYTES,
                 lo=np.array(-1, np.int32), hi=np.array(500000, np.int32)), {"x": np.full((2, 64), 255, np.uint8)}),
    Attack("another result for one size of a free dimension", FREE,
           model("""(float[N,8] x) => (float[N,4] y) { s = Shape (x)  i = Constant <value_int = 0> ()  n = Gather (s, i)
           k = Constant <value_int = 17> ()  q = Equal (n, k)  c = Cast <to = 1> (q)
           one = Constant <value_float = 1.0> ()
           p = Add (c, one)  t = MatMul (x, w)  y = Einsum <equation = ",ij->ij"> (p, t) }""", w=W),
           {"x": np.ones((17, 8), np.float32)}),
    Attack("the third tile of rows reads the second", FREE, third_tile_is_the_second,
           {"x": np.arange(104, dtype=np.float32).reshape(13, 8)}),
    Attack("a function of the name of an operator", model(G + "{ w = Identity (v)  y = MatMul (x, w) }", v=W),
           lambda: model(G + """{ w = local.Identity (v)  y = MatMul (x, w) }
           <domain: "local", opset_import: ["" : 20]> Identity (a) => (c) { c = Neg (a) }""", OWN, v=W)),
    Attack("a node that bears on nothing can't run", PRODUCT,
           lambda: with_node(helper.make_node("Gather", ["x", "i"], ["idle"]), i=[70])),
    Attack("whole numbers become others", model("(int64[4] n) => (int64[4] y) { y = Mul (n, n) }"),
           model("(int64[4] n) => (int64[4] y) { y = Identity (n) }"), {"n": WHOLE}),
    Attack("whole numbers go through a narrow type", model("(int32[4] n) => (float[4] y) { y = Cast <to = 1> (n) }"),
           model("(int32[4] n) => (float[4] y) { b = Cast <to = 3> (n)  y = Cast <to = 1> (b) }"),
           {"n": WHOLE.astype(np.int32)}),
    Attack("a table under another name has another row",
           model("(int64[4] n) => (float[4,4] y) { y = Gather (t, n) }", t=TABLE),
           model("(int64[4] n) => (float[4,4] y) { y = Gather (table, n) }", table=OTHER),
           {"n": np.array([4321, 1, 2, 3])}),
)  # fmt: skip
