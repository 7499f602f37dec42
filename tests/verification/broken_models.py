"""Lowered models that are broken: they don't run, or would take more memory or turns than there are."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx.helper

from tests.faults.forgery import PRODUCT, Build, W, unchecked


def broken(body: str, **constants: Any) -> Build:
    """A product by other nodes, 2 x 8 x 4."""
    return unchecked(PRODUCT + "{ " + body + " }", **{"w": W, **constants})


BROKEN = [
    broken("a, b = Split <axis = 1> (x, s)  t = MatMul (a, v)  u = MatMul (b, z)  y = Add (t, u)", v=W[:4], z=W[4:],
           s=np.array([np.nan, 4], np.float32)),
    broken("t = MatMul (x, c)  y = Identity (t)", c=np.float32(1)),
    broken("y = MatMul (x, v)", v=W[:7]),
    broken("y = Gemm (x, w, v)", v=np.ones((3, 3), np.float32)),
    broken("t = Transpose <perm = [0, 0]> (x)  y = MatMul (t, w)"),
    broken("t = Transpose <perm = [0, 7]> (x)  y = MatMul (t, w)"),
    broken("t = Reshape (x, s)  y = MatMul (t, w)", s=np.array([-1, -1])),
    broken("t = Reshape (x, s)  y = MatMul (t, w)", s=np.array([2**62, 2**62])),
    broken("t = Gather (x, i)  y = MatMul (t, w)", i=np.array([9])),
    broken("t = Gather <axis = 5> (x, i)  y = MatMul (t, w)", i=np.array([0, 1])),
    broken("t = Concat <axis = 3> (x, x)  y = MatMul (t, w)"),
    broken("t = Pad (x, p)  y = MatMul (t, w)", p=np.array([0, 0, 0])),
    broken("t = Pad (x, p)  y = MatMul (t, w)", p=np.array([0, 2**40, 0, 0])),
    broken("t = Expand (x, s)  y = MatMul (t, w)", s=np.array([3, 3])),
    broken("t = Expand (o, s)  n = Neg (t)  r = ReduceSum (n)  m = MatMul (x, w)  y = Add (m, r)",
           o=np.float32(1),
           s=np.array([2**20, 2**20])),
    broken("t = Tile (x, s)  y = MatMul (t, w)", s=np.array([2**40, 1])),
    broken("t = Slice (x, s, s, s, s)  y = MatMul (t, w)", s=np.array([0])),
    broken("t = Squeeze (x, a)  y = MatMul (t, w)", a=np.array([0])),
    broken("y = Einsum <equation = \"ij,jk,kl->il\"> (x, w)"),
    broken("y = Einsum <equation = \"ij,j->ik\"> (x, w)"),
    broken("y = Einsum <equation = \"\"> (x, w)"),
    broken("s = ConstantOfShape (n)  t = MatMul (x, w)  r = ReduceSum (s)  y = Add (t, r)", n=np.array([2**40])),
    broken("s = ConstantOfShape (n)  y = MatMul (x, s)", n=np.array([-1, 4])),
    broken("r = Range (a, b, c)  t = MatMul (x, w)  q = ReduceSum (r)  y = Add (t, q)", a=np.float32(0),
           b=np.float32(1e30), c=np.float32(1)),
    broken("r = Range (a, b, c)  t = MatMul (x, w)  q = ReduceSum (r)  y = Add (t, q)", a=np.float32(0),
           b=np.float32(1), c=np.float32(0)),
    broken("d = Div (x, i)  y = MatMul (d, w)", i=np.int64(0)),
    broken("q = QuantizeLinear (x, s, z)  d = DequantizeLinear (q, s, z)  y = MatMul (d, w)",
           s=np.ones(3, np.float32),
           z=np.ones(2, np.uint8)),
    broken("t = MatMul (x, w)  y = Softmax <axis = 9> (t)"),
    broken("y = Loop (x, , x) <body = b (int64 k) => (bool go) { go = Identity (k) }>"),
    broken("y = If (x) <then_branch = a () => (float[2,4] p) { p = MatMul (x, w) }, else_branch = b () => "
           "(float[2,4] q, float r) { q = MatMul (x, w)  r = ReduceSum (x) }>"),
    broken("t = MatMul (x, w)  y = Cast <to = 99> (t)"),
    broken("t = MatMul (x, w)  y = Cast (t)"),
    broken("t = MatMul (x, w)  y = Add (t)"),
    broken("t = MatMul (x)  y = Identity (t)"),
    broken("y = MatMul (x, \"\")"),
    broken("c = Constant ()  t = MatMul (x, w)  y = Add (t, c)"),
    broken("c = Constant <value_string = \"a\"> ()  t = MatMul (x, w)  y = Add (t, c)"),
    broken("c = Constant <value_ints = [1], value_float = 2.0> ()  t = MatMul (x, w)  y = Add (t, c)"),
]  # fmt: skip

NAN, INF = np.array([np.nan], np.float32), np.array([np.inf], np.float32)
SHAPES = ("t = Reshape (x, s)  y = MatMul (t, w)", "t = Slice (x, s, s)  y = MatMul (t, w)",
          "t = Gather (x, s)  y = MatMul (t, w)", "t = Expand (x, s)  y = MatMul (t, w)",
          "t = Tile (x, s)  y = MatMul (t, w)", "t = Unsqueeze (x, s)  y = MatMul (t, w)",
          "t = Squeeze (x, s)  y = MatMul (t, w)", "t = ReduceSum (x, s)  y = MatMul (t, w)",
          "c = ConstantOfShape (s)  t = MatMul (x, w)  y = Add (t, c)", "t = Pad (x, s)  y = MatMul (t, w)",
          "t = TopK (x, s)  y = MatMul (t, w)", "r = Range (s, s, s)  t = MatMul (x, w)  y = Add (t, r)",
          "t = MatMul (x, w)  y = Loop (s, , t) <body = b (int64 i, bool m, float[2,4] a) => (bool g, float[2,4] b) "
          "{ g = Identity (m)  b = Identity (a) }>",
          "t = MatMul (x, w)  y = If (s) <then_branch = a () => (float[2,4] p) { p = Identity (t) }, "
          "else_branch = b () => (float[2,4] q) { q = Neg (t) }>",
          "n = Size (x)  m = Mod (n, s)  t = MatMul (x, w)  y = Add (t, m)",
          "n = Shape (x)  m = Min (n, s)  t = MatMul (x, w)  y = Add (t, m)")  # fmt: skip
"""Where whole numbers belong."""
BROKEN += [
    broken(body, s=value) for body in SHAPES for value in (NAN, INF, np.array(["a"], object), np.array([2**63 - 1]))
]

MICROSOFT = '<ir_version: 10, opset_import: ["" : 23, "com.microsoft" : 1, "ai.onnx.ml" : 3]> g '
BROKEN += [
    unchecked(PRODUCT + "{ " + body + " }", MICROSOFT, w=W, p=np.zeros((4, 1, 4), np.uint8), s=np.ones(4, np.float32))
    for body in (
        "y = com.microsoft.MatMulNBits <K = 8, N = 4, bits = 4, block_size = 0> (x, p, s)",
        "y = com.microsoft.MatMulNBits <K = 8, N = 4, bits = 0, block_size = 8> (x, p, s)",
        "y = com.microsoft.MatMulNBits <K = 8, N = 4, bits = 3, block_size = 8> (x, p, s)",
        "y = com.microsoft.MatMulNBits <K = 800000000000, N = 4, bits = 4, block_size = 8> (x, p, s)",
        "y = com.microsoft.MatMulNBits <K = -8, N = 4, bits = 4, block_size = 8> (x, p, s)",
        "y = com.microsoft.MatMulNBits (x, p, s)",
        "y = com.microsoft.MatMulNBits <K = 8, N = 4, bits = 4, block_size = 16> (x, w, s)",
        "y = com.microsoft.FusedGemm <activation = \"Nope\"> (x, w)",
        "y = com.microsoft.FusedGemm <activation = \"ScaledTanh\"> (x, w)",
        "y = com.microsoft.FusedGemm <activation = \"MatMul\"> (x, w)",
        "y = com.microsoft.FusedGemm <activation = \"If\"> (x, w)",
        "y = com.microsoft.FusedGemm (x, w)",
        "y = com.microsoft.FusedMatMul <transA = 1> (x, w)",
        "y = com.microsoft.QGemm (x, s, s, w, s, s)",
        "y = com.microsoft.DynamicQuantizeMatMul (x)",
        "y = com.microsoft.DynamicQuantizeMatMul (x, w, s)",
        "y = com.microsoft.NoSuchOperator (x, w)",
        "y = ai.onnx.ml.Scaler <offset = [1.0], scale = [2.0]> (x)",
        "y = Attention (x)",
        "y = Attention (x, w, w)",
        "y = Attention <q_num_heads = 3, kv_num_heads = 0> (x, x, x)",
        "y = QLinearMatMul (x, s, s, w, s, s, s, s)",
        "y = QuantizeLinear <axis = 99> (x, s)",
        "y = DequantizeLinear <axis = -99> (x, s)",
        "y = Einsum <equation = \"ij,jk->\u00e9\"> (x, w)",
        "y = Einsum <equation = \"...,...->...\"> (x, w)",
        "y = Einsum <equation = \"iij,jk->ik\"> (x, w)",
        "y = Gemm <transA = 1> (x, w)",
        "y = Gemm (x, w, x, x)",
        "y = Transpose <perm = [-1, -2]> (x)",
        "y = Concat <axis = 0> (x, s)",
        "y = Concat <axis = 0> ()",
        "y = Softmax <axis = -3> (x)",
        "y = Clip ()",
        "y = Where (x, x, x)",
        "y = CastLike (x)",
        "y = Max ()",
        "y = Sum ()",
        "y = Shape <start = -99, end = 99> (x)",
        "y, z, q = Split <axis = 0, num_outputs = 7> (x)",
        "y = Scan <num_scan_inputs = 1> (x)",
        "y = Scan <num_scan_inputs = 9, body = b (float[8] a) => (float[8] c) { c = Neg (a) }> (x)",
        "y = Scan <num_scan_inputs = -1, body = b (float[8] a) => (float[8] c) { c = Neg (a) }> (x)",
        "y = LSTM <hidden_size = 4> (x, w, w)",
        "y = Conv (x, w)",
        "t, y = MatMul (x, w)",
    )
]  # fmt: skip


def nested(depth: int) -> onnx.ModelProto:
    """A product in so many branches, one in the other."""
    made = value = "p0"
    model = unchecked(PRODUCT + "{ c = Constant <value_int = 1> ()  b = Cast <to = 9> (c)  y = Identity (x) }", w=W)()
    graph = onnx.helper.make_graph([onnx.helper.make_node("MatMul", ["x", "w"], [value])], value, [],
                                   [onnx.helper.make_tensor_value_info(value, 1, [2, 4])])  # fmt: skip
    for level in range(1, depth):
        made = f"p{level}"
        node = onnx.helper.make_node("If", ["b"], [made], then_branch=graph, else_branch=_neg(level))
        graph = onnx.helper.make_graph([node], made, [], [onnx.helper.make_tensor_value_info(made, 1, [2, 4])])
    del model.graph.node[2:]
    model.graph.node.extend([*graph.node, onnx.helper.make_node("Neg", [made], ["y"])])
    return model


def _neg(level: int) -> onnx.GraphProto:
    nodes = [onnx.helper.make_node("MatMul", ["x", "w"], [f"e{level}"])]
    return onnx.helper.make_graph(nodes, "e", [], [onnx.helper.make_tensor_value_info(f"e{level}", 1, [2, 4])])


def calling(levels: int, each: int, domain: str = "local") -> onnx.ModelProto:
    """Functions that call each other, several times each: 2 levels of 3 are 9 calls."""
    head = f'<ir_version: 10, opset_import: ["" : 20, "{domain}" : 1]> g '
    model = unchecked(f"{PRODUCT} {{ y = {domain}.f0 (x, w) }}", head, w=W)()
    opsets = [onnx.helper.make_opsetid("", 20), onnx.helper.make_opsetid(domain, 1)]
    for level in range(levels):
        called = (domain, f"f{level + 1}") if level + 1 < levels else ("", "MatMul")
        made = [onnx.helper.make_node(called[1], ["a", "b"], [f"t{at}"], domain=called[0]) for at in range(each)]
        made.append(onnx.helper.make_node("Sum", [f"t{at}" for at in range(each)], ["c"]))
        model.functions.append(onnx.helper.make_function(domain, f"f{level}", ["a", "b"], ["c"], made, opsets))
    return model


def recursive(domain: str = "local") -> onnx.ModelProto:
    """A function that calls itself."""
    model = calling(1, 1, domain)
    model.functions[0].node[0].op_type, model.functions[0].node[0].domain = "f0", domain
    return model


BROKEN += [
    recursive, lambda: recursive("onnxtile"), lambda: nested(20), lambda: calling(3, 3), lambda: calling(40, 3),
    lambda: calling(3, 3, "onnxtile"), lambda: calling(40, 3, "onnxtile"),
]  # fmt: skip

_STEPS = "  ".join(f"x{at + 1} = Concat <axis = 0> (x{at}, x{at})" for at in range(45)).replace("(x0, x0)", "(x, x)")
DOUBLED = broken(_STEPS + "  r = ReduceSum (x45)  t = MatMul (x, w)  y = Add (t, r)")
"""The input, doubled 45 times."""

ENDLESS = broken(
    """t = MatMul (x, w)  n = Constant <value_int = 4611686018427387904> ()  y = Loop (n, , t) <body = step (int64 i,
    bool more, float[2,4] a) => (bool again, float[2,4] b) { again = Identity (more)  b = Identity (a) }>"""
)
