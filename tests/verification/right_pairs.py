"""Right models beside their originals, as other tools and hands write them: no verifier may call one different."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import onnx

from tests.faults import cases
from tests.faults.cases import Case
from tests.faults.forged_names import B, P, Q, alpha, two
from tests.faults.forgery import (
    F32,
    ORIGINAL,
    PRODUCT,
    Forgery,
    W,
    X,
    behind,
    between,
    copied,
    nodes,
    product,
    text,
    unchecked,
)  # fmt: skip

LOCAL = '<ir_version: 10, opset_import: ["" : 20, "local" : 1]> g '
TWO = {"two": F32(2)}
GEMM = "(float[2,8] x) => (float[2,4] y)"
ROWS = "(float[N,8] x) => (float[N,4] y)"
ANY = {"x": np.ones((5, 8), F32)}
LONG = {"x": np.random.default_rng(3).standard_normal((2, 3, 8)).astype(F32)}
BATCH = "(float[2,3,8] x) => (float[2,3,4] y)"
SQUARE = np.random.default_rng(6).standard_normal((4, 4)).astype(F32)
BF16 = np.dtype(ml_dtypes.bfloat16)


def gemm(title: str, right: str, body: str, feeds: Any = None, signature: str = GEMM, **more: Any) -> Forgery:
    return between(title, signature, right, body, feeds or {"x": X}, more=more, w=W, c=B)


PRODUCTS = [
    product("the product, and nothing else", "t = Identity (x)  y = MatMul (t, w)"),
    product("the weight has another name", "y = MatMul (x, other)", other=W),
    product("the weight is stored transposed", "t = Transpose (v)  y = MatMul (x, t)", v=np.ascontiguousarray(W.T)),
    product("the weight is stored with two axes more", "t = Reshape (v, s)  y = MatMul (x, t)", v=W.reshape(2, 4, 2, 2),
            s=np.array([8, 4])),
    product("K is cut in two", "a, b = Split <axis = 1, num_outputs = 2> (x)  t = MatMul (a, v)  u = MatMul (b, z)  "
            "y = Add (t, u)", v=W[:4], z=W[4:]),
    product("K is cut in two, the parts in another order", "a, b = Split <axis = 1> (x, s)  t = MatMul (a, v)  "
            "u = MatMul (b, z)  y = Add (u, t)", v=W[:3], z=W[3:], s=np.array([3, 5])),
    product("N is cut in two", "t = MatMul (x, v)  u = MatMul (x, z)  y = Concat <axis = 1> (t, u)", v=W[:, :1], z=W[:, 1:]),
    product("M is cut in two by Slices", "a = Slice (x, zero, one)  b = Slice (x, one, two)  t = MatMul (a, w)  "
            "u = MatMul (b, w)  y = Concat <axis = 0> (t, u)", zero=np.array([0]), one=np.array([1]), two=np.array([2])),
    product("K is padded with zeros", "p = Pad (x, s)  y = MatMul (p, v)", s=np.array([0, 0, 0, 2]),
            v=np.concatenate([W, np.zeros((2, 4), F32)])),
    product("rows of the weight and columns of x are permuted", "p = Gather <axis = 1> (x, i)  y = MatMul (p, v)",
            i=np.array([3, 1, 2, 0, 7, 6, 5, 4]), v=W[[3, 1, 2, 0, 7, 6, 5, 4]]),
    product("the weight's columns are permuted and put back", "t = MatMul (x, v)  y = Gather <axis = 1> (t, i)",
            v=W[:, [2, 0, 3, 1]], i=np.array([1, 3, 0, 2])),
    product("by Gemm", "y = Gemm (x, w)"),
    product("by Gemm with both sides transposed", "a = Transpose (x)  b = Transpose (w)  y = Gemm <transA = 1, "
            "transB = 1> (a, b)"),
    product("by Einsum", "y = Einsum <equation = \"ij,jk->ik\"> (x, w)"),
    product("as a batch of one", "a = Unsqueeze (x, z)  b = Unsqueeze (w, z)  t = MatMul (a, b)  y = Squeeze (t, z)",
            z=np.array([0])),
    product("transposed: (W' x')'", "a = Transpose (x)  b = Transpose (w)  t = MatMul (b, a)  y = Transpose (t)"),
    product("by sums of elements' products", "a = Unsqueeze (x, l)  m = Mul (a, w)  y = ReduceSum <keepdims = 0> (m, o)",
            l=np.array([2]), o=np.array([1])),
    product("in float64", "a = Cast <to = 11> (x)  b = Cast <to = 11> (w)  t = MatMul (a, b)  y = Cast <to = 1> (t)"),
    product("by a Loop over K", "n = Constant <value_int = 8> ()  s = Constant <value_ints = [2, 4]> ()  "
            "z = ConstantOfShape (s)  y = Loop (n, , z) <body = b (int64 k, bool more, float[2,4] a) => (bool go, "
            "float[2,4] r) { go = Identity (more)  o = Constant <value_ints = [1]> ()  i = Reshape (k, o)  "
            "u = Gather <axis = 1> (x, i)  v = Gather (w, i)  t = MatMul (u, v)  r = Add (a, t) }>"),
    product("by a Scan over rows", "s = Constant <value_int = 0> ()  y = Scan <num_scan_inputs = 1, body = b (float[8] e) "
            "=> (float[4] o) { o = MatMul (e, w) }> (x)"),
    product("through Concat and Split of the input", "d = Concat <axis = 0> (x, x)  a, b = Split <axis = 0, num_outputs = 2> "
            "(d)  y = MatMul (b, w)"),
    product("through a Flatten and a Reshape of the input", "f = Flatten <axis = 0> (x)  r = Reshape (f, s)  "
            "y = MatMul (r, w)", s=np.array([-1, 8])),
    behind("multiplied by one", "y = Mul (t, one)", one=F32(1)),
    behind("zero added", "y = Add (t, zero)", zero=F32(0)),
    behind("negated twice", "n = Neg (t)  y = Neg (n)"),
    behind("transposed twice", "n = Transpose (t)  y = Transpose (n)"),
    behind("cast to double and back", "d = Cast <to = 11> (t)  y = Cast <to = 1> (d)"),
    gemm("Gemm written out", "y = Gemm <alpha = 0.5, beta = 2.0> (x, w, c)", "t = MatMul (x, w)  s = Mul (t, half)  "
         "b = Mul (c, two)  y = Add (s, b)", half=F32(0.5), **TWO),
    gemm("Gemm written out, beta * C ahead of time", "y = Gemm <alpha = 0.5, beta = 2.0> (x, w, c)", "t = MatMul (x, w)  "
         "s = Mul (t, half)  y = Add (s, b)", half=F32(0.5), b=B * 2),
    gemm("Gemm with factors that aren't binary fractions", "y = Gemm <alpha = 0.7, beta = 0.3> (x, w, c)",
         "t = MatMul (x, w)  s = Mul (t, a)  b = Mul (c, f)  y = Add (s, b)", a=F32(0.7), f=F32(0.3)),
    gemm("the bias first", "y = Gemm (x, w, c)", "t = MatMul (x, w)  y = Add (c, t)"),
    gemm("the bias as a matrix", "y = Gemm (x, w, c)", "t = MatMul (x, w)  y = Add (t, b)", b=np.stack([B, B])),
    gemm("the bias as a product's last row", "y = Gemm (x, w, c)", "p = Concat <axis = 1> (x, o)  y = MatMul (p, v)",
         o=np.ones((2, 1), F32), v=np.concatenate([W, B[None]])),
    between("a product that is doubled by its sum", GEMM, "t = MatMul (x, w)  y = Mul (t, two)",
                          "t = MatMul (x, w)  y = Add (t, t)", {"x": X}, w=W, **TWO),
    between("rows of any number, by a Reshape that keeps them", ROWS, "y = MatMul (x, w)", "s = Shape (x)  "
            "r = Reshape (x, s)  y = MatMul (r, w)", ANY, w=W),
    between("rows of any number, by a batch of them", ROWS, "y = MatMul (x, w)", "u = Unsqueeze (x, one)  "
            "t = MatMul (u, w)  y = Squeeze (t, one)", ANY, w=W, more={"one": np.array([1])}),
    between("a batch flattened into rows", BATCH, "y = MatMul (x, w)", "r = Reshape (x, s)  t = MatMul (r, w)  "
            "y = Reshape (t, q)", LONG, w=W, more={"s": np.array([-1, 8]), "q": np.array([2, 3, 4])}),
    between("two products of one weight are one", "(float[2,8] x, float[3,8] z) => (float[2,4] y, float[3,4] v)",
            "y = MatMul (x, w)  v = MatMul (z, w)", "a = Concat <axis = 0> (x, z)  t = MatMul (a, w)  "
            "y, v = Split <axis = 0> (t, s)", {"x": X, "z": np.ones((3, 8), F32)}, w=W, more={"s": np.array([2, 3])}),
    between("two products of one input are one", "(float[2,8] x) => (float[2,4] y, float[2,4] v)",
            "y = MatMul (x, w)  v = MatMul (x, u)", "t = MatMul (x, all)  y, v = Split <axis = 1, num_outputs = 2> (t)",
            {"x": X}, w=W, u=W * 2, more={"all": np.concatenate([W, W * 2], 1)}),
]  # fmt: skip

INT = "(int32[2,8] x) => (int32[2,4] y)"
WHOLE = {"x": np.arange(16, dtype=np.int32).reshape(2, 8)}
SAME = "(float[4,4] x) => (float[4,4] y)"
OTHERS = [
    between("an int32 product, its weight renamed", INT, "y = MatMul (x, w)", "y = MatMul (x, other)", WHOLE,
            w=np.arange(32, dtype=np.int32).reshape(8, 4), more={"other": np.arange(32, dtype=np.int32).reshape(8, 4)}),
    between("an int32 product cut in two", INT, "y = MatMul (x, w)", "a, b = Split <axis = 1, num_outputs = 2> (x)  "
            "t = MatMul (a, v)  u = MatMul (b, z)  y = Add (t, u)", WHOLE,
            w=np.arange(32, dtype=np.int32).reshape(8, 4), more={
            "v": np.arange(16, dtype=np.int32).reshape(4, 4), "z": np.arange(16, 32, dtype=np.int32).reshape(4, 4)}),
    between("a float16 product with sums in float32", "(float16[2,8] x) => (float16[2,4] y)", "y = MatMul (x, w)",
            "a, b = Split <axis = 1, num_outputs = 2> (x)  t = MatMul (a, v)  u = MatMul (b, z)  p = Cast <to = 1> (t)  "
            "q = Cast <to = 1> (u)  s = Add (p, q)  y = Cast <to = 10> (s)", {"x": np.ones((2, 8), np.float16)},
            w=np.ones((8, 4), np.float16), more={"v": np.ones((4, 4), np.float16), "z": np.ones((4, 4), np.float16)}),
    between("a bfloat16 product in float32", "(bfloat16[2,8] x) => (bfloat16[2,4] y)", "y = MatMul (x, w)",
            "a = Cast <to = 1> (x)  b = Cast <to = 1> (w)  t = MatMul (a, b)  y = Cast <to = 16> (t)",
            {"x": np.ones((2, 8), BF16)}, "reference", w=np.ones((8, 4), BF16)),
    between("a double product cut in two", "(double[2,8] x) => (double[2,4] y)", "y = MatMul (x, w)",
            "a, b = Split <axis = 1, num_outputs = 2> (x)  t = MatMul (a, v)  u = MatMul (b, z)  y = Add (t, u)",
            {"x": X.astype(np.float64)}, w=W.astype(np.float64), more={"v": W[:4].astype(np.float64),
            "z": W[4:].astype(np.float64)}),
    between("bytes less their zero point, in int32", "(uint8[2,8] x) => (int32[2,4] y)", "y = MatMulInteger (x, w, z)",
            "t = MatMulInteger (x, w)  y = Sub (t, c)", {"x": np.arange(16, dtype=np.uint8).reshape(2, 8)},
            w=np.arange(32, dtype=np.uint8).reshape(8, 4), z=np.uint8(7),
            more={"c": 7 * np.arange(32, dtype=np.int32).reshape(8, 4).sum(0, dtype=np.int32)}),
    between("a constant that two names have is one", SAME, "a = Mul (x, c)  y = Add (a, d)", "a = Mul (x, c)  "
            "y = Add (a, c)", {"x": SQUARE}, c=SQUARE, d=SQUARE.copy()),
    between("one of two equal nodes is gone", SAME, "a = Exp (x)  b = Exp (x)  y = Mul (a, b)", "a = Exp (x)  "
            "y = Mul (a, a)", {"x": SQUARE}),
    between("a node that nobody reads is gone", SAME, "a = Exp (x)  b = Neg (x)  y = Relu (a)", "a = Exp (x)  y = Relu (a)",
            {"x": SQUARE}),
    between("values in between have other names", SAME, "a = Exp (x)  b = Neg (a)  y = Relu (b)",
            "c = Exp (x)  d = Neg (c)  y = Relu (d)", {"x": SQUARE}),
    between("Softmax along axis 1 is along axis -1", SAME, "y = Softmax <axis = 1> (x)", "y = Softmax (x)", {"x": SQUARE}),
    between("Softmax of the transposed is along the other axis", SAME, "y = Softmax <axis = 0> (x)",
            "t = Transpose (x)  s = Softmax <axis = 1> (t)  y = Transpose (s)", {"x": SQUARE}),
    between("Relu is applied to tiles", SAME, "y = Relu (x)", "a, b = Split <axis = 0, num_outputs = 2> (x)  c = Relu (a)  "
            "d = Relu (b)  y = Concat <axis = 0> (c, d)", {"x": SQUARE}),
    between("a Gather's index counts from behind", SAME, "y = Gather (x, i)", "y = Gather (x, j)", {"x": SQUARE},
            i=np.array([3, 2, 1, 0]), more={"j": np.array([-1, 2, -3, 0])}),
    between("a Slice stops behind the end", "(float[4,4] x) => (float[2,4] y)", "y = Slice (x, a, b)",
            "y = Slice (x, c, d)", {"x": SQUARE}, a=np.array([2]), b=np.array([4]), more={"c": np.array([-2]),
            "d": np.array([2**31])}),
    between("a division by 4 is a product by a quarter", SAME, "y = Div (x, c)", "y = Mul (x, d)", {"x": SQUARE}, c=F32(4),
            more={"d": F32(0.25)}),
    between("an empty input stays empty", "(float[0,8] x) => (float[0,4] y)", "y = MatMul (x, w)", "t = Identity (x)  "
            "y = MatMul (t, w)", {"x": np.zeros((0, 8), F32)}, w=W),
    between("a product over no terms is zero", "(float[2,0] x) => (float[2,4] y)", "y = MatMul (x, w)",
            "t = Identity (x)  y = MatMul (t, w)", {"x": np.zeros((2, 0), F32)}, w=W[:0]),
    between("NaN and infinity among the weights stay where they are", GEMM, "y = MatMul (x, w)", "a, b = Split <axis = 1, "
            "num_outputs = 2> (x)  t = MatMul (a, v)  u = MatMul (b, z)  y = Add (t, u)", {"x": X},
            w=(ODD := np.where(np.eye(8, 4) > 0, F32(np.inf), W)), more={"v": ODD[:4], "z": ODD[4:]}),
    between("a bias named as tiles are", GEMM, "y = Gemm (x, w, c)", 't = MatMul (x, v)  y = Add (t, "c/tiles")', {"x": X},
            w=W, c=B, more={"v": W, "c/tiles": B}),
    Forgery("branches' equal weights are one", two(P, Q, then_w=W, else_w=W), two(P, Q, w=W),
            {"x": X, "c": np.array(False)}),
    Forgery("an outer weight is in each branch", two(P, Q, w=W), two(P, Q, then_w=W, else_w=W),
            {"x": X, "c": np.array(True)}),
    Forgery("a function with a default is inlined", alpha(0.5), text(PRODUCT + "{ y = Gemm <alpha = 0.5> (x, w) }", w=W)),
    Forgery("a call gives what the default is", alpha(0.5), alpha(2.0, "local.f <alpha = 0.5>")),
    Forgery("functions call functions", ORIGINAL, unchecked(
        PRODUCT + '{ y = local.f (x, w) } <domain: "local", opset_import: ["" : 20, "local" : 1]> f (a, b) => (c) '
        '{ c = local.h (b, a) } <domain: "local", opset_import: ["" : 20]> h (a, b) => (c) { c = MatMul (b, a) }', LOCAL,
        w=W)),
]  # fmt: skip

ONES = {"s": F32(0.1), "z": np.uint8(128)}
CHAIN = (
    "q = QuantizeLinear (x, s, z)  a = DequantizeLinear (q, s, z)  b = DequantizeLinear (w8, s2, z8)  c = MatMul (a, b)  "
    "p = QuantizeLinear (c, s3, z)  y = DequantizeLinear (p, s3, z)"
)
W8 = np.arange(-16, 16, dtype=np.int8).reshape(8, 4)
LOOPED = """y = Loop (n, , x) <body = b (int64 k, bool more, float[2,4] a) => (bool go, float[2,4] b) { go = Identity (more)
    BODY }>"""
TURNS = "(float[2,4] x, int64 n) => (float[2,4] y)"
STEPS = "(float[5,4] xs, float[4] h) => (float[4] y, float[5,4] ys)"
CUT = "e, f = Split <axis = 1, num_outputs = 2> (a)  t1 = MatMul (e, v1)  u = MatMul (f, v2)  s = Add (t1, u)  b = Tanh (s)"
SCAN = (
    "y, ys = Scan <num_scan_inputs = 1, body = b (float[4] s, float[4] e) => (float[4] r, float[4] o) { BODY }> (h, xs)"
)
MORE = [
    between("quantizers are the same, under other names", GEMM, CHAIN, CHAIN.replace("q", "k").replace("kuantize", "quantize"),
            {"x": X}, w8=W8, z8=np.int8(0), s2=F32(0.1), s3=F32(0.1) * F32(0.1), **ONES),
    between("an If's condition is negated and its branches exchanged", "(float[2,8] x, bool c) => (float[2,4] y)",
            "y = If (c) <then_branch = one () => (float[2,4] p) { p = MatMul (x, w) }, else_branch = two () => "
            "(float[2,4] q) { q = Add (z, z) }>",
            "y = If (c) <then_branch = one () => (float[2,4] p) { p = Gemm (x, w) }, else_branch = two () => "
            "(float[2,4] q) { q = Mul (z, two) }>", {"x": X, "c": np.array(True)}, w=W, z=np.ones((2, 4), F32), **TWO),
    between("a Loop's body is cut into tiles", TURNS, LOOPED.replace("BODY", "t = MatMul (a, v)  b = Tanh (t)"),
            LOOPED.replace("BODY", CUT), {"x": X[:, :4], "n": np.array(3)}, v=W[:4],
            more={"v1": W[:2], "v2": W[2:4]}),
    between("a Scan's body is cut into tiles", STEPS, SCAN.replace("BODY", "m = MatMul (e, v)  r = Add (s, m)  o = Tanh (r)"),
            SCAN.replace("BODY", "c, d = Split <axis = 0, num_outputs = 2> (e)  t = MatMul (c, v1)  u = MatMul (d, v2)  "
                         "m = Add (t, u)  r = Add (s, m)  o = Tanh (r)"),
            {"xs": np.arange(20, dtype=F32).reshape(5, 4) / 9, "h": np.arange(4, dtype=F32)}, v=W[:4],
            more={"v1": W[:2], "v2": W[2:4]}),
    between("a large weight is shared, and its other half is cut", "(float[2,128] x) => (float[2,64] y)", "y = MatMul (x, w)",
            "a, b = Split <axis = 1, num_outputs = 2> (x)  v, z = Split <axis = 0, num_outputs = 2> (w)  t = MatMul (a, v)  "
            "u = MatMul (b, z)  y = Add (t, u)", {"x": np.ones((2, 128), F32)},
            w=np.random.default_rng(1).standard_normal((128, 64)).astype(F32)),
    between("the product of three is taken from the right", "(float[2,8] x, float[4,4] z) => (float[2,4] y)",
            "t = MatMul (x, w)  y = MatMul (t, z)", "u = MatMul (w, z)  y = MatMul (x, u)", {"x": X, "z": SQUARE}, w=W),
    between("a distributed factor", "(float[2,4] x, float[2,4] z) => (float[2,4] y)", "s = Add (x, z)  y = Mul (s, c)",
            "p = Mul (x, c)  q = Mul (z, c)  y = Add (p, q)", {"x": X[:, :4], "z": X[:, 4:]}, c=F32(0.3)),
    between("rows are of any number, and those of tiles are padded and cut", ROWS, "y = MatMul (x, w)",
            "s = Shape <start = 0, end = 1> (x)  q = Add (s, k1)  n = Div (q, k)  m = Mul (n, k)  d = Sub (m, s)  "
            "p = Concat <axis = 0> (z0, z0, d, z0)  u = Pad (x, p)  r = Reshape (u, f)  t = MatMul (r, w)  "
            "g = Reshape (t, h)  y = Slice (g, z0, s)", ANY, w=W, more={"k": np.array([3]), "k1": np.array([2]),
            "z0": np.array([0]), "f": np.array([-1, 3, 8]), "h": np.array([-1, 4])}),
    between("a Loop over any number of rows, that may be none", ROWS, "y = MatMul (x, w)", "t = MatMul (x, w)  "
            "s = Shape <start = 0, end = 1> (x)  n = Squeeze (s)  e, r = Loop (n, , z0) <body = b (int64 k, bool more, "
            "int64[1] a) => (bool go, int64[1] c, float[1,4] row) { go = Identity (more)  c = Identity (a)  "
            "i = Reshape (k, z1)  row = Gather (t, i) }>  y = Reshape (r, h)", ANY, w=W, more={"z0": np.array([0]),
            "z1": np.array([1]), "h": np.array([-1, 4])}),
    between("names are used for something else", "(float[2,8] x, float[2,8] z) => (float[2,4] y)",
            "t = MatMul (x, w)  u = MatMul (z, w)  y = Sub (t, u)", "t = MatMul (z, w)  u = MatMul (x, w)  y = Sub (u, t)",
            {"x": X, "z": X * 2}, w=W),
    between("a random draw stays what it is", SAME, "r = RandomUniformLike <seed = 3.0> (x)  y = Mul (x, r)",
            "r = RandomUniformLike <seed = 3.0> (x)  z = Mul (r, x)  y = Identity (z)", {"x": SQUARE}),
]  # fmt: skip

PAIRS = [*PRODUCTS, *OTHERS, *MORE]


def stripped(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without metadata, node names and value_info, and with every constant of the main graph under another name."""
    model = copied(model)
    del model.metadata_props[:]
    del model.graph.value_info[:]
    taken = {value.name for value in (*model.graph.input, *model.graph.output)}
    names = {each.name: f"c{at}" for at, each in enumerate(model.graph.initializer) if each.name not in taken}
    inside = {name for holder, node in nodes(model) if holder is not model.graph for name in node.output}
    names = {old: new for old, new in names.items() if old not in inside}
    for holder, node in nodes(model):
        del node.metadata_props[:]
        node.name = ""
        if not isinstance(holder, onnx.FunctionProto):
            node.input[:] = [names.get(name, name) for name in node.input]
    for tensor in model.graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)
    return model


QUOTIENT_OF_ONE = cases.text(
    """g (float[6,10] x) => (float[6,7] y) {
        [q] xq = QuantizeLinear (x, xs, xz)  [dq] a = DequantizeLinear (xq, xs, xz)
        [dqw] b = DequantizeLinear (w, xs, wz)  [fc] c = MatMul (a, b)
        [qc] cq = QuantizeLinear (c, ys, yz)  [dqc] y = DequantizeLinear (cq, ys, yz) }""",
    w=cases.integers(10, 7), xs=F32(0.1), xz=np.uint8(121), wz=np.int8(0), ys=F32(0.1) * F32(0.1), yz=np.uint8(140),
)  # fmt: skip
"""The product of the scales by the result's is 1 as float32 has it."""
LOWERED: dict[str, Case] = {
    case.name: case
    for case in (
        Case("Gemm", cases.GEMM), Case("MatMul", cases.EVEN), Case("Gemm, A transposed", cases.TURNED),
        Case("MatMul of two inputs", cases.DATA), Case("vector", cases.VECTOR), Case("any rows", cases.ANY_ROWS),
        *(Case(dtype, cases.product(dtype)) for dtype in ("float16", "bfloat16", "double", "int32")),
        Case("a network", cases.NETWORK), Case("words", cases.WORDS), Case("bytes", cases.BYTES),
        Case("QLinearMatMul", cases.QLINEAR), Case("quantizers", cases.QDQ), Case("scales whose quotient is one", QUOTIENT_OF_ONE), Case("dynamic", cases.DYNAMIC),
        Case("Einsum", cases.EINSUM), Case("FusedMatMul", cases.FUSED), Case("FusedGemm", cases.FUSED_GEMM),
        Case("Attention", cases.attention), Case("MatMulNBits", cases.packed, max=(4, 16, 4)),
        Case("If", cases.BRANCHES), Case("Loop", cases.TURNS), Case("Scan", cases.STEPS), Case("functions", cases.CALLS),
    )
}  # fmt: skip
QUICK = (
    "Gemm",
    "any rows",
    "float16",
    "a network",
    "bytes",
    "quantizers",
    "scales whose quotient is one",
    "Attention",
    "If",
    "Scan",
    "functions",
)
