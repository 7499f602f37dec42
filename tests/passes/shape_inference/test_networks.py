"""Sizes under free dimensions in what exporters write of networks: all are found, and hold for other sizes."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import helper

from onnxtile.passes.infer_shapes import InferShapes
from tests.node_cases import shapes_of, shapes_that_differ
from tests.support import parse, run_onnxruntime, whole

F32 = np.dtype(np.float32)

NETWORKS: dict[str, tuple[str, dict[str, list[int]], dict[str, list[int] | int]]] = {
    "ViT": (
        """g (float[B,3,8,8] x) => (float y) {
            p = Conv <strides=[4,4]> (x, kernel)
            d = Shape <end=2> (p)  s = Concat <axis=0> (d, last)  f = Reshape (p, s)  t = Transpose <perm=[0,2,1]> (f)
            n = Shape <end=1> (x)  m = Concat <axis=0> (n, last2)  e = Equal (m, last2one)  o = Where (e, ones, m)
            c = Expand (cls, o)  k = Concat <axis=1> (c, t)  a = Add (k, positions)
            first = Gather <axis=1> (a, zero)  y = MatMul (first, w)
        }""",
        {"kernel": [8, 3, 4, 4], "cls": [1, 1, 8], "positions": [1, 5, 8], "w": [8, 5]},
        {"last": [-1], "last2": [-1, -1], "last2one": [-1, -1, -1], "ones": [1, 1, 1], "zero": 0},
    ),
    "attention": (
        """g (float[B,S,8] x) => (float y) {
            qkv = MatMul (x, w)  q, k, v = Split <axis=2> (qkv, thirds)
            d = Shape (x)  b = Gather (d, zero)  s = Gather (d, one)
            bs = Unsqueeze (b, zeros)  ss = Unsqueeze (s, zeros)
            heads = Concat <axis=0> (bs, ss, two, four)
            qh = Reshape (q, heads)  kh = Reshape (k, heads)  vh = Reshape (v, heads)
            qt = Transpose <perm=[0,2,1,3]> (qh)  kt = Transpose <perm=[0,2,3,1]> (kh)
            vt = Transpose <perm=[0,2,1,3]> (vh)
            scores = MatMul (qt, kt)
            square = Concat <axis=0> (ss, ss)  full = Expand (real_one, square)  mask = Trilu <upper=0> (full)
            masked = Mul (scores, mask)  a = Softmax (masked)
            c = MatMul (a, vt)  ct = Transpose <perm=[0,2,1,3]> (c)
            flat = Concat <axis=0> (bs, ss, eight)  cf = Reshape (ct, flat)  y = Add (cf, x)
        }""",
        {"w": [8, 24], "real_one": [1]},
        {"thirds": [8, 8, 8], "zero": 0, "one": 1, "zeros": [0], "two": [2], "four": [4], "eight": [8]},
    ),
    "U-Net": (
        """g (float[B,3,H,W] x) => (float y) {
            a = Conv <pads=[1,1,1,1]> (x, k1)  p = MaxPool <kernel_shape=[2,2], strides=[2,2]> (a)
            b = Conv <pads=[1,1,1,1]> (p, k2)  u = Resize <mode="nearest"> (b, , twice)
            c = Concat <axis=1> (u, a)  up = ConvTranspose <strides=[2,2]> (b, k3)  z = Concat <axis=1> (c, up)
            t = Transpose <perm=[0,2,3,1]> (z)  y = MatMul (t, w)
        }""",
        {"k1": [4, 3, 3, 3], "k2": [4, 4, 3, 3], "k3": [4, 4, 2, 2], "w": [12, 5]},
        {},
    ),
    "detection head": (
        """g (float[B,13,H,W] x, float[B,13,I,J] z) => (float y) {
            n = Shape <end=1> (x)  s = Concat <axis=0> (n, rows)  f = Reshape (x, s)  g = Reshape (z, s)
            c = Concat <axis=2> (f, g)  box, cls = Split <axis=1> (c, parts)
            d = Shape (box)  b = Slice (d, zeros, ones)  m = Slice (d, twos, threes)
            bins = Concat <axis=0> (b, four, two, m)  r = Reshape (box, bins)  e = ReduceSum <keepdims=0> (r, twos)
            l = Slice (e, zeros, twos, ones)  h = Slice (e, twos, threes4, ones)  o = Sub (h, l)
            k = Concat <axis=1> (o, l, cls)  t = Transpose <perm=[0,2,1]> (k)  y = MatMul (t, w)
        }""",
        {"w": [9, 6]},
        {
            "rows": [13, -1], "parts": [8, 5], "zeros": [0], "ones": [1], "twos": [2], "threes": [3], "four": [4],
            "two": [2], "threes4": [4],
        },
    ),
}  # fmt: skip
"""By name: the graph, shapes of its weights, and whole numbers."""


@pytest.mark.parametrize("name", NETWORKS)
def test_all_sizes_are_found_and_hold(name: str) -> None:
    text, weights, numbers = NETWORKS[name]
    constants = {key: whole(shape, F32, 1) for key, shape in weights.items()}
    constants |= {key: np.array(value, np.int64) for key, value in numbers.items()}
    constants["twice"] = np.array([1, 1, 2, 2], F32)
    proto = parse(f'<ir_version: 10, opset_import: ["" : 18]> {text}', **constants)
    model = ir.from_proto(proto)
    InferShapes()(model)
    values = [value for node in model.graph for value in node.outputs]
    assert [value.name for value in values if value.shape is None or value.shape.has_unknown_dim()] == []
    del proto.graph.output[:]
    proto.graph.output.extend(helper.make_empty_tensor_value_info(str(value.name)) for value in values)
    for sizes in ({"B": 1, "S": 5, "H": 6, "W": 4, "I": 3, "J": 2}, {"B": 3, "S": 1, "H": 2, "W": 8, "I": 1, "J": 1}):
        feeds = {
            value.name: np.ones(
                [dim.dim_value or sizes[dim.dim_param] for dim in value.type.tensor_type.shape.dim], F32
            )
            for value in proto.graph.input
        }
        real = shapes_of(dict(zip((str(value.name) for value in values), run(proto, feeds), strict=True)))
        assert list(shapes_that_differ(model, sizes, real)) == []


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    return run_onnxruntime(model, feeds, optimize=False)
