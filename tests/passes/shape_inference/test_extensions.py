"""Operators that the library doesn't know, or takes some forms of for others."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnx
import pytest

import onnxtile
from onnxtile.ir.io.interop import to_ir
from onnxtile.passes import InferShapes
from tests.passes.shape_inference.test_infer import INFO
from tests.passes.test_decompose_fused import case as fused
from tests.support import (
    FLOAT,
    parse,
    run_onnxruntime,
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


BYTES = np.uint8
SCALE = (np.float32(0.5), np.uint8(3))
ONE_OPERAND = (*SCALE, *SCALE)
POOL = {"kernel_shape": [2, 3], "strides": [2, 1]}
OF_ONNXRUNTIME: list[tuple[str, list[Any], dict[str, Any]]] = [
    ("BiasGelu", [(2, 3, 4), (4,)], {}),
    ("FastGelu", [(2, 3, 4), (4,)], {}),
    ("Gelu", [(2, 3, 4)], {}),
    ("QuickGelu", [(2, 3, 4)], {}),
    ("SkipLayerNormalization", [(2, 3, 4), (3, 4), (4,)], {}),
    ("SkipSimplifiedLayerNormalization", [(2, 3, 4), (2, 3, 4), (4,)], {}),
    ("QLinearLeakyRelu", [BYTES, (2, 3, 4), *ONE_OPERAND], {}),
    ("QLinearSigmoid", [BYTES, (2, 3, 4), *ONE_OPERAND], {}),
    ("QLinearSoftmax", [BYTES, (2, 3, 4), *ONE_OPERAND], {"opset": 13}),
    ("QLinearAveragePool", [BYTES, (1, 3, 7, 8), *ONE_OPERAND], POOL | {"pads": [0, 1, 0, 1]}),
    ("QLinearAveragePool", [BYTES, (1, 7, 8, 3), *ONE_OPERAND], POOL | {"channels_last": 1}),
    ("QLinearAveragePool", [BYTES, (1, 3, 7, 8), *ONE_OPERAND], POOL | {"ceil_mode": 1}),
    ("QLinearAveragePool", [BYTES, (1, 3, 7, 8), *ONE_OPERAND], POOL | {"auto_pad": "SAME_UPPER"}),
    ("QLinearGlobalAveragePool", [BYTES, (1, 3, 7, 8), *ONE_OPERAND], {}),
    ("QLinearGlobalAveragePool", [BYTES, (1, 7, 8, 3), *ONE_OPERAND], {"channels_last": 1}),
    ("QLinearAdd", [BYTES, (2, 3, 4), *SCALE, (3, 1), *SCALE, *SCALE], {}),
    ("QLinearMul", [BYTES, (3, 1), *SCALE, (2, 3, 4), *SCALE, *SCALE], {}),
    ("QLinearConv", [BYTES, (1, 5, 5, 2), *SCALE, (4, 2, 3, 3), *SCALE, *SCALE], {"channels_last": 1}),
    ("QLinearConcat", [BYTES, *SCALE, (2, 3), *SCALE, (2, 4), *SCALE], {"axis": 1}),
    ("QLinearWhere", [BYTES, np.ones((3, 1), bool), (2, 3, 4), *SCALE, (4,), *SCALE, *SCALE], {}),
    ("RotaryEmbedding", [(2, 3, 8), np.zeros((2, 3), np.int64), (5, 2), (5, 2)], {"num_heads": 2}),
    ("EmbedLayerNormalization", [np.zeros((2, 3), np.int32), None, (7, 4), (8, 4), None, (4,), (4,)], {}),
]


@pytest.mark.parametrize("free", [False, True], ids=["numbers", "free"])
@pytest.mark.parametrize(("op_type", "operands", "attributes"), OF_ONNXRUNTIME)
def test_operators_of_onnxruntime_have_the_sizes_it_gives(
    op_type: str, operands: list[Any], attributes: dict[str, Any], free: bool
) -> None:
    dtype, *operands = operands if operands[0] is BYTES else [np.float32, *operands]
    arrays = [np.ones(one, dtype) if isinstance(one, tuple) else one for one in operands]
    feeds = {f"x{index}": np.asarray(array) for index, array in enumerate(arrays) if array is not None}
    names = ["" if array is None else f"x{index}" for index, array in enumerate(arrays)]
    count = 2 if op_type == "EmbedLayerNormalization" else 1
    node = onnx.helper.make_node(
        op_type, names, [f"y{index}" for index in range(count)], domain="com.microsoft", **attributes
    )
    fed = {name: array for name, array in feeds.items() if array.ndim}  # scales and zero points are constants

    def graph(with_letters: bool) -> onnx.ModelProto:
        inputs = [
            onnx.helper.make_tensor_value_info(
                name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype),
                [f"{name}_{axis}" for axis in range(array.ndim)] if with_letters else array.shape,
            )
            for name, array in fed.items()
        ]  # fmt: skip
        constants = [onnx.numpy_helper.from_array(array, name) for name, array in feeds.items() if not array.ndim]
        outputs = [onnx.ValueInfoProto(name=name) for name in node.output]
        opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("com.microsoft", 1)]
        whole = onnx.helper.make_graph([node], "g", inputs, outputs, constants)
        return onnx.helper.make_model(whole, opset_imports=opsets, ir_version=9)

    real = run_onnxruntime(graph(False), fed)
    model = to_ir(graph(free))
    InferShapes()(model)
    letters = {f"{name}_{axis}": size for name, array in fed.items() for axis, size in enumerate(array.shape)}
    for value, array in zip(model.graph[0].outputs, real, strict=True):
        assert value.shape is not None and len(value.shape) == array.ndim
        sizes = [dim if isinstance(dim, int) else letters.get(str(dim)) for dim in value.shape]
        assert all(one in (None, two) for one, two in zip(sizes, array.shape, strict=True)), (value.shape, array.shape)
        assert free or value.shape.is_static()
