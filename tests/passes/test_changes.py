"""Test that whether a pass changed a model is seen by the model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from onnxtile.debugging.instruments.verify_each import VerifyEach
from onnxtile.passes.changes import Snapshot
from onnxtile.passes.instrument import Turn
from onnxtile.passes.manager import PassManager
from tests.planted import network


def test_arrays_that_passes_see_are_not_copied() -> None:
    """Instruments keep the model before a pass without its weights."""
    model = ir.from_proto(network())
    kept: list[ir.Model | None] = []

    class Keeps(VerifyEach):
        def before_pass(self, turn: Turn, model: ir.Model) -> None:
            super().before_pass(turn, model)
            kept.append(self._before and self._before.model)

    PassManager("infer-shapes", instruments=[Keeps()])(model)
    assert kept[0] is not None and kept[0].graph is not model.graph
    ours, theirs = (each.graph.initializers["w"].const_value for each in (model, kept[0]))
    assert ours is not None and ours is theirs


CHANGES: dict[str, Callable[[ir.Model], None]] = {
    "a name": lambda model: setattr(model.graph[0], "name", "other"),
    "an attribute": lambda model: model.graph[0].attributes.add(ir.AttrInt64("new", 1)),
    "metadata": lambda model: model.graph[0].metadata_props.update(seen="yes"),
    "a node": lambda model: model.graph.append(ir.node("Neg", [model.graph.inputs[0]])),
    "a weight": lambda model: setattr(
        model.graph.initializers["u"], "const_value", ir.tensor(np.zeros([8, 6], np.float32), name="u")
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen(change: str) -> None:
    model = ir.from_proto(network())
    before = Snapshot(model)
    assert not before.differs_from(model)
    CHANGES[change](model)
    assert before.differs_from(model)


def test_a_weight_that_is_written_to_in_place_is_seen() -> None:
    model = ir.from_proto(network())
    array = np.zeros([8, 6], np.float32)
    model.graph.initializers["u"].const_value = ir.tensor(array, name="u")
    before = Snapshot(model)
    assert not before.differs_from(model)
    array[0, 0] = 1
    assert before.differs_from(model)
