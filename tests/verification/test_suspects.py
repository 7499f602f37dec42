"""The node that is to blame is among the first that are named."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxtile
from tests.support import matmul

MODEL = matmul([8, 12], [12, 8], [8, 8])


def lowered() -> onnx.ModelProto:
    copied = onnx.ModelProto()
    copied.CopyFrom(onnxtile.lower(MODEL, (4, 4, 4)))
    return copied


@pytest.mark.parametrize("place", [0, 3, 7])
def test_a_product_of_the_wrong_tiles(place: int) -> None:
    model = lowered()
    products = [node for node in model.graph.node if node.op_type == "MatMul"]
    wrong, other = products[place], products[place + 1]
    wrong.input[1] = other.input[1]
    (region,) = onnxtile.verify(MODEL, model).regions
    assert region.status == "different" and wrong.name in region.where[:3]


def test_a_tile_of_a_weight_that_changed_is_at_its_product() -> None:
    model = lowered()
    tensor = model.graph.initializer[4]
    array = numpy_helper.to_array(tensor).copy()
    array.flat[0] += np.float32(1)
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    readers = {node.name for node in model.graph.node if tensor.name in node.input}
    (region,) = onnxtile.verify(MODEL, model).regions
    assert readers & set(region.where[:3])
