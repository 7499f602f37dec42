"""Activations that onnxruntime fuses with a product, as operators of their own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from onnxtile.ir.attributes import attribute_string
from onnxtile.passes.rewrites.replacement import Replacement
from onnxtile.tiling.legality import Refusal

ACTIVATIONS = {
    "Relu": (), "Sigmoid": (), "Tanh": (), "Softplus": (), "Softsign": (), "Elu": ("alpha",), "LeakyRelu": ("alpha",),
    "ThresholdedRelu": ("alpha",), "HardSigmoid": ("alpha", "beta"), "Selu": ("alpha", "gamma"),
    "ParametricSoftplus": ("alpha", "beta"), "ScaledTanh": ("alpha", "beta"),
}  # fmt: skip
"""Activations that onnxruntime's FusedGemm has, and the parameters of each; the first ten are operators of ONNX."""
SCALED = {"ParametricSoftplus": "Softplus", "ScaledTanh": "Tanh"}
"""alpha * function(beta * x), which ONNX has no operator for any more."""
THRESHOLDED_FROM = 10
"""The version of the default operator set that brought ThresholdedRelu."""


def activation_refusals(node: ir.Node, opset: int) -> Iterator[Refusal]:
    """Yield why the activation of a FusedGemm can't be written out in this opset."""
    activation = attribute_string(node, "activation", "")
    if activation not in ACTIVATIONS:
        words = f"activation is {activation!r}, which onnxruntime doesn't know; take one of {', '.join(ACTIVATIONS)}"
        yield Refusal("activation", words)
    for name in ACTIVATIONS.get(activation, ()):
        if f"activation_{name}" not in node.attributes:
            words = f"{activation} without activation_{name}, for which onnxruntime has no default; give it"
            yield Refusal("activation", words)
    if activation == "ThresholdedRelu" and opset < THRESHOLDED_FROM:
        yield Refusal("opset", f"opset {opset} has no ThresholdedRelu; convert to {THRESHOLDED_FROM} or newer")


def activated(new: Replacement, x: ir.Value, node: ir.Node) -> ir.Value:
    """Add activation(x); its parameters are the node's activation_alpha, activation_beta, activation_gamma."""
    activation = node.attributes["activation"].as_string()
    parameters = {name: node.attributes[f"activation_{name}"].as_float() for name in ACTIVATIONS[activation]}
    if activation not in SCALED:
        return new.node(activation, "activated", [x], parameters, x.shape)
    assert x.dtype is not None
    dtype = x.dtype.numpy()
    alpha, beta = (new.constant(f"activation_{name}", np.array(value, dtype)) for name, value in parameters.items())
    x = new.node(SCALED[activation], "curved", [new.node("Mul", "stretched", [x, beta])])
    return new.node("Mul", "activated", [x, alpha])


def fast_gelu(new: Replacement, x: ir.Value) -> ir.Value:
    """Add 0.5 * x * (1 + tanh(x * (0.7978845608 + 0.0356774081 * x * x))), as onnxruntime's FastGelu has it."""
    assert x.dtype is not None
    dtype = x.dtype.numpy()
    numbers = {"near": 0.7978845608028654, "far": 0.035677408136300125, "one": 1.0, "half": 0.5}
    near, far, one, half = (new.constant(f"gelu_{leaf}", np.array(value, dtype)) for leaf, value in numbers.items())
    bent = new.node("Mul", "gelu_bent", [new.node("Mul", "gelu_square", [x, x]), far])
    inside = new.node("Mul", "gelu_inside", [x, new.node("Add", "gelu_slope", [bent, near])])
    share = new.node("Add", "gelu_share", [new.node("Tanh", "gelu_curve", [inside]), one])
    return new.node("Mul", "gelu", [new.node("Mul", "gelu_half_x", [x, half]), share], shape=x.shape)
