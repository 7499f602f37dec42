"""Recurrent nodes as their attributes have them, and what contradicts itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxtile.operators.contractions import contractions
from onnxtile.passes.rewrites.recurrent_node import Activation, Recurrent, length_refusals, recurrent_of
from onnxtile.tiling.legality import Refusal
from tests.recurrent import Layer, layer


def read(own: Layer, constants: tuple[str, ...] = ("W", "R", "B")) -> tuple[Recurrent | Refusal, ir.Model]:
    model = ir.from_proto(own.model(constants=constants))
    return recurrent_of(next(contractions(model))), model


def test_sizes_and_directions() -> None:
    of, _ = read(layer("GRU", directions=2, layout=1, steps=5, batch=2, width=3, hidden=4))
    assert isinstance(of, Recurrent)
    assert (of.dims, of.hidden, of.gates, of.batch_first) == ((5, 2, 3), 4, 3, True)
    assert of.backwards == (False, True)
    assert [each.name for each in of.activations[1]] == ["Sigmoid", "Tanh"]


def test_alphas_go_to_those_that_take_one() -> None:
    names = ["sigmoid", "LEAKYRELU", "HardSigmoid"]
    of, _ = read(layer("LSTM", activations=names, activation_alpha=[0.5, 0.25], activation_beta=[0.75]))
    assert isinstance(of, Recurrent)
    wanted = (Activation("Sigmoid", ()), Activation("LeakyRelu", (0.5,)), Activation("HardSigmoid", (0.25, 0.75)))
    assert of.activations == (wanted,)


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("B", (1, 17), "B has shape [1, 17], not [1, 24]"),
        ("initial_h", (1, 3, 3), "initial_h has shape [1, 3, 3], not [1, 2, 3]"),
        ("initial_c", (2, 2, 3), "initial_c has shape [2, 2, 3], not [1, 2, 3]"),
        ("P", (9,), "P has shape [9], not [1, 9]"),
        ("sequence_lens", (3,), "sequence_lens has shape [3], not [2]"),
    ],
)
def test_shapes_that_contradict(name: str, shape: tuple[int, ...], words: str) -> None:
    own = layer("LSTM", lengths=True, states=True, peepholes=True)
    dtype: Any = own.inputs[name].dtype
    of, _ = read(Layer("LSTM", {**own.inputs, name: np.zeros(shape, dtype)}, {}))
    assert isinstance(of, Refusal)
    assert of.words.startswith(words)


@pytest.mark.parametrize(
    ("opset", "words"), [(8, "opset 8 has no Where, which sequence_lens needs; convert to 9"), (9, "")]
)
def test_lengths_need_operators(opset: int, words: str) -> None:
    of, model = read(layer("LSTM", lengths=True))
    assert isinstance(of, Recurrent)
    assert [refusal.words for refusal in length_refusals(of, model, opset)] == ([words] if words else [])
