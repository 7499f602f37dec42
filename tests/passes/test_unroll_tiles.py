"""Calls become nodes in the IR, the same that the writer writes."""

from __future__ import annotations

import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.ir.io.load import from_proto
from onnxtile.passes import InferShapes, TileMatMul, UnrollTiles
from onnxtile.tiling.limits import Limits
from tests.support import matmul, operators


@pytest.mark.parametrize("form", ["unrolled", "batched", "loop"])
@pytest.mark.parametrize("weights", ["pretile", "split"])
def test_the_nodes_are_those_of_the_writer(form: str, weights: str) -> None:
    model = matmul([5, 6], [6, 7], [5, 7])
    read = from_proto(model)
    for step in (InferShapes(), TileMatMul(Limits(4, 4, 4), form=form), UnrollTiles(form, weights)):
        step(read)
    written = onnxtile.lower(model, (4, 4, 4), form=form, weights=weights)  # type: ignore[call-overload]
    assert operators(ir.to_proto(read)) == operators(written)
    assert [node.name for node in read.graph] == [node.name for node in written.graph.node]
    assert sorted(read.graph.initializers) == sorted(tensor.name for tensor in written.graph.initializer)
    assert not read.functions


def test_a_model_without_calls_stays() -> None:
    read = from_proto(matmul([4, 4], [4, 4], [4, 4]))
    assert not UnrollTiles()(read).modified


def test_the_function_form_keeps_the_calls() -> None:
    read = from_proto(matmul([8, 8], [8, 8], [8, 8]))
    for step in (InferShapes(), TileMatMul(Limits(4, 4, 4), form="function")):
        step(read)
    assert not UnrollTiles("function")(read).modified
    assert len(read.functions) == 1
