"""Cells: a step has the nodes that its equations say, and constants outside of it."""

from __future__ import annotations

import onnx
import pytest

import onnxtile
from tests.recurrent import layer


def step(op_type: str, **attributes: object) -> list[str]:
    """Return the operators of a step's body, in their order."""
    lowered = onnxtile.lower(layer(op_type, **attributes).model(), (2, 2, 2), ops="all", form="function")  # type: ignore[arg-type]
    scan = next(node for node in lowered.graph.node if node.op_type == "Scan")
    body = next(attribute.g for attribute in scan.attribute if attribute.name == "body")
    assert isinstance(body, onnx.GraphProto)
    assert not body.initializer
    return [node.op_type if not node.domain else "product" for node in body.node]


@pytest.mark.parametrize(
    ("op_type", "attributes", "wanted"),
    [
        ("RNN", {}, "product Add Tanh Identity"),
        ("LSTM", {}, "product Add Split Sigmoid Sigmoid Tanh Mul Mul Add Sigmoid Tanh Mul Identity"),
        ("LSTM", {"input_forget": 1}, "product Add Split Sigmoid Sub Tanh Mul Mul Add Sigmoid Tanh Mul Identity"),
        ("GRU", {}, "Split product Split Add Sigmoid Add Sigmoid Mul product Add Tanh Sub Mul Mul Add Identity"),
        ("RNN", {"clip": 1.0, "lengths": True}, "product Add Clip Tanh Where Where"),
    ],
)
def test_nodes_of_a_step(op_type: str, attributes: dict[str, object], wanted: str) -> None:
    assert step(op_type, **attributes) == wanted.split()
