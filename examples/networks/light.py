"""Networks that the onnx wheel carries for its tests; light, since their weights are ConstantOfShape nodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

LIGHT = (
    "bvlc_alexnet",
    "densenet121",
    "inception_v1",
    "inception_v2",
    "resnet50",
    "shufflenet",
    "squeezenet",
    "vgg19",
    "zfnet512",
)


def light(name: str) -> onnx.ModelProto:
    """One of them, as it is."""
    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    return onnx.load(folder / f"light_{name}.onnx")


def bvlc_alexnet(seed: int = 0) -> onnx.ModelProto:
    """Caffe's AlexNet, with random weights."""
    return _with_weights(light("bvlc_alexnet"), seed)


def bvlc_googlenet(seed: int = 0) -> onnx.ModelProto:
    """Caffe's GoogLeNet with random weights, with pools as in googlenet-12.onnx of the ONNX model zoo: 143 nodes.

    The wheel's copy is older: its exporter didn't know yet that Caffe rounds the sizes of pools up. So its four pools
    that halve the picture get two rows and columns of padding behind, the last pool loses its own, and the Reshape of
    the last weight, which newer exporters do ahead of time, is done.
    """
    model = _with_weights(light("inception_v1"), seed)
    for node in model.graph.node:
        attributes = {attribute.name: attribute.ints for attribute in node.attribute}
        if node.op_type == "MaxPool" and attributes["strides"] == [2, 2]:
            attributes["pads"][:] = [0, 0, 2, 2]
        elif node.op_type == "AveragePool":
            attributes["pads"][:] = [0, 0, 0, 0]
    return _without_reshapes_of_weights(model)


def _with_weights(model: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """Every ConstantOfShape becomes an initializer, and no initializer is an input any more."""
    graph, rng = model.graph, np.random.default_rng(seed)
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    kept, weights = [], []
    for node in graph.node:
        if node.op_type != "ConstantOfShape":
            kept.append(node)
            continue
        shape = shapes.pop(node.input[0])
        scale = np.float32(np.sqrt(2 / np.prod(shape[1:])) if len(shape) > 1 else 0.1)
        weights.append(numpy_helper.from_array(rng.standard_normal(shape, np.float32) * scale, node.output[0]))
    del graph.node[:]
    graph.node.extend(kept)
    inputs = [value for value in graph.input if value.name not in {tensor.name for tensor in graph.initializer}]
    del graph.input[:]
    graph.input.extend(inputs)
    weights += [tensor for tensor in graph.initializer if tensor.name in shapes]
    del graph.initializer[:]
    graph.initializer.extend(weights)
    model.ir_version = max(model.ir_version, 4)  # initializers needn't be inputs any more
    return model


def _without_reshapes_of_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    graph = model.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for node in [node for node in graph.node if node.op_type == "Reshape" and node.input[0] in tensors]:
        weight, shape = (numpy_helper.to_array(tensors[name]) for name in node.input)
        graph.initializer.append(numpy_helper.from_array(weight.reshape(shape), node.output[0]))
        for name in node.input:
            graph.initializer.remove(tensors[name])
        graph.node.remove(node)
    return model
