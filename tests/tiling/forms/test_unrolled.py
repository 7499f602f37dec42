"""The unrolled form: a node for each tile, smaller ones at the edge, trees where nodes would be too wide."""

from __future__ import annotations

from collections import Counter

import onnx
import pytest
from onnx import numpy_helper

import onnxtile
from onnxtile.errors import UsageError
from onnxtile.ir.metadata import TILE
from tests.support import matmul, operators

RAGGED = matmul([5, 6], [6, 7], [5, 7])


def tiles(model: onnx.ModelProto) -> list[str]:
    return [entry.value for node in model.graph.node for entry in node.metadata_props if entry.key == TILE]


def test_a_node_for_each_tile() -> None:
    lowered = onnxtile.lower(RAGGED, (4, 4, 4))
    assert Counter(operators(lowered)) == {"Split": 3, "MatMul": 8, "Add": 4, "Concat": 3}
    assert tiles(lowered)[:3] == ["m0:4,k0:4,n0:4", "m0:4,k4:6,n0:4", "m0:4,k0:4,n4:7"]
    shapes = {tensor.name: tuple(tensor.dims) for tensor in lowered.graph.initializer if tensor.name.startswith("W/")}
    assert shapes == {"W/k0_n0": (4, 4), "W/k0_n1": (4, 3), "W/k1_n0": (2, 4), "W/k1_n1": (2, 3)}
    assert "Pad" not in operators(lowered)


def test_one_row_needs_no_concat_along_m_and_one_column_none_along_n() -> None:
    assert Counter(operators(onnxtile.lower(matmul([1, 6], [6, 7], [1, 7]), (4, 4, 4))))["Concat"] == 1
    assert Counter(operators(onnxtile.lower(matmul([5, 6], [6, 4], [5, 4]), (4, 4, 4))))["Concat"] == 1
    assert "Concat" not in operators(onnxtile.lower(matmul([4, 6], [6, 4], [4, 4]), (4, 4, 4)))


@pytest.mark.parametrize(("accumulate", "expected"), [("chain", {"Add": 4}), ("tree", {"Add": 4}), ("sum", {"Sum": 1})])
def test_partial_sums(accumulate: str, expected: dict[str, int]) -> None:
    lowered = onnxtile.lower(matmul([4, 20], [20, 4], [4, 4]), (4, 4, 4), accumulate=accumulate)
    found = Counter(operators(lowered))
    assert {name: found[name] for name in ("Add", "Sum") if found[name]} == expected


@pytest.mark.parametrize("most", [2, 3])
def test_no_node_is_wider_than_asked_for(most: int) -> None:
    model = matmul([20, 20], [20, 20], [20, 20])
    lowered = onnxtile.lower(model, (4, 4, 4), max_fan_in=most, max_fan_out=most, weights="split", accumulate="sum")
    assert max(len(node.output) for node in lowered.graph.node) == most
    assert max(len(node.input) for node in lowered.graph.node if node.op_type in ("Concat", "Sum")) == most
    with pytest.raises(UsageError, match="max_fan_in is 1|max fan in is 1|fan"):
        onnxtile.lower(model, (4, 4, 4), max_fan_in=1)


@pytest.mark.parametrize("weights", ["pretile", "split"])
def test_slices_in_place_of_splits(weights: str) -> None:
    lowered = onnxtile.lower(RAGGED, (4, 4, 4), splits="slice", weights=weights, max_fan_out=2)  # type: ignore[call-overload]  # a name of weights
    cuts = {"pretile": 6, "split": 12}[weights]
    assert Counter(operators(lowered)) == {"Slice": cuts, "MatMul": 8, "Add": 4, "Concat": 3}
    bounds = {tensor.name: numpy_helper.to_array(tensor).tolist() for tensor in lowered.graph.initializer}
    assert {name: bounds[name] for name in bounds if "A_m" in name} == {
        "product/A_m_at0": [0], "product/A_m_at4": [4], "product/A_m_at5": [5], "product/A_m_axis": [0]
    }  # fmt: skip
    assert onnxtile.verify(RAGGED, lowered).equivalent
    assert onnxtile.check(lowered, (4, 4, 4)).ok


def test_lengths_of_splits_say_the_ragged_edge() -> None:
    lowered = onnxtile.lower(RAGGED, (4, 4, 4))
    lengths = [
        numpy_helper.to_array(tensor).tolist() for tensor in lowered.graph.initializer if "lengths" in tensor.name
    ]
    assert lengths == [[4, 1], [4, 2]]
