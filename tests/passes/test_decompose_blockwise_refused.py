"""Products by packed weights: what is refused, with which words, what is only sized, hostile sizes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import onnxtile
from onnxtile.passes import decompose_blockwise as its_pass
from tests.passes.test_decompose_blockwise import F32, INFO, bnb4, model, n_bits
from tests.support import operators


def changed(made: onnx.ModelProto, **attributes: int) -> onnx.ModelProto:
    node = made.graph.node[0]
    kept = [attribute for attribute in node.attribute if attribute.name not in attributes]
    del node.attribute[:]
    node.attribute.extend([*kept, *(helper.make_attribute(name, value) for name, value in attributes.items())])
    return made


def with_tensor(made: onnx.ModelProto, name: str, array: np.ndarray) -> onnx.ModelProto:
    next(tensor for tensor in made.graph.initializer if tensor.name == name).CopyFrom(
        numpy_helper.from_array(array, name)
    )
    return made


def as_input(made: onnx.ModelProto, name: str) -> onnx.ModelProto:
    tensor = next(each for each in made.graph.initializer if each.name == name)
    made.graph.input.append(INFO(name, tensor.data_type, tensor.dims))
    made.graph.initializer.remove(tensor)
    return made


def unknown(made: onnx.ModelProto) -> onnx.ModelProto:
    """A is what an operator makes that nobody knows."""
    made.graph.input[0].name = "X"
    made.graph.node.insert(0, helper.make_node("Secret", ["X"], ["A"], domain="elsewhere"))
    made.opset_import.append(helper.make_opsetid("elsewhere", 1))
    made.graph.value_info.append(helper.make_value_info("A", helper.make_tensor_type_proto(1, None)))
    return made


def test_too_many_tiles_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(its_pass, "MOST_PACKED_TILES", 3)
    (row,) = onnxtile.estimate(n_bits([4, 32], 32, 8), (4, 16, 4))[0].contractions
    assert row.status == "refused"
    assert str(row.reason) == "too-many-tiles: it makes 4 tiles of packed weights, more than 3; take a larger --max"


FUSED = {
    "MatMulNBitsMlp": ({"K": 32, "N": 8, "block_size": 32, "activation": "silu"}, [(4, 32, 8)] * 2),
    "MatMulNBitsQkv": ({"K": 32, "Nq": 8, "Nkv": 4, "block_size": 32}, [(4, 32, 8), (4, 32, 4), (4, 32, 4)]),
}


@pytest.mark.parametrize("op_type", FUSED)
def test_fused_operators_are_sized(op_type: str) -> None:
    attributes, wanted = FUSED[op_type]
    node = helper.make_node(op_type, ["A"], ["Y"], "fc", domain="com.microsoft", **attributes)
    made = model(node, [4, 32], [4, 8], F32, 21)
    rows = onnxtile.check(made, (4, 4, 4)).contractions
    assert [(row.m, row.k, row.n) for row in rows] == wanted
    assert {row.status for row in rows} == {"over"}


@pytest.mark.parametrize("constant", [True, False])
def test_a_product_of_packed_bytes_is_sized_by_its_shape_operand(constant: bool) -> None:
    node = helper.make_node("MatMulFpQ4", ["A", "B", "s"], ["Y"], "fc", domain="com.microsoft")
    made = model(node, [4, 32], [4, 8], F32, 21, B=np.zeros(9, np.uint8), s=np.array([32, 8]))
    (row,) = onnxtile.check(made if constant else as_input(made, "s"), (4, 4, 4)).contractions
    assert ((row.k, row.n) == (32, 8)) == constant
    assert row.status == ("over" if constant else "unknown")


def test_a_block_of_hostile_size_is_as_long_as_the_weights() -> None:
    made = changed(with_tensor(bnb4([4, 32], 32, 8), "absmax", np.ones(1, F32)), block_size=1 << 60)
    assert operators(onnxtile.lower(made, (4, 16, 4))).count("MatMul") == 4
