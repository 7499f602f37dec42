"""Real networks without downloads: torchvision's AlexNet and MobileNetV2 as ONNX, and the onnx wheel's AlexNet.

Weights are random from a seed, scaled so that signals keep their size; every one of them matters.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class _Builder:
    """Strings layers together: each takes the last value and makes the next."""

    def __init__(self, value: str, seed: int = 0) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self.value = value
        self._rng = np.random.default_rng(seed)

    def node(self, op_type: str, *operands: str, **attributes: object) -> str:
        name = f"{op_type}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, [self.value, *operands], [f"{name}_out"], name, **attributes))
        self.value = f"{name}_out"
        return self.value

    def constant(self, name: str, array: np.ndarray) -> str:
        self.tensors.append(numpy_helper.from_array(array, name))
        return name

    def weight(self, name: str, *shape: int) -> str:
        scale = np.sqrt(2 / np.prod(shape[1:])) if len(shape) > 1 else 0.1
        return self.constant(name, (self._rng.standard_normal(shape) * scale).astype(np.float32))

    def conv(self, name: str, cin: int, cout: int, kernel: int, stride: int = 1, pad: int = 0, group: int = 1) -> str:
        weight = self.weight(f"{name}.weight", cout, cin // group, kernel, kernel)
        geometry = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4, "group": group}
        return self.node("Conv", weight, self.weight(f"{name}.bias", cout), **geometry)

    def linear(self, name: str, width: int, out: int) -> str:
        return self.node("Gemm", self.weight(f"{name}.weight", out, width), self.weight(f"{name}.bias", out), transB=1)

    def model(self, name: str, source: list[int | str], result: list[int | str], opset: int) -> onnx.ModelProto:
        self.nodes[-1].output[0] = "output"
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, source)],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, result)],
            self.tensors,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def alexnet() -> onnx.ModelProto:
    """torchvision's AlexNet (Krizhevsky, "One weird trick", 2014), batch 1: three Gemms, 61 million weights."""
    net = _Builder("input")
    for index, (cin, cout, kernel, stride, pad) in enumerate(
        [(3, 64, 11, 4, 2), (64, 192, 5, 1, 2), (192, 384, 3, 1, 1), (384, 256, 3, 1, 1), (256, 256, 3, 1, 1)]
    ):
        net.conv(f"features.{index}", cin, cout, kernel, stride, pad)
        net.node("Relu")
        if index in (0, 1, 4):
            net.node("MaxPool", kernel_shape=[3, 3], strides=[2, 2])
    net.node("Flatten", axis=1)
    for index, (width, out) in enumerate([(9216, 4096), (4096, 4096), (4096, 1000)]):
        net.linear(f"classifier.{index}", width, out)
        if index < 2:
            net.node("Relu")
    return net.model("alexnet", [1, 3, 224, 224], [1, 1000], 17)


def mobilenet_v2() -> onnx.ModelProto:
    """torchvision's MobileNetV2 (Sandler et al., 2018), batch norms folded, with a dynamic batch and opset 10.

    As exported in 2020: the batch goes through Shape, Gather, Unsqueeze and Concat into the Reshape before the Gemm.
    """
    net, width = _Builder("input"), 32
    zero, six = 0.0, 6.0
    net.conv("features.0", 3, width, 3, 2, 1)
    net.node("Clip", min=zero, max=six)
    stages = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for stage, (expansion, cout, repeats, first_stride) in enumerate(stages):
        for repeat in range(repeats):
            name, stride, shortcut = f"features.{stage}.{repeat}", first_stride if repeat == 0 else 1, net.value
            hidden = width * expansion
            if expansion > 1:
                net.conv(f"{name}.expand", width, hidden, 1)
                net.node("Clip", min=zero, max=six)
            net.conv(f"{name}.depthwise", hidden, hidden, 3, stride, 1, group=hidden)
            net.node("Clip", min=zero, max=six)
            net.conv(f"{name}.project", hidden, cout, 1)
            if stride == 1 and width == cout:
                net.node("Add", shortcut)
            width = cout
    net.conv("features.18", width, 1280, 1)
    net.node("Clip", min=zero, max=six)
    features = net.value
    pooled = net.node("GlobalAveragePool")
    net.value = features
    net.node("Shape")
    net.node("Gather", net.constant("index", np.array(0, np.int64)), axis=0)
    net.node("Unsqueeze", axes=[0])
    shape = net.node("Concat", net.constant("rest", np.array([-1], np.int64)), axis=0)
    net.value = pooled
    net.node("Reshape", shape)
    net.linear("classifier.1", 1280, 1000)
    return net.model("mobilenetv2", ["batch_size", 3, 224, 224], ["batch_size", 1000], 10)


def bvlc_alexnet(seed: int = 0) -> onnx.ModelProto:
    """The AlexNet that the onnx wheel carries for its tests, its ConstantOfShape weights replaced by random ones."""
    path = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / "light_bvlc_alexnet.onnx"
    model, rng = onnx.load(path), np.random.default_rng(seed)
    graph = model.graph
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    kept, weights = [], []
    for node in graph.node:
        if node.op_type != "ConstantOfShape":
            kept.append(node)
            continue
        shape = shapes.pop(node.input[0])
        scale = np.sqrt(2 / np.prod(shape[1:])) if len(shape) > 1 else 0.1
        weights.append(numpy_helper.from_array((rng.standard_normal(shape) * scale).astype(np.float32), node.output[0]))
    del graph.node[:]
    graph.node.extend(kept)
    weights += [tensor for tensor in graph.initializer if tensor.name in shapes]
    del graph.initializer[:]
    graph.initializer.extend(weights)
    inputs = [value for value in graph.input if value.name == "data_0"]
    del graph.input[:]
    graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, 4)  # initializers needn't be inputs any more
    return model
