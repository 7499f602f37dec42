"""Write convolutions of quantized numbers out as MatMulInteger, int32 arithmetic, and one requantization."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from onnxtile.ir.attributes import attribute_int, input_of
from onnxtile.operators.contractions import Contraction
from onnxtile.operators.windows import Geometry
from onnxtile.passes.decompose import Decompose, lowered_by
from onnxtile.passes.rewrites.depthwise import DepthwiseName, check_depthwise, kept
from onnxtile.passes.rewrites.im2col import window_refusals
from onnxtile.passes.rewrites.integer_convolution import IntegerConvolution
from onnxtile.passes.rewrites.quantization import INT32, Quantized, integer_refusals
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.legality import Refusal

_INPUTS: dict[str, tuple[dict[str, tuple[int, ...]], int | None]] = {
    # indices of inputs: integers, scale and zero point of X, W and Y (9: none), and the bias
    "ConvInteger": ({"X": (0, 9, 2), "W": (1, 9, 3), "Y": (9, 9, 9)}, None),
    "QLinearConv": ({"X": (0, 1, 2), "W": (3, 4, 5), "Y": (9, 6, 7)}, 8),
}


@dataclass(frozen=True)
class DecomposeQuantizedConvolution(Decompose):
    """Y = quantize(sX * sW / sY * ((X - zX) conv (W - zW) + B)), for every quantized convolution that exceeds `max`.

    The bytes are padded with their zero point, windows of them are rows of A, kernels are columns of B: the product is
    MatMulInteger without zero points. What they add is taken off in int32, where it's exact; it's requantized once.
    `depthwise`: channels that have kernels of their own stay (keep), or are written as the others are.
    """

    depthwise: DepthwiseName = "vector"
    operators = lowered_by("decompose-quantized-convolution")

    def __post_init__(self) -> None:
        check_depthwise(self.depthwise)
        super().__post_init__()

    def refusals(self, product: Contraction, model: ir.Model) -> Iterator[Refusal]:
        node = product.node
        (x, w, y), bias = operands_of(node), bias_of(node)
        yield from integer_refusals((x, w))
        if product.reason or product.opset is None:
            return
        geometry = geometry_of(node)
        yield from kept(geometry, self.depthwise)
        yield from window_refusals(geometry, product.opset, pads_integers=True)
        for side, length in ((x, 1), (w, geometry.filters), (y, 1)):
            yield from side.refusals(length, model)
        if y.scale is not None and y.zero is None:
            yield Refusal("quantization", "it lacks y_zero_point, which says the type of its result; give it")
        if bias is not None and (bias.shape is None or list(bias.shape) != [geometry.filters] or bias.dtype != INT32):
            yield Refusal("shape", f"its bias isn't known to be {geometry.filters} elements of int32; declare it so")

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        node = product.node
        convolution = IntegerConvolution(new, geometry_of(node), model, product.opset or 0)
        (x, w, y), bias = operands_of(node), bias_of(node)
        total = convolution.product(x, w, bias)
        if x.scale is not None and w.scale is not None:
            total = convolution.requantized(total, x.scale, w.scale, y)
        total.shape = convolution.shape
        new.swap_in(convolution.im2col.laid_out(total))


def geometry_of(node: ir.Node) -> Geometry:
    last = node.op_type == "QLinearConv" and bool(attribute_int(node, "channels_last", 0))
    return Geometry.of(node, 0, _INPUTS[node.op_type][0]["W"][0], last)


def operands_of(node: ir.Node) -> tuple[Quantized, Quantized, Quantized]:
    indices = _INPUTS[node.op_type][0]
    x, w, y = (Quantized(letter, *(input_of(node, index) for index in indices[letter])) for letter in "XWY")
    return x, w, y


def bias_of(node: ir.Node) -> ir.Value | None:
    index = _INPUTS[node.op_type][1]
    return None if index is None else input_of(node, index)
