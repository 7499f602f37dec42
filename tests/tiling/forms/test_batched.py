"""The batched form: one MatMul over all tiles, padded at the ragged edge and cut off again."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import numpy_helper

import onnxtile
from onnxtile.ir.metadata import TILE
from tests.support import matmul, operators


def lowered(a: list[int | str], b: list[int], c: list[int | str], **how: object) -> dict[str, list[int]]:
    """Return operators, and the numbers of constants by their last part."""
    model = onnxtile.lower(matmul(a, b, c), (4, 4, 4), form="batched", **how)  # type: ignore[arg-type]
    arrays = {tensor.name.split("/")[-1]: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    numbers = {name: array.tolist() for name, array in arrays.items() if array.dtype == np.int64}
    return {"operators": operators(model), **numbers}  # type: ignore[dict-item]


def test_a_ragged_product_is_padded_and_cut_off() -> None:
    found = lowered([5, 6], [6, 7], [5, 7])
    assert found["operators"] == [
        "Pad", "Reshape", "Transpose", "MatMul", "ReduceSum", "Transpose", "Reshape", "Slice",
    ]  # fmt: skip
    assert found["A_padded_pads"] == [0, 0, 3, 2]
    assert found["padded_shape"] == [8, 8]
    assert found["C_ends"] == [5, 7]


def test_an_even_product_is_neither_padded_nor_cut_off() -> None:
    found = lowered([8, 8], [8, 8], [8, 8])["operators"]
    assert not {"Pad", "Slice"} & set(found)
    assert found.count("MatMul") == 1  # type: ignore[arg-type]


def test_one_tile_along_k_needs_no_sum() -> None:
    assert "ReduceSum" not in lowered([8, 4], [4, 8], [8, 8])["operators"]


def test_a_symbolic_m_is_padded_at_run_time() -> None:
    found = lowered(["M", 6], [6, 7], ["M", 7])["operators"]
    assert {"Shape", "Pad", "MatMul", "Slice"} <= set(found)


def test_a_product_without_elements_is_unrolled() -> None:
    assert "Reshape" not in lowered([0, 6], [6, 7], [0, 7])["operators"]


@pytest.mark.parametrize("weights", ["pretile", "split"])
def test_the_box_of_tiles_and_their_layout(weights: str) -> None:
    model = onnxtile.lower(matmul([5, 6], [6, 7], [5, 7]), (4, 4, 4), form="batched", weights=weights)
    boxes = [entry.value for node in model.graph.node for entry in node.metadata_props if entry.key == TILE]
    assert boxes == ["m4,k4,n4"]
    tiles = {tuple(tensor.dims) for tensor in model.graph.initializer if tensor.name == "W/tiles"}
    assert tiles == ({(1, 2, 2, 4, 4)} if weights == "pretile" else set())
