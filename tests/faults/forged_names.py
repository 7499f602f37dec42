"""Wrong models in which a name stands for something else: constants of scopes, functions, domains, metadata."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

import onnxtile
from tests.faults.forgery import (
    F32,
    ORIGINAL,
    PRODUCT,
    Build,
    Forgery,
    W,
    X,
    between,
    changed,
    initializer,
    node,
    nodes,
    product,
    text,
    unchecked,
)  # fmt: skip

LOCAL = '<ir_version: 10, opset_import: ["" : 20, "local" : 1]> g '
OURS = '<ir_version: 10, opset_import: ["" : 20, "onnxtile" : 1]> g '
B = np.arange(1, 5, dtype=F32)
IF = """(float[2,8] x, bool c) => (float[2,4] y) { y = If (c) <
    then_branch = one () => (float[2,4] p) { THEN }, else_branch = two () => (float[2,4] q) { ELSE }> }"""
ELSE, THEN = ({"x": X, "c": np.array(condition)} for condition in (False, True))
Model = onnx.ModelProto


def two(then: str, other: str, **constants: Any) -> Build:
    """Both branches; a constant named `then_NAME` or `else_NAME` is that branch's own NAME, others are the graph's."""

    def build() -> Model:
        outer = {name: array for name, array in constants.items() if not name.startswith(("then_", "else_"))}
        model = unchecked(IF.replace("THEN", then).replace("ELSE", other), **outer)()
        for _, inner in nodes(model):
            inner.ClearField("domain")
        for attribute in model.graph.node[0].attribute:
            for name, array in constants.items():
                if name.startswith(attribute.name[:5]):
                    attribute.g.initializer.append(numpy_helper.from_array(np.asarray(array), name[5:]))
        return model

    return build


P, Q = "p = MatMul (x, w)", "q = MatMul (x, w)"
GEMM, NEG = "p = Gemm (x, w, b)", "q = Neg (z)"
Z = np.ones((2, 4), F32)
SCOPES = [
    Forgery("both branches' weights of one name are hoisted into one", two(P, Q, then_w=W, else_w=-W),
            two(P, Q, w=W), ELSE),
    Forgery("both branches' weights of one name change places", two(P, Q, then_w=W, else_w=-W),
            two(P, Q, then_w=-W, else_w=W), ELSE),
    Forgery("an outer weight takes the name of a branch's own, and engines read that", two(P, Q, then_w=W, else_w=-W),
            two(P, Q, w=W, then_w=W, else_w=-W), ELSE, "reference", by_name=True),
    Forgery("one branch's weight is hoisted by a name that the other has, and engines read that", two(P, Q, then_w=W,
            else_w=-W), two(P, Q, w=W, else_w=-W), ELSE, by_name=True),
    Forgery("an outer bias takes the name of a branch's own, and engines read that", two(GEMM, NEG, w=W, z=Z, then_b=B),
            two(GEMM, NEG, w=W, z=Z, b=B * 9, then_b=B), THEN, "reference", by_name=True),
    Forgery("a bias is sunk into its branch with other numbers", two(GEMM, NEG, w=W, z=Z, b=B),
            two(GEMM, NEG, w=W, z=Z, then_b=B + 100), THEN),
    Forgery("a bias is taken out of its branch with other numbers", two(GEMM, NEG, w=W, z=Z, then_b=B),
            two(GEMM, NEG, w=W, z=Z, b=B * 2), THEN),
    Forgery("the branch reads a bias that another branch holds", two(GEMM, "q = Gemm (x, w, b)", w=W, then_b=B,
            else_b=-B), two(GEMM, "q = Gemm (x, w, b)", w=W, then_b=B, else_b=B), ELSE),
    Forgery("a value of the outer graph is made again in the branch, negated",
            two("p = MatMul (x, w)", "h = Neg (x)  q = MatMul (h, w)", w=W),
            two("p = MatMul (x, w)", "h = Abs (x)  q = MatMul (h, w)", w=W), ELSE),
    Forgery("the branches change places and the condition stays", two(P, "q = Neg (z)", w=W, z=Z),
            two("p = Neg (z)", Q, w=W, z=Z), ELSE),
]  # fmt: skip


def body(title: str, right: str, wrong: str, signature: str = "(a, b) => (c)", call: str = "y = local.f (x, w)",
         feeds: Any = None, **constants: Any) -> Forgery:  # fmt: skip
    """Two bodies of a local function."""
    model = '(float[2,8] x) => (float[2,4] y) {{ {} }} <domain: "local", opset_import: ["" : 20]> f {} {{ {} }}'
    builds = [unchecked(model.format(call, signature, each), LOCAL, **{"w": W, **constants}) for each in (right, wrong)]
    return Forgery(title, builds[0], builds[1], feeds or {"x": X})


def alpha(default: float, call: str = "local.f", scale: str = "@alpha") -> Build:
    return unchecked(
        f'{PRODUCT} {{ y = {call} (x, w) }} <domain: "local", opset_import: ["" : 20]> '
        f"f <alpha: float = {default}> (a, b) => (c) {{ c = Gemm <alpha : float = {scale}> (a, b) }}", LOCAL, w=W,
    )  # fmt: skip


def ours(default: float, through: bool = False) -> Build:
    """A function of our own domain, called directly or by another."""
    other = '<domain: "onnxtile", opset_import: ["" : 20, "onnxtile" : 1]> h (a, b) => (c) { c = onnxtile.f (a, b) }'
    return unchecked(
        f'{PRODUCT} {{ y = onnxtile.{"h" if through else "f"} (x, w) }} {other} <domain: "onnxtile", opset_import: '
        f'["" : 20]> f <alpha: float = {default}> (a, b) => (c) {{ c = Gemm <alpha : float = @alpha> (a, b) }}', OURS,
        w=W,
    )  # fmt: skip


def in_branch(default: float) -> Build:
    """A function's attribute that is read in a branch inside of it."""
    return unchecked(
        f'{PRODUCT} {{ y = local.f (x, w) }} <domain: "local", opset_import: ["" : 20]> f <alpha: float = {default}> '
        f"(a, b) => (c) {{ t = Constant <value_int = 1> ()  go = Cast <to = 9> (t)  c = If (go) <then_branch = one () "
        f"=> (float[2,4] d) {{ d = Gemm <alpha : float = @alpha> (a, b) }}, else_branch = two () => (float[2,4] e) "
        f"{{ e = MatMul (a, b) }}> }}", LOCAL, w=W,
    )  # fmt: skip


def overloads(order: tuple[str, ...] = ("", "decoy"), bodies: tuple[str, ...] = ("t = MatMul (a, b)  c = Round (t)",
              "c = MatMul (a, b)")) -> Build:  # fmt: skip
    functions = " ".join(
        f'<domain: "onnxtile", overload: "{name}", opset_import: ["" : 20]> product (a, b) => (c) {{ {each} }}'
        if name else f'<domain: "onnxtile", opset_import: ["" : 20]> product (a, b) => (c) {{ {each} }}'
        for name, each in zip(order, bodies, strict=True)
    )  # fmt: skip
    return unchecked(f"{PRODUCT} {{ y = onnxtile.product (x, w) }} {functions}", OURS, w=W)


VALUES = ",".join(repr(float(value)) for value in W.ravel())
CONSTANT = f"<value = float[8,4] {{{VALUES}}}>"
IN_NODE = text(PRODUCT + "{ w = Constant " + CONSTANT + " ()  y = MatMul (x, w) }")
FUNCTIONS = [
    body("a function's body negates", "c = MatMul (a, b)", "t = MatMul (a, b)  c = Neg (t)"),
    body("a function's body rounds", "c = MatMul (a, b)", "t = MatMul (a, b)  c = Round (t)"),
    body("a function's own constant is another number",
         "k = Constant <value_float = 2.0> ()  t = MatMul (a, b)  c = Mul (t, k)",
         "k = Constant <value_float = 3.0> ()  t = MatMul (a, b)  c = Mul (t, k)"),
    body("a function's inputs change places", "c = Sub (a, b)", "c = Sub (b, a)", call="h = local.f (x, x2)  "
         "y = MatMul (h, w)", x2=X * 3),
    body("a constant of a function takes the outer one's name", "c = MatMul (a, b)",
         "w = Constant <value_float = 4194304.0> ()  t = MatMul (a, b)  u = Add (t, w)  c = Sub (u, w)"),
    Forgery("a function's default alpha is 5 instead of 0.5", alpha(0.5), alpha(5.0)),
    Forgery("a call's alpha is lost, and the default taken", alpha(0.5, "local.f <alpha = 2.0>"), alpha(0.5)),
    Forgery("a call's alpha is another", alpha(0.5, "local.f <alpha = 2.0>"), alpha(0.5, "local.f <alpha = 2.5>")),
    Forgery("a function is inlined without its alpha", alpha(0.5), text(PRODUCT + "{ y = Gemm (x, w) }", w=W)),
    Forgery("a function's default that is read in a branch inside it is 5 instead of 0.5", in_branch(0.5),
            in_branch(5.0)),
    Forgery("a default of our own function is 5 instead of 0.5", ours(0.5), ours(5.0)),
    Forgery("a default of a function that our own function calls is 5 instead of 0.5", ours(0.5, True), ours(5.0, True)),
    Forgery("the function that is called rounds, and its overload doesn't", ORIGINAL, overloads()),
    Forgery("the function that is called rounds, and its overload stands first", ORIGINAL,
            overloads(("decoy", ""), ("c = MatMul (a, b)", "t = MatMul (a, b)  c = Round (t)"))),
    Forgery("2^22 is called w in our own function, added and taken off", ORIGINAL, unchecked(
        PRODUCT + '{ y = onnxtile.product (x, w) } <domain: "onnxtile", opset_import: ["" : 20]> product (a, b) => (c) '
        "{ w = Constant <value_float = 4194304.0> ()  t = MatMul (a, b)  u = Add (t, w)  c = Sub (u, w) }", OURS, w=W)),
    Forgery("a function onnxtile.Constant negates", IN_NODE, unchecked(
        PRODUCT + "{ w = onnxtile.Constant " + CONSTANT + ' ()  y = MatMul (x, w) } <domain: "onnxtile", '
        'opset_import: ["" : 20]> Constant <value> () => (c) { d = Constant <value : tensor = @value> ()  '
        "c = Neg (d) }", OURS), engine="reference"),
    Forgery("a function Identity of another domain negates", text(PRODUCT + "{ t = MatMul (x, w)  y = Identity (t) }",
            w=W), unchecked(PRODUCT + '{ t = MatMul (x, w)  y = local.Identity (t) } <domain: "local", opset_import: '
            '["" : 20]> Identity (a) => (b) { b = Neg (a) }', LOCAL, w=W)),
    Forgery("our own function's body, in form function, negates", ORIGINAL, changed(
        lambda: onnxtile.lower(ORIGINAL(), (2, 4, 4), form="function"), lambda m: _negated(m.functions[0]))),
]  # fmt: skip


def believed(domain: str, op_type: str = "Relu") -> Build:
    """The product behind an operator whose name a function has that does nothing: engines take the operator."""

    def hide(model: Model) -> None:
        body = [helper.make_node("Identity", ["a"], ["b"])]
        opsets = [helper.make_opsetid("", 20)]
        model.functions.append(helper.make_function(domain, op_type, ["a"], ["b"], body, opsets))
        model.graph.node[1].domain = domain

    return changed(text(PRODUCT + f"{{ t = MatMul (x, w)  y = {op_type} (t) }}", w=W), hide)


def _negated(function: onnx.FunctionProto) -> None:
    last = next(each for each in function.node if function.output[0] in each.output)
    last.output[list(last.output).index(function.output[0])] = "before"
    function.node.append(helper.make_node("Neg", ["before"], [function.output[0]]))


def renamed(title: str, wrong: np.ndarray, right: np.ndarray = W, body: str = "y = MatMul (x, {})") -> Forgery:
    """A weight under another name."""
    original = text(PRODUCT + "{ " + body.format("w") + " }", w=right)
    return Forgery(title, original, text(PRODUCT + "{ " + body.format("other") + " }", other=wrong))


def at(array: np.ndarray, index: Any, value: Any) -> np.ndarray:
    copy = array.copy()
    copy[index] = value
    return copy


def metadata(**entries: str) -> Callable[[Model], None]:
    """A change: words of ours on every product."""

    def change(model: Model) -> None:
        for _, each in nodes(model):
            for key, value in entries.items():
                each.metadata_props.add(key=f"onnxtile.{key}", value=value)

    return change


TABLE = np.random.default_rng(5).standard_normal((5000, 4)).astype(F32)
LOOK = "(int64[4] n) => (float[4,4] y)"
CONSTANTS = [
    renamed("a weight under another name has one other number", at(W, (3, 2), W[3, 2] + F32(0.25))),
    renamed("a weight under another name is transposed block by block", np.concatenate([W[:4].T, W[4:].T])),
    renamed("a weight under another name has its rows turned round", np.ascontiguousarray(W[::-1])),
    renamed("a weight under another name has two rows exchanged", W[[1, 0, 2, 3, 4, 5, 6, 7]]),
    renamed("a weight under another name has lost a sign", at(W, (5, 1), -W[5, 1])),
    renamed("a weight under another name is a permutation of its numbers", np.sort(W.ravel()).reshape(W.shape)),
    product("a constant called w is made by nodes, of other numbers",
            "u = ConstantOfShape <value = float[1] {0.5}> (s)  t = Identity (u)  y = MatMul (x, t)", s=np.array([8, 4])),
    product("the weight is added to twice: w + 0.001", "v = Add (w, c)  y = MatMul (x, v)", c=F32(0.001)),
    between("a table under another name has one row of 5,000 changed", LOOK, "y = Gather (t, n)",
            "y = Gather (table, n)", {"n": np.array([4321, 1, 2, 3])}, t=TABLE, more={"table": at(TABLE, 4321, 7)}),
    between("a table under another name has two rows exchanged", LOOK, "y = Gather (t, n)", "y = Gather (table, n)",
            {"n": np.array([4321, 1, 2, 3])}, t=TABLE, more={"table": at(TABLE, [4321, 77], TABLE[[77, 4321]])}),
    between("a table is read one row further", LOOK, "y = Gather (t, n)", "m = Add (n, one)  y = Gather (t, m)",
            {"n": np.array([4321, 1, 2, 3])}, t=TABLE, more={"one": np.array(1)}),
    between("a table is read from behind", LOOK, "y = Gather (t, n)", "m = Neg (n)  y = Gather (t, m)",
            {"n": np.array([4321, 1, 2, 3])}, t=TABLE),
    between("a table of words under another name has one other word", "(int64[4] n) => (string[4] y)",
            "y = Gather (t, n)", "y = Gather (table, n)", {"n": np.array([2321, 1, 2, 3])}, "reference",
            t=np.array([f"word {i}" for i in range(3000)], object),
            more={"table": np.array([f"word {i - (i == 2321)}" for i in range(3000)], object)}),
    between("a complex constant has another imaginary part", "(complex64[2] x) => (complex64[4] y)",
            "y = Concat <axis = 0> (x, c)", "y = Concat <axis = 0> (x, d)", {"x": np.array([1j, 2], np.complex64)},
            "reference", c=np.array([1 + 2j, 3], np.complex64), more={"d": np.array([1 - 2j, 3], np.complex64)}),
    between("a constant is both number and index, and its index use is changed", "(float[8,8] x) => (float[2,4] y)",
            "h = Gather (x, i)  f = Cast <to = 1> (i)  u = Unsqueeze (f, ax)  k = Mul (h, u)  y = MatMul (k, w)",
            "h = Gather (x, j)  f = Cast <to = 1> (i)  u = Unsqueeze (f, ax)  k = Mul (h, u)  y = MatMul (k, w)",
            {"x": np.arange(64, dtype=F32).reshape(8, 8)}, w=W, i=np.array([1, 3]), ax=np.array([1]),
            more={"j": np.array([3, 1])}),
    between("a constant is both number and index, and its number is changed", "(float[8,8] x) => (float[2,4] y)",
            "h = Gather (x, i)  f = Cast <to = 1> (i)  u = Unsqueeze (f, ax)  k = Mul (h, u)  y = MatMul (k, w)",
            "h = Gather (x, i)  f = Cast <to = 1> (j)  u = Unsqueeze (f, ax)  k = Mul (h, u)  y = MatMul (k, w)",
            {"x": np.arange(64, dtype=F32).reshape(8, 8)}, w=W, i=np.array([1, 3]), ax=np.array([1]),
            more={"j": np.array([1, 4])}),
    between("the index counts from behind and is one off", "(float[8,8] x) => (float[2,4] y)",
            "h = Gather (x, i)  y = MatMul (h, w)", "h = Gather (x, j)  y = MatMul (h, w)",
            {"x": np.arange(64, dtype=F32).reshape(8, 8)}, w=W, i=np.array([7, 0]), more={"j": np.array([-2, 0])}),
    between("the output is a constant of other numbers", "(float[2] x) => (float[2] y, float[2] z)",
            "z = Relu (x)  y = Identity (c)", "z = Relu (x)  y = Identity (d)", {"x": np.ones(2, F32)},
            c=np.ones(2, F32), more={"d": np.zeros(2, F32)}),
]  # fmt: skip

ALPHA = text(PRODUCT + "{ y = Gemm <alpha = 0.7> (x, w) }", w=W)
BIASED = text(PRODUCT + "{ y = Gemm (x, w, b) }", w=W, b=B)
LIES = [
    Forgery("Gemm with alpha 0.7 became 2 x @ w, with an unused 0.7", ALPHA, text(
        PRODUCT + "{ t = MatMul (x, w)  d = Add (t, t)  q = Mul (zero, alpha)  y = Add (d, q) }", w=W,
        zero=np.zeros((1, 1), F32), alpha=F32(0.7))),
    Forgery("Gemm with alpha 0.7 became 3 x @ w", ALPHA, text(
        PRODUCT + "{ t = MatMul (x, w)  y = Mul (t, a) }", w=W, a=F32(3))),
    Forgery("alpha is the next float but ten", ALPHA, text(
        PRODUCT + "{ t = MatMul (x, w)  y = Mul (t, a) }", w=W, a=F32(0.7008))),
    Forgery("a constant with the bias's name is 2^22, added and taken off", BIASED, text(
        PRODUCT + "{ b = ConstantOfShape <value = float[1] {4194304.0}> (s)  t = MatMul (x, w)  u = Add (t, b0)  "
        "p = Add (u, b)  y = Sub (p, b) }", w=W, b0=B, s=np.array([4]))),
    Forgery("the bias is called after the weight", BIASED, text(
        PRODUCT + "{ t = MatMul (x, b)  y = Add (t, w) }", b=W, w=B[::-1].copy())),
    Forgery("metadata says that a negated product is a tile", ORIGINAL, changed(
        text(PRODUCT + "{ t = MatMul (x, w)  y = Neg (t) }", w=W),
        metadata(tile="m0:2,k0:8,n0:4", origin="y", form="unrolled"))),
    Forgery("metadata says that a product of other columns is the tile", ORIGINAL, changed(
        text(PRODUCT + "{ v = Gather <axis = 1> (w, i)  y = MatMul (x, v) }", w=W, i=np.array([1, 0, 2, 3])),
        metadata(tile="m0:2,k0:8,n0:4", origin="y"))),
    Forgery("an input that may be overridden has another default", text(
        "(float[2,8] x, float[8,4] w) => (float[2,4] y) { y = MatMul (x, w) }", w=W), text(
        "(float[2,8] x, float[8,4] w) => (float[2,4] y) { y = MatMul (x, w) }", w=-W)),
    Forgery("an input that may be overridden has become a constant", text(
        "(float[2,8] x, float[8,4] w) => (float[2,4] y) { y = MatMul (x, w) }", w=W), ORIGINAL,
        {"x": X, "w": -W}, runs=False),
    Forgery("a dead Gather is out of range at run time", text(
        PRODUCT + "{ h = Relu (x)  y = MatMul (h, w) }", w=W), changed(text(
        PRODUCT + "{ h = Relu (x)  y = MatMul (h, w) }", w=W), initializer("i", np.array([70])),
        node("Gather", ["x", "i"], ["dead"])), runs=False),
    Forgery("a dead Reshape doesn't fit", ORIGINAL, changed(ORIGINAL, initializer("s", np.array([3, 5])),
        node("Reshape", ["x", "s"], ["dead"])), runs=False),
    Forgery("a dead node is of an operator that nobody knows", ORIGINAL, changed(ORIGINAL,
        lambda m: m.opset_import.add(domain="nobody", version=1), node("Foo", ["x"], ["dead"], domain="nobody")),
        runs=False),
    Forgery("value_info gives a float value the type int64", text(
        PRODUCT + "{ h = Relu (x)  y = MatMul (h, w) }", w=W), changed(text(
        PRODUCT + "{ h = Relu (x)  y = MatMul (h, w) }", w=W),
        lambda m: m.graph.value_info.append(helper.make_tensor_value_info("h", onnx.TensorProto.INT64, [2, 8]))),
        runs=False),
    Forgery("two nodes' outputs have exchanged their names", text(
        "(float[2] x) => (float[2] y, float[2] z) { y = Exp (x)  z = Neg (x) }"), text(
        "(float[2] x) => (float[2] y, float[2] z) { z = Exp (x)  y = Neg (x) }"), {"x": np.ones(2, F32)}),
    Forgery("outputs are exchanged in the graph's list", text(
        "(float[2] x) => (float[2] y, float[2] z) { y = Exp (x)  z = Neg (x) }"), text(
        "(float[2] x) => (float[2] z, float[2] y) { y = Exp (x)  z = Neg (x) }"), {"x": np.ones(2, F32)}),
    Forgery("a value has another's name between the nodes that read it", text(
        "(float[2] x) => (float[2] y) { a = Exp (x)  b = Neg (a)  y = Mul (a, b) }"), text(
        "(float[2] x) => (float[2] y) { b = Exp (x)  a = Neg (b)  y = Mul (a, a) }"), {"x": np.ones(2, F32)}),
]  # fmt: skip


def softmax(domain: str, version: int) -> Build:
    """Softmax in a function that imports an older operator set, of which engines take no notice."""
    return unchecked(
        f'<ir_version: 10, opset_import: ["" : 20, "{domain}" : 1]> g (float[2,3,4] x) => (float[2,3,4] y) '
        f'{{ y = {domain}.f (x) }} <domain: "{domain}", opset_import: ["" : {version}]> f (a) => (b) '
        "{ b = Softmax <axis = 1> (a) }", "",
    )  # fmt: skip


OVER_TWO = text("(float[2,3,4] x) => (float[2,3,4] y) { f = Flatten <axis = 1> (x)  s = Softmax <axis = 1> (f)  "
                "y = Reshape (s, q) }", q=np.array([2, 3, 4]))  # fmt: skip
CUBE = {"x": np.arange(24, dtype=F32).reshape(2, 3, 4) / 9}
SHADOWS = [
    Forgery("Softmax over one axis, in our own function that imports a set in which it goes over two", OVER_TWO,
            softmax("onnxtile", 12), CUBE),
    Forgery("Softmax over one axis, in a function that imports a set in which it goes over two", OVER_TWO,
            softmax("local", 12), CUBE),
    Forgery("Gelu of an engine's own has the name of a function that does nothing", ORIGINAL, unchecked(
        PRODUCT + '{ t = MatMul (x, w)  y = com.microsoft.Gelu (t) } <domain: "com.microsoft", opset_import: ["" : 20]> '
        "Gelu (a) => (b) { b = Identity (a) }", '<ir_version: 10, opset_import: ["" : 20, "com.microsoft" : 1]> g ', w=W)),

    Forgery("Relu has the name of a function of the default domain that does nothing", ORIGINAL, believed("")),
    Forgery("Relu has the name of a function of domain ai.onnx that does nothing", ORIGINAL, believed("ai.onnx")),
    Forgery("Round has the name of a function of the default domain that does nothing", ORIGINAL,
            believed("", "Round")),
]  # fmt: skip

FORGERIES = [*SHADOWS, *SCOPES, *FUNCTIONS, *CONSTANTS, *LIES]
