"""Lowered models that are broken: they don't run, or would take more memory or turns than there are."""

from __future__ import annotations

from typing import Any

import numpy as np

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

ENDLESS = broken(
    """t = MatMul (x, w)  n = Constant <value_int = 4611686018427387904> ()  y = Loop (n, , t) <body = step (int64 i,
    bool more, float[2,4] a) => (bool again, float[2,4] b) { again = Identity (more)  b = Identity (a) }>"""
)
