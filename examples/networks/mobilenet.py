"""torchvision's MobileNetV2."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from networks.layers import Layers

STAGES = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
"""Expansion, channels, repeats, and the stride of the first."""


def mobilenet_v2() -> onnx.ModelProto:
    """MobileNetV2 (Sandler et al., 2018), batch norms folded, with a dynamic batch and opset 10: the 105 nodes of
    mobilenetv2-10.onnx, in their order.

    As exported in 2020: the batch goes through Shape, Gather, Unsqueeze and Concat into the Reshape before the Gemm.
    """
    net, width = Layers("input"), 32
    net.conv("features.0", 3, width, 3, 2, 1)
    relu6(net)
    for stage, (expansion, cout, repeats, first_stride) in enumerate(STAGES):
        for repeat in range(repeats):
            name, stride, shortcut = f"features.{stage}.{repeat}", first_stride if repeat == 0 else 1, net.value
            hidden = width * expansion
            if expansion > 1:
                net.conv(f"{name}.expand", width, hidden, 1)
                relu6(net)
            net.conv(f"{name}.depthwise", hidden, hidden, 3, stride, 1, group=hidden)
            relu6(net)
            net.conv(f"{name}.project", hidden, cout, 1)
            if stride == 1 and width == cout:
                net.node("Add", shortcut)
            width = cout
    net.conv("features.18", width, 1280, 1)
    features = relu6(net)
    pooled = net.node("GlobalAveragePool")
    lengths = net.node_of("Shape", [features])
    index = net.node_of("Constant", [], value=numpy_helper.from_array(np.array(0, np.int64)))
    net.node_of("Gather", [lengths, index], axis=0)
    net.node("Unsqueeze", axes=[0])
    shape = net.node("Concat", net.constant("rest", np.array([-1], np.int64)), axis=0)
    net.node_of("Reshape", [pooled, shape])
    net.linear("classifier.1", 1280, 1000)
    return net.model("mobilenetv2", ["batch_size", 3, 224, 224], ["batch_size", 1000], 10)


def relu6(net: Layers) -> str:
    return net.node("Clip", min=0.0, max=6.0)
