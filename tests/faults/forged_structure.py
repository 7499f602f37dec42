"""Wrong models whose fault is in what holds nodes: bodies, functions that they call, types that are said, versions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.faults.forged_names import LOCAL, OURS, P, Q, two
from tests.faults.forged_sizes import one
from tests.faults.forgery import F32, ORIGINAL, PRODUCT, Build, Forgery, W, X, changed, text, unchecked

Change = Callable[[onnx.ModelProto], object]


def in_body(change: Callable[[onnx.GraphProto], object]) -> Change:
    """A change in the first graph that a node holds."""
    return lambda model: change(next(a.g for node in model.graph.node for a in node.attribute if a.HasField("g")))


def said(name: str, number: int) -> Callable[[onnx.GraphProto], None]:
    """A change: a graph says a value is of another type."""

    def change(graph: onnx.GraphProto) -> None:
        values = {value.name: value for value in (*graph.input, *graph.output)}
        value = values.get(name) or graph.value_info.add(name=name)
        value.type.tensor_type.elem_type = number

    return change


def through_a_branch(inner: str, domain: str, head: str) -> Build:
    """A function whose branch calls another function."""
    return unchecked(
        f'{PRODUCT} {{ y = {domain}.f (x, w) }} <domain: "{domain}", opset_import: ["" : 20, "{domain}" : 1]> '
        "f (a, b) => (c) { t = Constant <value_int = 1> ()  go = Cast <to = 9> (t)  c = If (go) <then_branch = one () "
        f"=> (float[2,4] d) {{ d = {domain}.h (a, b) }}, else_branch = two () => (float[2,4] e) {{ e = MatMul (a, b) }}> "
        f'}} <domain: "{domain}", opset_import: ["" : 20]> h (a, b) => (c) {{ {inner} }}', head, w=W,
    )  # fmt: skip


NEGATED = "t = MatMul (a, b)  c = Neg (t)"
BRANCHES = two(P, Q, w=W)
CONDITION = {"x": X, "c": np.array(True)}
LOOP = unchecked(
    "(float[2,4] x, int64 n) => (float[2,4] y) { y = Loop (n, , x) <body = b (int64 k, bool more, float[2,4] a) => "
    "(bool go, float[2,4] b) { go = Identity (more)  t = MatMul (a, v)  b = Tanh (t) }> }", v=W[:4],
)  # fmt: skip
TURNS = {"x": X[:, :4], "n": np.array(3)}
LAYERS = "(float[2,8] x, float[2,8] z) => (float[2,4] y, float[2,4] v)"
ALIKE = text(
    LAYERS + " { t = MatMul (x, w)  y = Add (t, c)  u = MatMul (z, w)  v = Add (u, c) }", w=W, c=np.ones(4, F32)
)
GEMMS = text(LAYERS + " { y = Gemm (x, w, c)  v = Gemm (z, w, c) }", w=W, c=np.ones(4, F32))
INT64, FLOAT = TensorProto.INT64, TensorProto.FLOAT


SAID = [
    Forgery("a branch's output is said to be int64", BRANCHES, changed(BRANCHES, in_body(said("p", INT64))), CONDITION,
            runs=False),
    *(Forgery(f"{words} is said to be another type", LOOP, changed(LOOP, in_body(said(name, number))), TURNS, runs=False)
      for words, name, number in (("a Loop's state", "a", INT64), ("a Loop's turn", "k", FLOAT),
                                  ("a value in a Loop", "t", INT64))),
    Forgery("of two layers alike, a value in the second is said to be int64", GEMMS,
            changed(ALIKE, lambda model: said("u", INT64)(model.graph)), {"x": X, "z": X}, runs=False),
]  # fmt: skip


def version(number: int) -> Change:
    return lambda model: setattr(model, "ir_version", number)


def imported(domain: str, number: int) -> Change:
    return lambda model: model.opset_import.append(helper.make_opsetid(domain, number))


OVERRIDDEN = text("(float[2,8] x, float[8,4] w) => (float[2,4] y) { y = MatMul (x, w) }", w=W)
VERSIONS = [
    Forgery("the format is so old that an input's default can't be overridden", OVERRIDDEN,
            changed(OVERRIDDEN, version(3)), {"x": X, "w": -W}, runs=False),
    *(Forgery(f"{domain} is imported in version 99", ORIGINAL, changed(ORIGINAL, imported(domain, 99)), runs=False)
      for domain in ("com.microsoft", "ai.onnx.ml")),
]  # fmt: skip

INDEXED = "(float[2,8] x, int64[1] n) => (float[2,4] y, int64[1] m)"
BESIDE = text(INDEXED + " { y = MatMul (x, w)  m = Neg (n) }", w=W)
FAR = {"x": X, "n": np.array([99])}
FAILING = [
    Forgery("a dead Gather reads where an input says", BESIDE, text(
        INDEXED + " { y = MatMul (x, w)  m = Neg (n)  dead = Gather (w, n) }", w=W), FAR, runs=False),
    Forgery("a row is read where an input says, and cut off again", BESIDE, text(
        INDEXED + " { t = MatMul (x, w)  m = Neg (n)  d = Gather (w, n)  u = Concat <axis = 0> (t, d)  "
        "y = Slice (u, zero, two) }", w=W, zero=one(0), two=one(2)), FAR, runs=False),
]  # fmt: skip

GROWING = """(float[1,8] x, float[1,8] e, int64 n) => (float[R,4] y) {{ s = Loop (n, , x) <body = b (int64 k, bool more,
    float[P,8] a) => (bool go, float[Q,8] b) {{ go = Identity (more)  t = Concat <axis = 0> (a, e)  {} }}>
    y = MatMul (s, w) }}"""
LATER = Forgery(
    "a Loop's state grows by a row each turn, and those beyond the second are negated",
    unchecked(GROWING.format("b = Relu (t)"), w=W), unchecked(GROWING.format(
        "c = Slice (t, zero, two)  d = Slice (t, two, many)  f = Neg (d)  g = Relu (c)  h = Relu (f)  "
        "b = Concat <axis = 0> (g, h)"), w=W, zero=one(0), two=one(2), many=one(99)),
    {"x": X[:1], "e": X[1:], "n": np.array(3)}, how={"seed": 1},
)  # fmt: skip

FORGERIES = [
    *SAID, *VERSIONS, *FAILING, LATER,
    *(Forgery(f"a function of domain {domain} calls one from a branch that negates", *(
        through_a_branch(inner, domain, head) for inner in ("c = MatMul (a, b)", NEGATED)))
      for domain, head in (("onnxtile", OURS), ("local", LOCAL))),
]  # fmt: skip
