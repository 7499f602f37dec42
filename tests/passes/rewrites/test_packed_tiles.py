"""Tiles of packed weights are the same operator on a part of the bytes."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

import onnxtile
from onnxtile.engine.product import Product
from tests.engine.strategies import engine_of
from tests.passes.test_decompose_blockwise import F32, INFO, n_bits, plainly
from tests.support import assert_verified, operators, whole


def test_tiles_keep_their_bytes() -> None:
    made = n_bits([6, 80], 80, 10, zeros="packed", bias=True)
    lowered = onnxtile.lower(made, (4, 32, 4))
    assert operators(lowered).count("MatMulNBits") == 2 * 3 * 3
    assert "MatMul" not in operators(lowered)
    tiles = [node for node in lowered.graph.node if node.op_type == "MatMulNBits"]
    assert tiles[-1].name == "fc/m1_n2_k2"
    properties = {entry.key: entry.value for entry in tiles[-1].metadata_props}
    assert properties == {"onnxtile.origin": "fc", "onnxtile.tile": "m4:6,k64:80,n8:10"}
    sizes = {attribute.name: attribute.i for attribute in tiles[-1].attribute}
    assert (sizes["K"], sizes["N"], sizes["block_size"], sizes["bits"]) == (16, 2, 16, 4)
    before, after = (
        sum(len(tensor.raw_data) for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.UINT8)
        for model in (made, lowered)
    )
    assert after - before <= 10 * 3  # zero points begin a new byte in each tile
    (row,) = onnxtile.estimate(made, (4, 32, 4))[0].contractions
    assert (row.m, row.k, row.n, row.status, row.tiles) == (6, 80, 10, "tiled", (4, 32, 4))


def test_in_a_branch() -> None:
    made = n_bits([4, 32], 32, 8, bias=True)
    tensors = [made.graph.initializer.pop() for _ in range(3)]
    node = made.graph.node.pop()
    info = INFO("Y", onnx.TensorProto.FLOAT, [4, 8])
    then = helper.make_graph([node], "then", [], [info], tensors)
    zero = helper.make_node("Constant", [], ["Z"], value=numpy_helper.from_array(np.zeros([4, 8], F32)))
    other = helper.make_graph([zero], "other", [], [INFO("Z", onnx.TensorProto.FLOAT, [4, 8])])
    made.graph.node.append(helper.make_node("If", ["c"], ["Y"], "either", then_branch=then, else_branch=other))
    made.graph.input.append(INFO("c", onnx.TensorProto.BOOL, []))
    feeds = {"A": whole([4, 32], F32, 1), "c": np.array(True)}
    for limits in ((4, 16, 4), (4, 5, 4)):
        lowered = onnxtile.lower(made, limits)
        assert onnxtile.check(lowered, limits).ok
        np.testing.assert_array_equal(plainly(lowered, feeds), plainly(made, feeds))
        assert_verified(made, lowered)


def test_on_an_engine_they_stand_in_the_order_of_their_schedule() -> None:
    engine = engine_of(
        product_types=["float32", "float32"], product_accumulate="float32", local_size=4000, memory_bandwidth=1,
        product_max={"M": 4, "K": 32, "N": 4}, product_multiple={"K": 16},
    )  # fmt: skip
    made = n_bits([6, 80], 80, 10, zeros="packed", bias=True)
    lowered, report = onnxtile.lower(made, engine=engine, report=True)
    scheduled = report.contractions[0].scheduled
    assert scheduled is not None
    assert scheduled.schedule.tile[1] % 16 == 0
    tiles = [node for node in lowered.graph.node if node.op_type == "MatMulNBits"]
    boxes = [entry.value for node in tiles for entry in node.metadata_props if entry.key == "onnxtile.tile"]
    calls = scheduled.schedule.calls(Product(6, 80, 10))
    assert boxes == [f"m{m}:{m_end},k{k}:{k_end},n{n}:{n_end}" for (m, m_end), (k, k_end), (n, n_end) in calls]
    assert_verified(made, lowered)
    found = onnxtile.profile(lowered, engine=engine).engine
    assert found is not None
    assert found.totals.bytes == scheduled.bytes
