"""Write convolutions between DequantizeLinear and QuantizeLinear out as products of the integers themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import onnx_ir as ir

from onnxtile.ir.attributes import attribute_int, input_of
from onnxtile.ir.constants import declared_ir_version
from onnxtile.ir.dtypes import BYTES
from onnxtile.operators.contractions import Contraction
from onnxtile.operators.windows import Geometry
from onnxtile.passes.decompose import Decompose, lowered_by
from onnxtile.passes.rewrites.depthwise import DepthwiseName, check_depthwise, kept
from onnxtile.passes.rewrites.im2col import window_refusals
from onnxtile.passes.rewrites.integer_convolution import IntegerConvolution
from onnxtile.passes.rewrites.moves import PADS_AS_INPUT
from onnxtile.passes.rewrites.qdq import (
    LONGEST,
    drop_idle,
    integer_bias,
    means_more,
    only_reader,
    producer_of,
    with_quantized_types,
)
from onnxtile.passes.rewrites.quantization import Quantized, integer_refusals
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.legality import Refusal


@dataclass(frozen=True)
class DecomposeQdqConvolution(Decompose):
    """Q(DQ(X) conv DQ(W) + DQ(B)) = quantize(sX * sW / sY * ((X - zX) conv (W - zW) + B)), for every such Conv.

    That's what onnxruntime makes of them, and how integer engines compute them: exact, and rounded once. B's scale has
    to be sX * sW. A Conv that isn't so is cut as a product of floats. `depthwise`: channels that have kernels of their
    own stay (keep), or are written as the others are.
    """

    depthwise: DepthwiseName = "vector"
    operators = lowered_by("decompose-convolution")

    def __post_init__(self) -> None:
        check_depthwise(self.depthwise)
        super().__post_init__()

    def concerns(self, node: ir.Node, model: ir.Model) -> bool:
        """Return whether the node matches, K is known to be short enough, and nothing speaks against its parameters."""
        match = match_convolution(node, declared_ir_version(model)) if super().concerns(node, model) else None
        if match is None:
            return False
        x, w, y = match.x, match.w, match.y
        geometry = Geometry.of(node)
        depth, filters = geometry.depth, geometry.filters
        if not isinstance(depth, int) or depth > LONGEST // 2 or y.zero is None or y.zero.dtype not in BYTES:
            return False
        lengths = zip((x, w, y), (1, filters, 1), strict=True)
        reasons = (side.refusals(length, model) for side, length in lengths)
        more = window_refusals(geometry, PADS_AS_INPUT, pads_integers=True)
        return not any(chain(kept(geometry, self.depthwise), integer_refusals((x, w)), more, *reasons))

    def refusals(self, product: Contraction, model: ir.Model) -> Iterable[Refusal]:
        return ()

    def as_multiplied(self, product: Contraction) -> Contraction:
        return with_quantized_types(product)

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        node = product.node
        match = match_convolution(node, declared_ir_version(model))
        assert match is not None and match.x.scale is not None and match.w.scale is not None
        dequantized, (quantize,) = dict.fromkeys(node.inputs), node.outputs[0].consumers()
        convolution = IntegerConvolution(new, Geometry.of(node), model, product.opset or 0)
        total = convolution.product(match.x, match.w, match.bias)
        total = convolution.requantized(total, match.x.scale, match.w.scale, match.y)
        total.shape = convolution.shape
        new.swap_in(convolution.im2col.laid_out(total), last=quantize)
        drop_idle(dequantized)


@dataclass(frozen=True)
class Match:
    """A convolution of X by W, with a bias in int32, that Y is quantized from."""

    x: Quantized
    w: Quantized
    y: Quantized
    bias: ir.Value | None


def match_convolution(node: ir.Node, version: int) -> Match | None:
    """Match Q(DQ(X) conv DQ(W) + DQ(B)), read by one QuantizeLinear alone."""
    x, w = (producer_of(input_of(node, index), "DequantizeLinear") for index in range(2))
    y = only_reader(node.outputs[0], "QuantizeLinear")
    if x is None or w is None or y is None or any(map(means_more, (x, w, y))):
        return None
    sides = _side("X", x, x.inputs[0]), _side("W", w, w.inputs[0]), _side("Y", y, y.outputs[0])
    if any(side.scale is None or side.scale.shape is None for side in sides):
        return None
    w_scale = sides[1].scale
    one = w_scale is not None and w_scale.shape is not None and list(w_scale.shape) in ([], [1])
    if not one and attribute_int(w, "axis", 1) != 0:
        return None
    value = input_of(node, 2)
    bias = None if value is None else integer_bias(value, (sides[0].scale, sides[1].scale), version)
    return None if value is not None and bias is None else Match(sides[0], sides[1], sides[2], bias)


def _side(letter: str, quantizer: ir.Node, value: ir.Value | None) -> Quantized:
    return Quantized(letter, value, input_of(quantizer, 1), input_of(quantizer, 2))
