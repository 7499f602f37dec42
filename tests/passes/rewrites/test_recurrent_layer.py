"""Layers: what lies outside of the steps, and how names tell directions and steps apart."""

from __future__ import annotations

from onnx import helper

import onnxtile
from tests.recurrent import layer
from tests.support import operators


def test_directions_have_folders() -> None:
    lowered = onnxtile.lower(layer("LSTM", directions=2).model(), (2, 3, 4), ops="all", form="batched")
    scans = {node.output[0]: node for node in lowered.graph.node if node.op_type == "Scan"}
    assert sorted(scans) == ["layer/backward/h_last", "layer/forward/h_last"]
    attributes = {
        each.name: helper.get_attribute_value(each) for each in scans["layer/backward/h_last"].attribute
    }  # fmt: skip
    assert (attributes["scan_input_directions"], attributes["scan_output_directions"]) == ([1], [1])


def test_steps_have_folders() -> None:
    lowered = onnxtile.lower(layer("RNN").model(), (2, 3, 2), ops="all", form="function", steps="unroll")
    names = {node.output[0] for node in lowered.graph.node}
    assert {"layer/step0/h", "layer/step1/h", "layer/step2/h"} <= names


def test_lengths_that_are_all_steps_cost_nothing() -> None:
    model = layer("RNN", lengths=[3, 3]).model(constants=("W", "R", "B", "sequence_lens"))
    assert "Less" not in operators(onnxtile.lower(model, (2, 3, 2), ops="all"))
