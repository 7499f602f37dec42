"""Real networks without downloads: torchvision's, layer by layer, and those that the onnx wheel carries for its tests.

Weights are random from a seed, scaled so that signals keep their size; every one of them matters.
"""

from networks.alexnet import alexnet
from networks.googlenet import googlenet
from networks.light import LIGHT, bvlc_alexnet, bvlc_googlenet, light
from networks.little import little
from networks.mobilenet import mobilenet_v2
from networks.tagger import tagger
from networks.unet import unet

mobilenet_v2_opset10 = mobilenet_v2
"""By the name of the file whose nodes it has, mobilenetv2-10.onnx."""

__all__ = [
    "LIGHT",
    "alexnet",
    "bvlc_alexnet",
    "bvlc_googlenet",
    "googlenet",
    "light",
    "little",
    "mobilenet_v2",
    "mobilenet_v2_opset10",
    "tagger",
    "unet",
]
