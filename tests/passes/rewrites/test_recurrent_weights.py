"""Weights of a direction: constants are laid out ahead of time, lazily; others by nodes."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxtile.ir.names import Names
from onnxtile.operators.contractions import contractions
from onnxtile.passes.rewrites.axes import Axes
from onnxtile.passes.rewrites.recurrent_node import Recurrent, recurrent_of
from onnxtile.passes.rewrites.recurrent_weights import DirectionWeights
from onnxtile.passes.rewrites.replacement import Replacement
from tests.recurrent import Layer, layer


def weights_of(own: Layer, direction: int) -> DirectionWeights:
    model = ir.from_proto(own.model())
    of = recurrent_of(next(contractions(model)))
    assert isinstance(of, Recurrent)
    return DirectionWeights(of, direction, Axes(Replacement(model.graph[0], Names(model)), 17), model)


def test_weights_are_right_operands_and_biases_are_summed() -> None:
    own = layer("LSTM", directions=2, peepholes=True)
    weights = weights_of(own, 1)
    x = ir.Value(name="x", shape=ir.Shape([6, 4]), type=ir.TensorType(ir.DataType.FLOAT))
    product = weights.by_input("input", x).producer()
    assert product is not None and product.inputs[1] is not None
    tensor = product.inputs[1].const_value
    assert isinstance(tensor, ir.LazyTensor)
    np.testing.assert_array_equal(tensor.numpy(), own.inputs["W"][1].T)
    bias = weights.bias()
    assert bias is not None and bias.const_value is not None
    np.testing.assert_array_equal(bias.const_value.numpy(), own.inputs["B"][1, :12] + own.inputs["B"][1, 12:])
    o = weights.peepholes()[1]
    assert o.const_value is not None
    np.testing.assert_array_equal(o.const_value.numpy(), own.inputs["P"][1, 3:6])


def test_the_bias_of_a_reset_gate_stays_apart() -> None:
    own = layer("GRU", linear_before_reset=1)
    weights, b = weights_of(own, 0), own.inputs["B"][0]
    bias, inside = weights.bias(), weights.reset_bias()
    assert bias is not None and bias.const_value is not None and inside is not None and inside.const_value is not None
    np.testing.assert_array_equal(bias.const_value.numpy(), b[:9] + np.concatenate([b[9:15], np.zeros(3, np.float32)]))
    np.testing.assert_array_equal(inside.const_value.numpy(), b[15:])
