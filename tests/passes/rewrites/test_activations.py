"""Activations of fused products, as operators, and those that can't be written out."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from onnxtile.ir.names import Names
from onnxtile.passes.rewrites.activations import ACTIVATIONS, activated, activation_refusals
from onnxtile.passes.rewrites.replacement import Replacement
from tests.support import parse, run_onnxruntime

X = np.array([-2, -0.5, 0, 0.25, 3], np.float32)
FUNCTIONS: dict[str, Callable[[float, float, float, float], float]] = {
    "Relu": lambda x, a, b, c: max(x, 0), "Sigmoid": lambda x, a, b, c: 1 / (1 + math.exp(-x)),
    "Tanh": lambda x, a, b, c: math.tanh(x), "Softplus": lambda x, a, b, c: math.log1p(math.exp(x)),
    "Softsign": lambda x, a, b, c: x / (1 + abs(x)), "Elu": lambda x, a, b, c: x if x > 0 else a * math.expm1(x),
    "LeakyRelu": lambda x, a, b, c: x if x > 0 else a * x, "ThresholdedRelu": lambda x, a, b, c: x if x > a else 0,
    "HardSigmoid": lambda x, a, b, c: min(max(a * x + b, 0), 1),
    "Selu": lambda x, a, b, c: c * (x if x > 0 else a * math.expm1(x)),
    "ParametricSoftplus": lambda x, a, b, c: a * math.log1p(math.exp(b * x)),
    "ScaledTanh": lambda x, a, b, c: a * math.tanh(b * x),
}  # fmt: skip
PARAMETERS = {"alpha": 0.5, "beta": 0.75, "gamma": 1.25}


def fused(activation: str | None, parameters: dict[str, float]) -> ir.Model:
    text = '<ir_version: 8, opset_import: ["" : 18]> g (float[5] x) => (float[5] y) { [fc] y = Neg (x) }'
    model = ir.from_proto(parse(text))
    attributes = {f"activation_{name}": value for name, value in parameters.items()}
    if activation is not None:
        attributes["activation"] = activation  # type: ignore[assignment]
    model.graph[0].attributes.update(
        {name: ir.convenience.convert_attribute(name, value) for name, value in attributes.items()}
    )
    return model


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_it_computes_what_its_name_says(activation: str) -> None:
    model = fused(activation, {name: PARAMETERS[name] for name in ACTIVATIONS[activation]})
    node = model.graph[0]
    assert list(activation_refusals(node, 18)) == []
    new = Replacement(node, Names(model))
    (x,) = node.inputs
    assert x is not None
    new.swap_in(activated(new, x, node))
    (got,) = run_onnxruntime(ir.to_proto(model), {"x": X})
    want = [FUNCTIONS[activation](float(x), *PARAMETERS.values()) for x in X]
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("activation", "parameters", "opset", "words"),
    [
        ("Gelu", {}, 18, "activation is 'Gelu', which onnxruntime doesn't know; take one of Relu, "),
        (None, {}, 18, "activation is '', which onnxruntime doesn't know"),
        ("Elu", {}, 18, "Elu without activation_alpha, for which onnxruntime has no default; give it"),
        ("Selu", {"alpha": 1.0}, 18, "Selu without activation_gamma"),
        ("ThresholdedRelu", {"alpha": 1.0}, 9, "opset 9 has no ThresholdedRelu; convert to 10 or newer"),
    ],
)
def test_what_cannot_be_written_out(
    activation: str | None, parameters: dict[str, float], opset: int, words: str
) -> None:
    (refusal,) = activation_refusals(fused(activation, parameters).graph[0], opset)
    assert refusal.words.startswith(words)
