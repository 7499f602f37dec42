"""A function of a node is a pass that rewrites such nodes, in every body and function."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.errors import PassError, UsageError
from onnxtile.passes.pipelines.pipeline import parse_pipeline, pipeline_text
from onnxtile.passes.rewrites.node_writer import NodeWriter
from tests.commands import exact
from tests.support import assert_verified, parse, run_onnxruntime


@onnxtile.rewrite("Div")
def multiply(node: ir.Node, op: NodeWriter, least: float = 0.0) -> ir.Value | None:
    """x / c := x * (1 / c), for a constant c that's a power of two, so that nothing is rounded."""
    x, c = node.inputs
    numbers = op.numbers(c)
    if numbers is None or (np.frexp(numbers)[0] != 0.5).any() or (numbers < least).any():
        return None
    return op.Mul(x, 1 / numbers)


@onnxtile.rewrite("Split")
def slices(node: ir.Node, op: NodeWriter) -> tuple[ir.Value, ...]:
    """Each output of a Split along the last axis into two equal parts := a Slice."""
    (x, *_), width = node.inputs, 2
    assert x is not None
    return tuple(op.Slice(x, [at], [at + width], [-1]) for at in (0, width))


@onnxtile.rewrite("Abs Neg")
def gives(node: ir.Node, op: NodeWriter, what: str = "input") -> Any:
    op.Mul(node.inputs[0], 2.0)
    return {"input": node.inputs[0], "nothing": None, "text": "y", "two": (node.inputs[0], node.inputs[0])}[what]


def test_options_are_checked_in_python_too() -> None:
    for wrong in ("a", None, True):
        with pytest.raises(UsageError, match=exact(f"least is {wrong!r}: give number")):
            multiply(least=wrong)


TEXT = """<ir_version: 8, opset_import: ["" : 17, "l" : 1]>
g (float[2,4] x, bool b) => (float[2,4] y) <float four = {4.0}, float three = {3.0}> {
   a = Div (x, four)  c = Div (a, three)  d = l.f (c)
   y = If (b) <then_branch = t () => (float[2,4] e) { e = Div (d, four) }, else_branch = u () => (float[2,4] h)
   { h = Neg (d) }> }
<domain: "l", opset_import: ["" : 17]> f (p) => (q) { two = Constant <value_float = 2.0> ()  q = Div (p, two) }"""


def test_nodes_are_rewritten_in_bodies_and_functions() -> None:
    original = parse(TEXT)
    model = ir.from_proto(original)
    (made,) = parse_pipeline(f"{__name__}:multiply{{least=2.0}}")
    assert made == multiply(least=2.0)
    assert pipeline_text([made, multiply()]) == f"{__name__}:multiply{{least=2.0}},{__name__}:multiply"
    manager = onnxtile.PassManager([made])
    assert manager(model).modified
    names = [[node.op_type for node in graph] for graph in (model.graph, *model.functions.values())]
    assert names == [["Mul", "Div", "f", "If"], ["Constant", "Mul"]]
    assert sorted(model.graph.initializers) == ["a/constant", "four", "three"][:1] + ["e/constant", "three"][1:]
    assert_verified(original, ir.to_proto(model))
    assert not manager(model).modified


def test_several_outputs_are_replaced_in_their_order() -> None:
    original = parse("""<ir_version: 8, opset_import: ["" : 17]> g (float[2,4] x) => (float[2,2] y, float[2,2] z) {
        y, z = Split <axis = -1> (x) }""")
    model = ir.from_proto(original)
    onnxtile.PassManager([slices()])(model)
    assert [node.op_type for node in model.graph] == ["Slice", "Slice"]
    feeds = {"x": np.arange(8, dtype=np.float32).reshape(2, 4)}
    for one, other in zip(run_onnxruntime(original, feeds), run_onnxruntime(ir.to_proto(model), feeds), strict=True):
        np.testing.assert_array_equal(one, other)


def neg() -> ir.Model:
    return ir.from_proto(
        parse('<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { y = Neg (x) }')
    )


def test_a_value_that_was_there_takes_a_nodes_place_through_an_identity() -> None:
    model = neg()
    onnxtile.PassManager([gives()])(model)
    assert [node.op_type for node in model.graph] == ["Mul", "Identity"]
    assert [value.name for value in (*model.graph.inputs, *model.graph.outputs)] == ["x", "y"]


def test_what_was_made_is_dropped_where_the_node_stays() -> None:
    model = neg()
    before = ir.to_proto(model).SerializeToString()
    assert not onnxtile.PassManager([gives(what="nothing")])(model).modified
    assert ir.to_proto(model).SerializeToString() == before
    assert not list(model.graph.initializers)
    assert len(list(model.graph.inputs[0].uses())) == 1


@pytest.mark.parametrize(
    ("what", "words"), [("text", "gave 'y' for Neg 'y'"), ("two", "gave 2 values for 1 output of Neg 'y'")]
)
def test_what_is_no_value_is_told(what: str, words: str) -> None:
    with pytest.raises(PassError, match=f"^pass gives: gives {words}: values of nodes are wanted, one an output"):
        onnxtile.PassManager([gives(what=what)])(neg())


@onnxtile.rewrite("Neg")
def raises(node: ir.Node, op: NodeWriter) -> ir.Value | None:
    return op.Mul(node.inputs[3], 2)


def test_an_error_in_the_function_names_the_node() -> None:
    with pytest.raises(PassError, match=exact("pass raises: Neg 'y': IndexError: tuple index out of range")):
        onnxtile.PassManager([raises()])(neg())


def test_rewrite_names_operators() -> None:
    for wrong, words in {
        "Add Subb": "rewrite names 'Subb', which isn't an operator of ONNX; did you mean 'Sub'?",
        "npu.Gated": "rewrite names 'npu.Gated', which isn't an operator of ONNX; of another domain it's "
        '@onnxtile.rewrite("Gated", domain="npu")',
        "FusedMatMul": "rewrite names 'FusedMatMul', which isn't an operator of ONNX; of another domain it's "
        '@onnxtile.rewrite("FusedMatMul", domain="com.microsoft")',
    }.items():
        with pytest.raises(UsageError, match=exact(words)):
            onnxtile.rewrite(wrong)
    assert onnxtile.rewrite("Gated", domain="npu")
    for wrong in ("", multiply):
        with pytest.raises(UsageError, match="rewrite names the operators whose nodes are rewritten: @onnxtile.rew"):
            onnxtile.rewrite(wrong)  # type: ignore[arg-type]  # that's the point
