"""The loop form: a Scan over tiles of C around a Loop over k, with one product of one tile's size inside."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxtile
from onnxtile.errors import OnnxtileError
from onnxtile.ir.metadata import TILE
from tests.support import alike, matmul, operators, whole


def lowered(a: list[int | str], b: list[int], c: list[int | str], limits: str = "4,4,4") -> onnx.ModelProto:
    model: onnx.ModelProto = onnxtile.lower(matmul(a, b, c), limits, form="loop")
    return model


def numbers(model: onnx.ModelProto) -> dict[str, list[int]]:
    arrays = {tensor.name.split("/")[-1]: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    return {name: array.tolist() for name, array in arrays.items() if array.dtype == np.int64}


def body_of(graph: onnx.GraphProto, op_type: str) -> onnx.GraphProto:
    (node,) = (node for node in graph.node if node.op_type == op_type)
    (body,) = (attribute.g for attribute in node.attribute if attribute.HasField("g"))
    return body


def test_one_product_of_one_tile_in_a_loop_in_a_scan() -> None:
    model = lowered([5, 6], [6, 7], [5, 7])
    assert "MatMul" not in operators(model)
    scan = body_of(model.graph, "Scan")
    assert "MatMul" not in [node.op_type for node in scan.node]
    products = [node for node in body_of(scan, "Loop").node if node.op_type == "MatMul"]
    assert len(products) == 1
    assert [entry.value for entry in products[0].metadata_props if entry.key == TILE] == ["m4,k4,n4"]


def test_a_ragged_edge_is_padded_with_zeros_and_cut_off() -> None:
    model = lowered([5, 6], [6, 7], [5, 7])
    assert operators(model)[0] == "Pad"
    assert operators(model)[-1] == "Slice"
    found = numbers(model)
    assert found["A_padded_pads"] == [0, 0, 3, 2]  # 5 x 6 to 8 x 8
    assert found["C_ends"] == [5, 7]
    (tiles,) = (numpy_helper.to_array(tensor) for tensor in model.graph.initializer if tensor.name == "W/tiles")
    assert tiles.shape == (1, 2, 2, 4, 4)
    assert not tiles[0, 1, :, :, 3:].any()  # columns beyond N = 7
    assert not tiles[0, :, 1, 2:].any()  # rows beyond K = 6
    even = lowered([8, 8], [8, 8], [8, 8])
    assert not {"Pad", "Slice"} & set(operators(even))


@pytest.mark.parametrize("rows", [0, 1, 4, 9])
def test_rows_that_run_time_knows(rows: int) -> None:
    model = matmul(["M", 6], [6, 7], ["M", 7])
    alike(model, lowered(["M", 6], [6, 7], ["M", 7]), {"X": whole([rows, 6], np.dtype(np.float32), 3)})


def test_it_needs_opset_11() -> None:
    old = matmul([5, 6], [6, 7], [5, 7], opset=10)
    assert operators(onnxtile.lower(old, "4,4,4", form="loop")) == ["MatMul"]  # it stays as it is
    with pytest.raises(OnnxtileError, match="is unknown: take one of"):
        onnxtile.lower(matmul([5, 6], [6, 7], [5, 7]), "4,4,4", form="loops")
