"""Wrong models aimed at what a verifier spares itself: regions that are alike, large constants, versions, settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from tests.faults.cases import packed
from tests.faults.forged_operators import NBITS, altered
from tests.faults.forgery import F32, ORIGINAL, Forgery, X, between, changed, nodes, text

BIG = np.ones((64, 64), F32)
DRAWN = np.random.default_rng(3).standard_normal((64, 64)).astype(F32)
PAIR = "(float[64,64] x, float[64,64] z) => (float[64,64] y, float[64,64] v)"
FED = {"x": DRAWN, "z": DRAWN * 2}


def alike(title: str, right: str, wrong: str, **constants: Any) -> Forgery:
    """y is right, and v by the same nodes wrong, as its constants are others. `right`, `wrong`: of {a} to {y}."""
    texts = [
        "  ".join(
            body.format(a=a, y=y, w=f"{y}w", c=f"{y}c", t=f"{y}t", u=f"{y}u") for a, y in (("x", "y"), ("z", "v"))
        )
        for body in (right, wrong)
    ]
    return between(title, PAIR, texts[0], texts[1], FED, **constants)


ALIKE = [
    alike("of two layers alike, the second one's weights are squared", "{y} = Mul ({a}, {w})",
          "{t} = Mul ({w}, {w})  {y} = Mul ({a}, {t})", yw=BIG, vw=BIG * 2),
    alike("of two layers alike, the second one's weights lose their sign", "{y} = Mul ({a}, {w})",
          "{t} = Abs ({w})  {y} = Mul ({a}, {t})", yw=BIG, vw=-BIG),
    alike("of two layers alike, the second one's weights are rounded down", "{y} = Mul ({a}, {w})",
          "{t} = Floor ({w})  {y} = Mul ({a}, {t})", yw=BIG, vw=BIG * F32(1.5)),
    alike("of two layers alike, the second one's weights go through int8", "{y} = Mul ({a}, {w})",
          "{t} = Cast <to = 3> ({w})  {u} = Cast <to = 1> ({t})  {y} = Mul ({a}, {u})", yw=BIG, vw=BIG * F32(1.5)),
    alike("of two layers alike, the second one's weights are read transposed", "{y} = MatMul ({a}, {w})",
          "{t} = Transpose ({w})  {y} = MatMul ({a}, {t})", yw=BIG, vw=DRAWN),
    alike("of two layers alike, the second one's factor is another", "{t} = Mul ({a}, {c})  {y} = Relu ({t})",
          "{t} = Add ({a}, {a})  {y} = Relu ({t})", yc=F32(2), vc=F32(3)),
    alike("of two layers alike, the second one's bias is its square", "{t} = Add ({a}, {c})  {y} = Relu ({t})",
          "{u} = Mul ({c}, {c})  {t} = Add ({a}, {u})  {y} = Relu ({t})", yc=F32(1), vc=F32(3)),
    between("of two equal tables of 5,000 rows, one has another row in the second use", "(int64[4] n, int64[4] m) => "
            "(float[4,4] y, float[4,4] v)", "y = Gather (t, n)  v = Gather (s, m)", "y = Gather (t, n)  v = Gather (t, m)",
            {"n": np.array([1, 2, 3, 4321]), "m": np.array([1, 2, 3, 4321])}, t=np.ones((5000, 4), F32),
            s=np.where(np.arange(5000)[:, None] == 4321, F32(2), np.ones((5000, 4), F32))),
    between("a large weight's last number is another, under another name", "(float[2,128] x) => (float[2,64] y)",
            "y = MatMul (x, w)", "y = MatMul (x, v)", {"x": np.ones((2, 128), F32)}, w=np.zeros((128, 64), F32),
            more={"v": np.eye(128, 64, -64, dtype=F32)}),
    between("a large weight is negated and negated, but for one number", "(float[2,128] x) => (float[2,64] y)",
            "y = MatMul (x, w)", "n = Neg (v)  m = Neg (n)  y = MatMul (x, m)", {"x": np.ones((2, 128), F32)},
            w=np.ones((128, 64), F32), more={"v": np.ones((128, 64), F32) + np.eye(128, 64, -64, dtype=F32)}),
    between("a large weight's smallest number is zero", "(float[2,128] x) => (float[2,64] y)", "y = MatMul (x, w)",
            "y = MatMul (x, v)", {"x": np.ones((2, 128), F32) * F32(1e30)}, w=np.eye(128, 64, dtype=F32) * F32(1e-38),
            more={"v": np.eye(128, 64, dtype=F32) * F32(1e-38) * (np.arange(64) > 0).astype(F32)}),
    between("a sum times a large weight with an infinity became a sum of products",
            "(float[64,64] x, float[64,64] z) => (float[64,64] y)", "s = Add (x, z)  y = Mul (s, w)",
            "p = Mul (x, w)  q = Mul (z, w)  y = Add (p, q)", {"x": np.abs(DRAWN), "z": -np.abs(DRAWN) / 2},
            w=np.where(np.eye(64) > 0, F32(np.inf), DRAWN)),
    between("a sum by a large weight with an infinity became a sum of products",
            "(float[2,64] x, float[2,64] z) => (float[2,64] y)", "s = Add (x, z)  y = MatMul (s, w)",
            "p = MatMul (x, w)  q = MatMul (z, w)  y = Add (p, q)", {"x": np.ones((2, 64), F32), "z": np.ones((2, 64), F32)
            * F32(-0.5)}, w=np.where(np.eye(64) > 0, F32(np.inf), DRAWN)),
]  # fmt: skip


def imports(version: int) -> Any:
    def change(model: onnx.ModelProto) -> None:
        model.opset_import[0].version = version

    return change


def later(model: onnx.ModelProto) -> None:
    model.ir_version = 99


def declared(model: onnx.ModelProto) -> None:
    """The output's type is declared as int64."""
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.INT64


def cut(model: onnx.ModelProto) -> None:
    next(each for _, each in nodes(model)).input[1] = ""


VERSIONS = [
    Forgery("the operator set is of a version that no engine has", ORIGINAL, changed(ORIGINAL, imports(99)), runs=False),
    Forgery("the format is of a version that no engine has", ORIGINAL, changed(ORIGINAL, later), runs=False),
    Forgery("the output is declared to be whole numbers", ORIGINAL, changed(ORIGINAL, declared), runs=False),
    Forgery("a product has lost its second operand", ORIGINAL, changed(ORIGINAL, cut), runs=False),
    Forgery("MatMulNBits computes in bytes", packed, altered(packed, "MatMulNBits", accuracy_level=4), NBITS),
    Forgery("an operator set in which Softmax goes over fewer axes", text(
        "(float[2,8] x) => (float[2,8] y) { s = Softmax <axis = 0> (x)  y = Relu (s) }",
        '<ir_version: 8, opset_import: ["" : 12]> g '), text(
        "(float[2,8] x) => (float[2,8] y) { s = Softmax <axis = 0> (x)  y = Relu (s) }",
        '<ir_version: 8, opset_import: ["" : 13]> g '), {"x": X}),
    between("an absolute limit is of the number, not of its magnitude", "(float[2,8] x) => (float[2,8] y)",
            "a = Abs (x)  m = Min (a, k)  s = Sign (x)  y = Mul (m, s)", "y = Min (x, k)", {"x": X * -9}, k=F32(3)),
]  # fmt: skip

DRAW = "r = RandomUniform <shape = [2, 8]> ()"
LOOP = """s = Constant <value_ints = [2, 8]> ()  z = ConstantOfShape (s)  n = Constant <value_int = 2> ()  OUTSIDE
    d = Loop (n, , z) <body = b (int64 k, bool more, float[2,8] a) => (bool go, float[2,8] p) { go = Identity (more)  INSIDE
    p = Sub (r, a) }>  y = Add (x, d)"""
SAME = "(float[2,8] x) => (float[2,8] y)"
CALLED = f'{SAME} {{ a = local.f ()  b = local.f ()  d = Sub (a, b)  y = Add (x, d) }} <domain: "local", opset_import: '
DRAWS = [
    between("a draw in front of a Loop became one in each turn", SAME, LOOP.replace("OUTSIDE", "[m] " + DRAW).replace(
        "INSIDE", ""), LOOP.replace("OUTSIDE", "").replace("INSIDE", "[m] " + DRAW), {"x": X}),
    Forgery("a draw became one in each call of a function", text(
        f"{SAME} {{ [m] {DRAW}  d = Sub (r, r)  y = Add (x, d) }}"), text(
        CALLED + f'["" : 20]> f () => (r) {{ [m] {DRAW} }}', '<ir_version: 10, opset_import: ["" : 20, "local" : 1]> g '),
        {"x": X}),
]  # fmt: skip

FORGERIES = [*DRAWS, *ALIKE, *VERSIONS]
