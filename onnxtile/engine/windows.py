"""The windows of a convolution, for engines that form them themselves."""

from __future__ import annotations

import math
from dataclasses import replace

from onnxtile.engine.product import Product, Window
from onnxtile.ir.attributes import UnsizedError
from onnxtile.operators.contractions import Contraction
from onnxtile.operators.windows import Geometry

_WEIGHTS = {"Conv": 1, "FusedConv": 1, "ConvInteger": 1, "QLinearConv": 3}
"""The input that has the kernels, of operators whose data has its channels first."""


def with_window(product: Product, contraction: Contraction) -> Product:
    """Return the product of a convolution with its windows; as it is where it's no convolution of known sizes."""
    node = contraction.node
    if node.op_type not in _WEIGHTS or "channels_last" in node.attributes or product.empty:
        return product
    try:
        geometry = Geometry.of(node, 0, _WEIGHTS[node.op_type])
    except UnsizedError:
        return product
    axes, channels = geometry.axes, geometry.channels_of_group
    numbers = [number for axis in axes for number in (axis.length, axis.kernel, axis.begin, axis.out)]
    known = [number for number in numbers if isinstance(number, int)]
    if not axes or len(known) < len(numbers) or not isinstance(channels, int) or any(axis.missing for axis in axes):
        return product
    lengths, kernel, begin, outputs = (tuple(known[at::4]) for at in range(4))
    if channels * math.prod(kernel) != product.k or product.m % max(math.prod(outputs), 1) or min(begin) < 0:
        return product
    strides, dilations = (tuple(getattr(axis, name) for axis in axes) for name in ("stride", "dilation"))
    return replace(product, window=Window(channels, lengths, kernel, strides, dilations, begin, outputs))
