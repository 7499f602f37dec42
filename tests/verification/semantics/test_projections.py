"""Several products by packed weights are evaluated one by one: those that change places are seen."""

from __future__ import annotations

import onnxtile
from tests.passes.test_decompose_projections import projections


def test_keys_and_values_that_change_places_are_seen() -> None:
    model = projections("MatMulNBitsQkv")
    lowered = onnxtile.lower(model, (2, 10, 4), ops="all", form="batched")
    assert onnxtile.verify(model, lowered).equivalent
    one, other = (node for node in lowered.graph.node if node.output[0] in ("K", "V"))
    one.output[0], other.output[0] = "V", "K"
    assert not onnxtile.verify(model, lowered).equivalent
