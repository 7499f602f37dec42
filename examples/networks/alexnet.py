"""torchvision's AlexNet."""

from __future__ import annotations

import onnx

from networks.layers import Layers


def alexnet() -> onnx.ModelProto:
    """AlexNet (Krizhevsky, "One weird trick", 2014) as torchvision exports it, batch 1: 20 nodes, three of them Gemms,
    61 million weights. The average over windows of one is its AdaptiveAvgPool2d at this size.
    """
    net = Layers("input")
    for index, (cin, cout, kernel, stride, pad) in enumerate(
        [(3, 64, 11, 4, 2), (64, 192, 5, 1, 2), (192, 384, 3, 1, 1), (384, 256, 3, 1, 1), (256, 256, 3, 1, 1)]
    ):
        net.conv(f"features.{index}", cin, cout, kernel, stride, pad)
        net.node("Relu")
        if index in (0, 1, 4):
            net.max_pool(3, 2)
    net.node("AveragePool", kernel_shape=[1, 1], strides=[1, 1])
    net.node("Flatten", axis=1)
    for index, (width, out) in enumerate([(9216, 4096), (4096, 4096), (4096, 1000)]):
        net.linear(f"classifier.{index}", width, out)
        if index < 2:
            net.node("Relu")
    return net.model("alexnet", [1, 3, 224, 224], [1, 1000], 17)
