"""Attention node by node: what is refused, what stays, where it may be, and what verify makes of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import helper

import onnxtile
from onnxtile.errors import PassError
from onnxtile.operators.contractions import contractions
from onnxtile.passes import DecomposeAttention, InferShapes
from tests.passes.test_decompose_attention import attention
from tests.support import make, run_reference, whole


def simple(opset: int = 24, **attributes: Any) -> onnx.ModelProto:
    shapes = {"Q": [1, 2, 3, 8], "K": [1, 2, 6, 8], "V": [1, 2, 6, 8]}
    return attention(
        {name: whole(s, np.dtype(np.float32), 0) for name, s in shapes.items()}, ["Y"], opset, **attributes
    )


def refused(model: onnx.ModelProto, words: str) -> None:
    """`lower` leaves the model as it is and says why."""
    report = onnxtile.estimate(model, (4, 4, 4), ops="attention")[0]
    reasons = {row.reason for row in report.contractions if row.status == "refused"}
    assert any(words in str(reason) for reason in reasons), reasons
    assert onnxtile.lower(model, (4, 4, 4), ops="attention", form="batched") == model


def test_empty_operands_are_refused() -> None:
    model = simple()
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_value = 0
    for value in model.graph.input[1:]:
        value.type.tensor_type.shape.dim[0].dim_value = 0
    refused(model, "empty: Q is empty, which the function body can't reshape")


def test_unknown_numbers_of_keys_are_refused() -> None:
    model = simple()
    for value in model.graph.input[1:]:
        value.type.tensor_type.shape.dim[2].dim_param = "keys"
    refused(model, "symbolic-n: N is 'keys'; bind it with --bind keys=INT")


def test_the_pass_alone_writes_out_every_attention() -> None:
    model = ir.from_proto(simple())
    onnxtile.PassManager([InferShapes(), DecomposeAttention()])(model)
    assert "Attention" not in [node.op_type for node in model.graph]
    assert all(node.name.startswith("attn/") for node in model.graph)
    assert {node.metadata_props["onnxtile.origin"] for node in model.graph} == {"attn"}
    without_shapes = ir.from_proto(simple())
    without_shapes.graph.inputs[0].shape = None
    with pytest.raises(PassError, match=r"the shape of input 0 \('Q'\) isn't known; run infer-shapes first"):
        onnxtile.PassManager([DecomposeAttention()], check=False)(without_shapes)


def test_attention_within_the_limits_stays() -> None:
    assert onnxtile.lower(simple(), (8, 8, 8), ops="attention") == simple()
    assert onnxtile.lower(simple(), (1, 1, 1), ops="matmul") == simple()


def test_other_products_stay_where_only_attention_is_asked_for() -> None:
    model = simple()
    model.graph.node.append(helper.make_node("MatMul", ["Y", "W"], ["Z"], "after"))
    model.graph.input.append(helper.make_tensor_value_info("W", 1, [8, 8]))
    model.graph.output.append(helper.make_tensor_value_info("Z", 1, [1, 2, 3, 8]))
    assert "after" in [node.name for node in onnxtile.lower(model, (4, 4, 4), ops="attention").graph.node]
    assert "after" not in [node.name for node in onnxtile.lower(model, (4, 4, 4), ops="attention,matmul").graph.node]


def test_attention_in_a_body_and_twice_with_equal_names() -> None:
    info = helper.make_tensor_value_info
    nodes = [helper.make_node("Attention", ["X", "X", "X"], [name], "attn", is_causal=1) for name in ("once", "again")]
    add = helper.make_node("Add", ["once", "again"], ["sum"])
    then = helper.make_graph([*nodes, add], "then", [], [info("sum", 1, [1, 2, 6, 8])])
    other = helper.make_graph(
        [helper.make_node("Identity", ["X"], ["same"])], "other", [], [info("same", 1, [1, 2, 6, 8])]
    )
    branch = helper.make_node("If", ["C"], ["Y"], then_branch=then, else_branch=other)
    x, c = info("X", 1, [1, 2, 6, 8]), info("C", onnx.TensorProto.BOOL, [])
    model = make(helper.make_graph([branch], "graph", [x, c], [info("Y", 1, [1, 2, 6, 8])]), 24)
    result = onnxtile.lower(model, (4, 4, 4), ops="attention")
    onnx.checker.check_model(result, full_check=True)
    assert all(row.status == "fits" for row in onnxtile.check(result, (4, 4, 4), ops="all").contractions)
    feeds = {"X": np.random.default_rng(0).standard_normal([1, 2, 6, 8]).astype(np.float32), "C": np.array(True)}
    np.testing.assert_allclose(run_reference(result, feeds)[0], run_reference(model, feeds)[0], rtol=1e-5)


@pytest.mark.parametrize("attributes", [{}, {"is_causal": 1}, {"scale": 0.3, "softcap": 2.0}], ids=str)
def test_verify_holds_and_sees_a_wrong_weight(attributes: dict[str, Any]) -> None:
    model = simple(**attributes)
    result = onnxtile.lower(model, (4, 4, 4), ops="attention")
    assert onnxtile.verify(model, result).equivalent
    (product,) = [node for node in result.graph.node if node.name.endswith("/QScaled")]
    product.op_type = "Add"
    assert not onnxtile.verify(model, result).equivalent


def test_products_of_the_body_have_the_sizes_that_the_table_tells() -> None:
    model = ir.from_proto(simple())
    InferShapes()(model)
    told = [found.size for found in contractions(model)]
    DecomposeAttention()(model)
    assert [found.size for found in contractions(model)] == told
