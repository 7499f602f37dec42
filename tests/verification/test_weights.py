"""Weights that are drawn as outer products: what's cut out of them, and what isn't linear in them."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import onnxtile
from onnxtile.verification.verify import verify

M, K, N = 3, 100, 90


def _model(nodes: list[onnx.NodeProto], **constants: np.ndarray) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", 1, [M, K])],
        [helper.make_tensor_value_info("y", 1, [M, N])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _weight() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((K, N)).astype(np.float32)


def _original(weight: np.ndarray) -> onnx.ModelProto:
    return _model([helper.make_node("MatMul", ["x", "w"], ["y"], "product")], w=weight)


@pytest.mark.parametrize("form", ["unrolled", "batched", "loop", "function"])
@pytest.mark.parametrize("weight", [_weight(), np.full((K, N), 0.3, np.float32), np.zeros((K, N), np.float32)])
def test_tiles_of_a_weight_are_proven_in_all_forms(form: str, weight: np.ndarray) -> None:
    original = _original(weight)
    assert verify(original, onnxtile.lower(original, (2, 32, 16), form=form)).proven


@pytest.mark.parametrize("form", ["unrolled", "batched"])
def test_a_tile_of_which_one_element_is_the_next_float_differs(form: str) -> None:
    original = _original(_weight())
    lowered = onnx.ModelProto()
    lowered.CopyFrom(onnxtile.lower(original, (2, 32, 16), form=form))
    tensor = next(each for each in lowered.graph.initializer if each.data_type == 1 and len(each.dims) > 1)
    array = numpy_helper.to_array(tensor).copy()
    array.reshape(-1)[7] = np.nextafter(array.reshape(-1)[7], np.float32(9))
    tensor.raw_data = array.tobytes()
    assert not verify(original, lowered).equivalent


def test_two_tiles_in_another_s_place_differ() -> None:
    original = _original(_weight())
    lowered = onnx.ModelProto()
    lowered.CopyFrom(onnxtile.lower(original, (M, 50, N), form="unrolled"))
    products = [node for node in lowered.graph.node if node.op_type == "MatMul"]
    products[0].input[1], products[1].input[1] = products[1].input[1], products[0].input[1]
    assert not verify(original, lowered).equivalent


def test_what_is_zero_for_outer_products_alone_differs() -> None:
    """A determinant of x @ W is, so W has to be taken as it is."""
    weight = _weight()
    corners = [("p00", 0, 0), ("p11", 1, 1), ("p01", 0, 1), ("p10", 1, 0)]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["p"], "again")]
    constants = {"w": weight}
    for name, row, column in corners:
        constants[f"{name}_from"], constants[f"{name}_to"] = np.array([row, column]), np.array([row + 1, column + 1])
        nodes.append(helper.make_node("Slice", ["p", f"{name}_from", f"{name}_to"], [name], name))
    nodes += [
        helper.make_node("Mul", ["p00", "p11"], ["one"], "one"),
        helper.make_node("Mul", ["p01", "p10"], ["other"], "other"),
        helper.make_node("Sub", ["one", "other"], ["determinant"], "determinant"),
        helper.make_node("Add", ["p", "determinant"], ["y"], "product"),
    ]
    assert not verify(_original(weight), _model(nodes, **constants)).equivalent


def test_another_weight_of_the_same_name_differs() -> None:
    weight = _weight()
    nodes = [helper.make_node("MatMul", ["x", "copy"], ["y"], "other")]
    assert verify(_original(weight), _model(nodes, copy=weight)).proven
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], "other")]
    assert not verify(_original(weight), _model(nodes, w=weight[::-1])).equivalent


def test_a_product_with_a_weight_and_its_transposed_is_proven() -> None:
    """It's quadratic in the weight."""
    weight = np.random.default_rng(0).standard_normal((K, K)).astype(np.float32)
    head = helper.make_node("Transpose", ["w"], ["t"], "turned", perm=[1, 0])
    nodes = [
        head,
        helper.make_node("MatMul", ["x", "w"], ["a"], "a"),
        helper.make_node("MatMul", ["a", "t"], ["b"], "b"),
    ]
    last = [helper.make_node("MatMul", ["b", "v"], ["y"], "y")]
    original = _model([*nodes, *last], w=weight, v=_weight())
    lowered = onnxtile.lower(original, (2, 32, 16))
    assert verify(original, lowered).proven
    for node in lowered.graph.node:
        for names in (node.input, node.output):
            names[:] = [name if name in ("x", "y", "w", "v") else name and f"other_{name}" for name in names]
    for tensor in lowered.graph.initializer:
        tensor.name = tensor.name if tensor.name in ("w", "v") else f"other_{tensor.name}"
    assert verify(original, lowered).proven


def test_workers_come_to_the_same() -> None:
    weight = np.random.default_rng(0).standard_normal((K, K)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["a"], "a"), helper.make_node("MatMul", ["a", "v"], ["y"], "y")]
    original = _model(nodes, w=weight, v=_weight())
    lowered = onnxtile.lower(original, (2, 50, 16))
    one, two = (verify(original, lowered, workers=workers, seed=3) for workers in (1, 2))
    assert one.proven and one.to_json() == two.to_json()
    first, second = [node for node in lowered.graph.node if node.op_type == "MatMul"][:2]
    first.input[1], second.input[1] = second.input[1], first.input[1]
    assert not verify(original, lowered, workers=2).equivalent
