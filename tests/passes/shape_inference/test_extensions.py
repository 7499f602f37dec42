"""Operators that the library doesn't know, or takes some forms of for others."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import onnxtile
from onnxtile.ir.io.interop import to_ir
from onnxtile.passes import InferShapes
from tests.passes.shape_inference.test_infer import INFO
from tests.passes.test_decompose_fused import case as fused
from tests.support import (
    FLOAT,
    parse,
    whole,
)  # fmt: skip


@pytest.mark.parametrize("node", ["DynamicQuantizeMatMul (x, v, s)", "MatMulIntegerToFloat (q, v, s, s)"])
def test_quantized_products_of_the_engine_have_their_rows(node: str) -> None:
    """Show that what the file says of them counts for nothing."""
    model = parse(
        f"""<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
        g (float[N,8] x, uint8[N,8] q) => (float[a,b] y) {{ f = com.microsoft.{node} y = MatMul (f, w) }}""",
        v=np.ones((8, 5), np.int8),
        s=np.float32(0.5),
        w=np.ones((5, 9), np.float32),
    )
    model.graph.value_info.append(INFO("f", FLOAT, [1, 5]))
    assert [(row.m, row.k, row.n) for row in onnxtile.check(model, (4, 4, 4)).contractions] == [
        ("N", 8, 5),
        ("N", 5, 9),
    ]


def test_fused_convolutions_have_the_sizes_of_convolutions() -> None:
    model = to_ir(parse(
        """<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
        g (float[n,3,9,9] x, float[n,8,5,5] z) => (float[n,8,2,2] y) {
            c = com.microsoft.FusedConv <activation = "Relu", pads = [1, 1, 1, 1], strides = [2, 2]> (x, w, b, z)
            y = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (c)
        }""",
        w=np.ones((8, 3, 3, 3), np.float32), b=np.ones(8, np.float32),
    ))  # fmt: skip
    InferShapes()(model)
    assert [str(node.outputs[0].shape) for node in model.graph] == ["[n,8,5,5]", "[n,8,2,2]"]


@pytest.mark.parametrize("flags", itertools.product((0, 1), repeat=4))
def test_shapes_behind_a_fused_matmul_are_right(flags: tuple[int, int, int, int]) -> None:
    """onnx_shape_inference leaves transBatch out; what's behind would be cut by wrong lengths."""
    names = ("transA", "transB", "transBatchA", "transBatchB")
    shapes = [[7, 3, 4, 5], [7, 3, 5, 6]]
    for shape, trans, batch in zip(shapes, flags[:2], flags[2:], strict=True):
        if trans:
            shape[-2:] = shape[:-3:-1]
        if batch:
            shape.insert(0, shape.pop(-2))
    arrays = (whole(shape, np.dtype(np.float32), 0) for shape in shapes)
    model = to_ir(fused("FusedMatMul", *arrays, axes=4, **dict(zip(names, flags, strict=True))).model)
    InferShapes()(model)
    assert model.graph.node(0).outputs[0].shape == [7, 3, 4, 6]


@pytest.mark.parametrize(
    ("node", "shape"),
    [
        ("QLinearGlobalAveragePool (x, s, z, s, z)", "[n,12,1,1]"),
        ("QLinearGlobalAveragePool <channels_last = 1> (x, s, z, s, z)", "[n,1,1,9]"),
        ("QLinearAveragePool <kernel_shape = [3, 2], strides = [2, 2]> (x, s, z, s, z)", "[n,12,3,4]"),
        ("QLinearAveragePool <kernel_shape = [3, 2], channels_last = 1> (x, s, z, s, z)", "[n,10,7,9]"),
        ("QLinearReduceMean <axes = [3], keepdims = 0> (x, s, z, s, z)", "[n,12,8]"),
    ],
)
def test_quantized_pools_and_reductions_have_the_sizes_of_plain_ones(node: str, shape: str) -> None:
    """onnx_shape_inference takes the input's sizes, and the product behind would have another K."""
    model = to_ir(parse(
        f"""<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
        g (uint8[n,12,8,9] x) => (uint8[a,b,c,d] y) {{ y = com.microsoft.{node} }}""",
        s=np.float32(0.5), z=np.uint8(3),
    ))  # fmt: skip
    model.graph.outputs[0].shape = None
    InferShapes()(model)
    assert str(model.graph.outputs[0].shape) == shape
