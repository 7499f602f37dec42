"""Recurrent operators by their equations: what is written out in other ways is the same, and what isn't isn't."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxtile
from onnxtile.verification.verify import verify
from tests.recurrent import layer

EACH: list[tuple[str, dict[str, Any]]] = [
    ("RNN", {}),
    ("LSTM", {"peepholes": True, "states": True}),
    ("LSTM", {"directions": 2, "lengths": True, "clip": 1.0}),
    ("LSTM", {"input_forget": 1, "direction": "reverse"}),
    ("GRU", {"layout": 1, "states": True}),
    ("GRU", {"linear_before_reset": 1, "biased": False, "lengths": True}),
    ("RNN", {"activations": ["HardSigmoid"], "activation_alpha": [0.3], "activation_beta": [0.6]}),
]


@pytest.mark.parametrize(("op_type", "options"), EACH)
@pytest.mark.parametrize("steps", ["scan", "unroll"])
def test_written_out_it_is_proven(op_type: str, options: dict[str, Any], steps: Any) -> None:
    model = layer(op_type, whole=False, **options).model()
    lowered = onnxtile.lower(model, (2, 3, 2), ops="all", form="batched", steps=steps)
    assert [region.status for region in verify(model, lowered).regions] == ["proven"]


def changed(model: onnx.ModelProto, name: str, order: list[int]) -> onnx.ModelProto:
    """Return the model with a weight's second axis, in equal pieces, in another order."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    tensor = next(tensor for tensor in copy.graph.initializer if tensor.name == name)
    pieces = np.split(numpy_helper.to_array(tensor), len(order), 1)
    tensor.CopyFrom(numpy_helper.from_array(np.concatenate([pieces[at] for at in order], 1), name))
    return copy


@pytest.mark.parametrize(
    ("op_type", "name", "order"),
    [
        ("LSTM", "W", [0, 1, 3, 2]), ("LSTM", "R", [1, 0, 2, 3]), ("LSTM", "P", [0, 2, 1]), ("GRU", "W", [1, 0, 2]),
        ("GRU", "R", [0, 2, 1]), ("GRU", "B", [0, 1, 5, 3, 4, 2]),
    ],
)  # fmt: skip
def test_gates_in_another_order_differ(op_type: str, name: str, order: list[int]) -> None:
    options: dict[str, Any] = {"peepholes": True} if op_type == "LSTM" else {"linear_before_reset": 1}
    model = layer(op_type, whole=False, **options).model()
    lowered = onnxtile.lower(changed(model, name, order), (2, 3, 2), ops="all")
    assert [region.status for region in verify(model, lowered).regions] == ["different"]


def test_both_halves_of_a_bias_are_summed() -> None:
    model = layer("LSTM", whole=False).model()
    lowered = onnxtile.lower(changed(model, "B", [1, 0]), (2, 3, 2), ops="all")
    assert verify(model, lowered).regions[0].status == "proven"
