"""The models that the benchmarks lower, made on the spot from what the onnx wheel brings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper


def alexnet(path: Path) -> None:
    """Write BVLC AlexNet with weights: three Gemms are 14,336 products of 64 x 64 x 64."""
    _light(path, "light_bvlc_alexnet.onnx")


def resnet50(path: Path) -> None:
    """Write ResNet-50 (He et al., 2016; strides in layers of 1x1) with weights: 53 Convs and a Gemm."""
    _light(path, "light_resnet50.onnx")


def _light(path: Path, name: str) -> None:
    """Write a network of the wheel, which makes its weights at run time by ConstantOfShape, with random ones."""
    model = onnx.load(Path(onnx.__file__).parent / "backend/test/data/light" / name)
    graph, random = model.graph, np.random.default_rng(0)
    given = {tensor.name: tensor for tensor in graph.initializer}
    positive = {node.input[index] for node in graph.node if node.op_type == "BatchNormalization" for index in (1, 4)}
    nodes, tensors, shapes = [], [], set()
    for node in graph.node:
        if node.op_type != "ConstantOfShape":
            nodes.append(node)
            continue
        shapes.add(node.input[0])
        shape = numpy_helper.to_array(given[node.input[0]]).tolist()
        # scaled by the fan-in: activations neither vanish nor overflow on their way through the layers
        scale = (2 / np.prod(shape[1:])) ** 0.5 if len(shape) > 1 else 0.1
        array = random.standard_normal(shape, np.float32) * np.float32(scale)
        if node.output[0] in positive:  # scales and variances
            array = 1 + np.abs(array)
        tensors.append(numpy_helper.from_array(array, node.output[0]))
    tensors += [tensor for key, tensor in given.items() if key not in shapes]
    weights = {tensor.name for tensor in tensors} | shapes
    inputs = [value for value in graph.input if value.name not in weights]
    bare = helper.make_graph(nodes, graph.name, inputs, graph.output, tensors)
    _save(bare, path, opset=model.opset_import[0].version)


def bert(path: Path, layers: int = 12, width: int = 768, heads: int = 12, tokens: int = 128) -> None:
    """Write an encoder of BERT-base's shapes (Devlin et al., 2019) and random weights, without embeddings."""
    random = np.random.default_rng(0)
    shapes = {"split": [0, 0, heads, width // heads], "join": [0, 0, width]}
    tensors = [numpy_helper.from_array(np.array(shape), name) for name, shape in shapes.items()]
    tensors.append(numpy_helper.from_array(np.array((width / heads) ** 0.5, np.float32), "root"))
    nodes: list[onnx.NodeProto] = []

    def node(op_type: str, name: str, *inputs: str, **attributes: object) -> str:
        nodes.append(helper.make_node(op_type, inputs, [f"{name}_out"], name, **attributes))
        return f"{name}_out"

    def weight(name: str, *shape: int) -> str:
        array = random.standard_normal(shape, np.float32) * np.float32(0.02)
        tensors.append(numpy_helper.from_array(array, name))
        return name

    def linear(name: str, value: str, rows: int, columns: int) -> str:
        product = node("MatMul", name, value, weight(f"{name}.weight", rows, columns))
        return node("Add", f"{name}.add", product, weight(f"{name}.bias", columns))

    def normalized(name: str, one: str, other: str) -> str:
        scales = weight(f"{name}.scale", width), weight(f"{name}.shift", width)
        return node("LayerNormalization", name, node("Add", f"{name}.sum", one, other), *scales)

    value = "x"
    for index in range(layers):
        of = f"layers.{index}."
        query, key, values = (
            node("Transpose", f"{of}{name}.turned",
                 node("Reshape", f"{of}{name}.heads", linear(of + name, value, width, width), "split"),
                 perm=[0, 2, 3, 1] if name == "key" else [0, 2, 1, 3])
            for name in ("query", "key", "value")
        )  # fmt: skip
        scores = node("Div", f"{of}scaled", node("MatMul", f"{of}scores", query, key), "root")
        mixed = node("MatMul", f"{of}mix", node("Softmax", f"{of}softmax", scores, axis=-1), values)
        joined = node("Reshape", f"{of}join", node("Transpose", f"{of}back", mixed, perm=[0, 2, 1, 3]), "join")
        value = normalized(f"{of}first", value, linear(f"{of}out", joined, width, width))
        wide = node("Gelu", f"{of}gelu", linear(f"{of}up", value, width, 4 * width))
        value = normalized(f"{of}second", value, linear(f"{of}down", wide, 4 * width, width))
    sides = [helper.make_tensor_value_info(name, 1, [1, tokens, width]) for name in ("x", value)]
    _save(helper.make_graph(nodes, "bert", sides[:1], sides[1:], tensors), path, opset=20)


def product(path: Path) -> None:
    """Write one MatMul, [64, 4096] @ [4096, 4096]: 4,096 products of 64 x 64 x 64."""
    weight = np.random.default_rng(0).standard_normal((4096, 4096), np.float32)
    _save(_one_layer("MatMul", [64, 4096], [64, 4096], {"weight": weight}), path, opset=17)


def small(path: Path) -> None:
    """Write one ragged Gemm of whole numbers, whose result is the same in every order of summation."""
    random = np.random.default_rng(0)
    weight, bias = (random.integers(-8, 8, shape).astype(np.float32) for shape in ((150, 200), (150,)))
    _save(_one_layer("Gemm", [130, 200], [130, 150], {"weight": weight, "bias": bias}, transB=1), path, opset=17)


def _one_layer(
    op_type: str, shape_in: list[int], shape_out: list[int], weights: dict[str, np.ndarray], **attributes: Any
) -> onnx.GraphProto:
    x, y = (
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("x", shape_in), ("y", shape_out))
    )
    node = helper.make_node(op_type, ["x", *weights], ["y"], name="layer", **attributes)
    tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    return helper.make_graph([node], "one layer", [x], [y], tensors)


def _save(graph: onnx.GraphProto, path: Path, opset: int) -> None:
    # pinned: onnx's own default may be newer than what runtimes read
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
