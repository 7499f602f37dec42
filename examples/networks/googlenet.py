"""torchvision's GoogLeNet."""

from __future__ import annotations

import onnx

from networks.layers import Layers

INCEPTIONS = [
    ("3a", 192, 64, 96, 128, 16, 32, 32),
    ("3b", 256, 128, 128, 192, 32, 96, 64),
    ("4a", 480, 192, 96, 208, 16, 48, 64),
    ("4b", 512, 160, 112, 224, 24, 64, 64),
    ("4c", 512, 128, 128, 256, 24, 64, 64),
    ("4d", 512, 112, 144, 288, 32, 64, 64),
    ("4e", 528, 256, 160, 320, 32, 128, 128),
    ("5a", 832, 256, 160, 320, 32, 128, 128),
    ("5b", 832, 384, 192, 384, 48, 128, 128),
]
"""Channels in; of the 1x1; before and of the 3x3; before and of the second 3x3; of the 1x1 behind the pool."""
POOL_BEHIND = {"3b": 3, "4e": 2}
"""Kernels of the pools that halve the picture behind an inception."""


def googlenet() -> onnx.ModelProto:
    """GoogLeNet (Szegedy et al., 2014) as torchvision has it (batch norms, 3x3 for 5x5, `aux_logits=False`), exported
    with its batch norms kept, batch 1. Without its statistics it has 6,624,904 weights.

    Pools without padding round their output up (`ceil_mode`). The Dropout is gone and the input isn't transformed, as
    in a network for inference that is made without pretrained weights.
    """
    net = Layers("input")
    _block(net, "conv1", 3, 64, 7, stride=2, pad=3)
    net.max_pool(3, 2, ceil_mode=1)
    _block(net, "conv2", 64, 64, 1)
    _block(net, "conv3", 64, 192, 3, pad=1)
    net.max_pool(3, 2, ceil_mode=1)
    for stage, cin, *widths in INCEPTIONS:
        _inception(net, f"inception{stage}", cin, *widths)
        if stage in POOL_BEHIND:
            net.max_pool(POOL_BEHIND[stage], 2, ceil_mode=1)
    net.node("GlobalAveragePool")
    net.node("Flatten", axis=1)
    net.linear("fc", 1024, 1000)
    return net.model("googlenet", [1, 3, 224, 224], [1, 1000], 17)


def _block(net: Layers, name: str, cin: int, cout: int, kernel: int, stride: int = 1, pad: int = 0) -> str:
    net.conv(f"{name}.conv", cin, cout, kernel, stride, pad, bias=False)
    net.norm(f"{name}.bn", cout)
    return net.node("Relu")


def _inception(
    net: Layers, name: str, cin: int, one: int, before_3: int, three: int, before_5: int, five: int, pool: int
) -> None:
    source, branches = net.value, [_block(net, f"{name}.branch1", cin, one, 1)]
    for branch, before, after in (("branch2", before_3, three), ("branch3", before_5, five)):
        net.value = source
        _block(net, f"{name}.{branch}.0", cin, before, 1)
        branches.append(_block(net, f"{name}.{branch}.1", before, after, 3, pad=1))
    net.value = source
    net.max_pool(3, 1, 1, ceil_mode=1)
    branches.append(_block(net, f"{name}.branch4.1", cin, pool, 1))
    net.node_of("Concat", branches, axis=1)
