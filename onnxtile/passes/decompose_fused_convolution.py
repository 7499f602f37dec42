"""Write onnxruntime's fused convolutions out: Y = activation(X conv W + B + Z), channels last or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from onnxtile.ir.attributes import attribute_string, input_of
from onnxtile.ir.constants import constant_tensor, declared_ir_version
from onnxtile.ir.dtypes import FLOATS
from onnxtile.operators.contractions import Contraction
from onnxtile.operators.windows import Geometry
from onnxtile.passes.decompose import Decompose, lowered_by
from onnxtile.passes.rewrites.im2col import window_refusals
from onnxtile.passes.rewrites.layout import Layout
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.legality import Refusal, type_refusals

WINDOWS = frozenset(("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"))
"""Attributes that they have in common with Conv."""
ACTIVATIONS = {
    "Relu": (), "Tanh": (), "Sigmoid": (), "LeakyRelu": ("alpha",), "HardSigmoid": ("alpha", "beta"),
    "Clip": ("min", "max"),
}  # fmt: skip
"""Activations that onnxruntime fuses with a convolution, and their parameters in the order of activation_params."""
CLIP_AS_INPUT = 11
"""The version of the default operator set from which Clip takes its bounds as inputs."""


@dataclass(frozen=True)
class DecomposeFusedConvolution(Decompose):
    """Y = activation(X conv W + B + Z): Conv, Add and the activation, for FusedConv, NhwcConv and NhwcFusedConv.

    decompose-convolution goes on with the Conv. Where channels are last, they're brought to the front and back.
    """

    operators = lowered_by("decompose-fused-convolution")

    def refusals(self, product: Contraction, model: ir.Model) -> Iterator[Refusal]:
        node = product.node
        fused = {"activation", "activation_params"} if node.op_type != "NhwcConv" else set()
        for name in sorted(node.attributes.keys() - WINDOWS - fused):
            yield Refusal("attribute", f"{node.op_type} has no attribute {name!r}; remove it")
        yield from type_refusals(product, FLOATS)
        if product.reason or product.opset is None:
            return
        geometry = geometry_of(node)
        yield from window_refusals(geometry, product.opset)
        bias = input_of(node, 2)
        if bias is not None and (bias.shape is None or list(bias.shape) != [geometry.filters]):
            yield Refusal("shape", f"its bias isn't known to be {geometry.filters} elements; declare it so")
        activation = attribute_string(node, "activation", "")
        if activation and activation not in ACTIVATIONS:
            words = (
                f"activation is {activation!r}, which onnxruntime doesn't fuse; take one of {', '.join(ACTIVATIONS)}"
            )
            yield Refusal("activation", words)
        elif len(_parameters(node)) != len(ACTIVATIONS.get(activation, ())):
            words = f"{activation or 'no activation'} with activation_params {_parameters(node)}"
            yield Refusal("activation", f"{words}; it has {len(ACTIVATIONS.get(activation, ()))}")

    def write_out(self, product: Contraction, new: Replacement, model: ir.Model) -> None:
        node, version = product.node, declared_ir_version(model)
        x, w, bias, z = node.inputs[0], node.inputs[1], input_of(node, 2), input_of(node, 3)
        assert x is not None and x.shape is not None and w is not None
        last, rank = node.op_type != "FusedConv", len(x.shape)
        if last:
            x = new.transpose("channels_first", x, [0, rank - 1, *range(1, rank - 1)])
        if node.op_type == "NhwcConv":
            layout = Layout(w, ["f", *map(str, range(rank - 2)), "c"])
            layout.arrange(["f", "c", *map(str, range(rank - 2))])
            w = layout.apply(new, "w_channels_first", constant_tensor(w, version))
        attributes = {name: value.value for name, value in node.attributes.items() if name in WINDOWS}
        y = new.node("Conv", "conv", [x, w] if bias is None else [x, w, bias], attributes)
        new.stand_in()
        if last:
            y = new.transpose("channels_last", y, [0, *range(2, rank), 1])
        if z is not None:
            y = new.node("Add", "added", [y, z])
        activation = attribute_string(node, "activation", "")
        parameters = dict(zip(ACTIVATIONS.get(activation, ()), _parameters(node), strict=True))
        if activation == "Clip" and (product.opset or 0) >= CLIP_AS_INPUT:
            assert x.dtype is not None
            dtype = x.dtype.numpy()
            bounds = [new.constant(name, np.array(number, dtype)) for name, number in parameters.items()]
            y = new.node("Clip", "activated", [y, *bounds])
        elif activation:
            y = new.node(activation, "activated", [y], parameters)
        new.swap_in(y)


def geometry_of(node: ir.Node) -> Geometry:
    return Geometry.of(node, 0, 1, node.op_type != "FusedConv", node.op_type == "NhwcConv")


def _parameters(node: ir.Node) -> list[float]:
    attribute = node.attributes.get("activation_params")
    return [] if attribute is None else list(attribute.as_floats())
