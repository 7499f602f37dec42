"""Linear models are evaluated as products: a fault in what one was written out as is seen."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import numpy_helper

import onnxtile
from tests.passes.test_decompose_linear import classifier, regressor


def test_a_coefficient_that_was_changed_is_seen() -> None:
    model = regressor([4, 7], intercepts=[1.0] * 5)
    lowered = onnxtile.lower(model, (2, 3, 2), ops="all")
    tile = next(each for each in lowered.graph.initializer if "coefficients" in each.name)
    numbers = numpy_helper.to_array(tile).copy()
    numbers.flat[0] += np.float32(2**-12)
    tile.CopyFrom(numpy_helper.from_array(numbers, tile.name))
    assert [region.status for region in onnxtile.verify(model, lowered).regions] == ["different"]


@pytest.mark.parametrize("index", [0, 1])
def test_labels_and_scores_that_change_places_are_seen(index: int) -> None:
    model = classifier([4, 7], intercepts=[0.0] * 5, post_transform="SOFTMAX")
    lowered = onnxtile.lower(model, (2, 3, 2), ops="all")
    if index == 0:
        labels = next(each for each in lowered.graph.initializer if each.name.endswith("labels"))
        labels.CopyFrom(numpy_helper.from_array(np.array([9, 8, 7, 5, 6]), labels.name))
    else:
        softmax = next(node for node in lowered.graph.node if node.op_type == "Softmax")
        softmax.op_type = "LogSoftmax"
    assert not onnxtile.verify(model, lowered).equivalent
