"""The function body of an operator for one node, or why there is none."""

from __future__ import annotations

import onnx
import onnx_ir as ir
import pytest
from onnx import helper

import onnxtile
from onnxtile.errors import PassError
from onnxtile.passes import DecomposeAttention, InferShapes
from onnxtile.passes.rewrites.function_bodies import NoBodyError, schema_of, written_out
from tests.passes.test_decompose_attention_nodes import refused, simple
from tests.support import node_model


def test_an_attribute_that_the_operator_lacks_is_refused() -> None:
    model = ir.from_proto(simple())
    model.graph[0].attributes["left_window_size"] = ir.AttrInt64("left_window_size", 2)
    with pytest.raises(PassError, match="Attention of opset 24 has no attribute 'left_window_size'; remove it"):
        onnxtile.PassManager([InferShapes(), DecomposeAttention()], check=False)(model)


def test_values_of_another_type_are_refused() -> None:
    model = simple()
    model.graph.input[2].type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    refused(model, "body: onnx refuses its function body")


def test_a_graph_that_reads_values_from_outside_is_refused() -> None:
    info = helper.make_tensor_value_info
    add = helper.make_node("Add", ["scores", "K_sum"], ["moved"])
    score_mod = helper.make_graph([add], "mod", [info("scores", 1, [1, 2, 3, 6])], [info("moved", 1, [1, 2, 3, 6])])
    node = helper.make_node(
        "FlexAttention", ["Q", "K", "V"], ["Y"], "attn", domain="ai.onnx.preview", score_mod=score_mod
    )
    axes = helper.make_node("ReduceSum", ["K"], ["K_sum"], keepdims=0)
    infos = [info(name, 1, shape) for name, shape in (("Q", [1, 2, 3, 8]), ("K", [1, 2, 6, 8]), ("V", [1, 2, 6, 8]))]
    graph = helper.make_graph([axes, node], "graph", infos, [info("Y", 1, [1, 2, 3, 8])])
    opsets = [helper.make_opsetid("", 26), helper.make_opsetid("ai.onnx.preview", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    refused(model, "body: a graph among its attributes reads values from outside")


def test_a_body_has_the_node_s_types_and_shapes() -> None:
    model = ir.from_proto(node_model("Attention", [[1, 2, 3, 4], [1, 2, 5, 4], [1, 2, 5, 6]], [4], opset=23))
    InferShapes()(model)
    body = written_out(model.graph[0], model)
    products = [node for node in body.graph if node.op_type == "MatMul"]
    assert [node.outputs[0].shape for node in products] == [ir.Shape([1, 2, 3, 5]), ir.Shape([1, 2, 3, 6])]
    assert [value.name for value in body.graph.inputs] == ["Q", "K", "V"]
    assert written_out(model.graph[0], model) is body  # equal nodes share it


def test_an_operator_without_a_body() -> None:
    model = ir.from_proto(node_model("MatMul", [[2, 3], [3, 4]], [2]))
    InferShapes()(model)
    with pytest.raises(NoBodyError, match="defines no function body for it as it is"):
        written_out(model.graph[0], model)
    model.graph[0].op_type = "Nonesuch"
    with pytest.raises(NoBodyError, match="has no Nonesuch in opset 22"):
        schema_of(model.graph[0], model.opset_imports)
    with pytest.raises(NoBodyError, match="the model doesn't import the domain 'acme'; import it"):
        schema_of(ir.node("Mine", [], domain="acme"), model.opset_imports)
