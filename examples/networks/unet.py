"""A U-Net."""

from __future__ import annotations

import onnx

from networks.layers import Layers

WIDTHS = (64, 128, 256, 512, 1024)


def unet(light: bool = False) -> onnx.ModelProto:
    """U-Net (Ronneberger, Fischer, Brox, 2015) of one picture of 256 x 256 and two classes: 31 million weights.

    Its convolutions are padded, as in most copies of it, so that nothing is cropped. `light`: see Layers.
    """
    net = Layers("input", light=light)
    skipped, cin = [], 3
    for level, cout in enumerate(WIDTHS):
        _twice(net, f"down{level}", cin, cout)
        cin = cout
        if cout != WIDTHS[-1]:
            skipped.append(net.value)
            net.max_pool(2, 2)
    for level, cout in reversed(list(enumerate(WIDTHS[:-1]))):
        up = net.node("ConvTranspose", net.weight(f"up{level}.weight", cin, cout, 2, 2), strides=[2, 2])
        net.node_of("Concat", [skipped.pop(), up], axis=1)
        _twice(net, f"up{level}", 2 * cout, cout)
        cin = cout
    net.conv("classes", cin, 2, 1)
    return net.model("unet", [1, 3, 256, 256], [1, 2, 256, 256], 17)


def _twice(net: Layers, name: str, cin: int, cout: int) -> None:
    for index, channels in enumerate((cin, cout)):
        net.conv(f"{name}.{index}", channels, cout, 3, pad=1)
        net.node("Relu")
