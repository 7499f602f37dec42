"""The model without its weights says the same to onnx's checker; disorder is refused with the value's name."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import helper, numpy_helper

from onnxtile.errors import ModelError
from onnxtile.ir.io.checker import (
    KEPT_ELEMENTS,
    check_names,
    check_proto,
    check_structure,
    one_line,
    skeleton,
    skeleton_of_proto,
)
from tests.support import parse

LARGE, SMALL = np.ones([KEPT_ELEMENTS + 1], np.float32), np.ones([KEPT_ELEMENTS], np.float32)
TEXT = """<ir_version: 10, opset_import: ["" : 18]> g (float[1] x, bool c) => (float[A] y) {
   a = Add (x, large)  b = Add (x, small)
   y = If (c) <then_branch = t () => (float[A] p) { p = Add (a, inner) },
               else_branch = e () => (float[A] q) { q = Add (b, large) }> }"""


def model() -> onnx.ModelProto:
    proto = onnx.parser.parse_model(TEXT)
    proto.graph.initializer.extend([numpy_helper.from_array(LARGE, "large"), numpy_helper.from_array(SMALL, "small")])
    proto.graph.node[2].attribute[0].g.initializer.append(numpy_helper.from_array(LARGE, "inner"))
    onnx.checker.check_model(proto)
    return proto


@pytest.mark.parametrize("in_memory", [False, True])
def test_a_skeleton_has_no_large_weights_and_is_valid(in_memory: bool) -> None:
    whole = model()
    loaded = ir.from_proto(whole)
    light = skeleton(loaded) if in_memory else skeleton_of_proto(whole)
    onnx.checker.check_model(light)
    assert [tensor.name for tensor in light.graph.initializer] == ["small"]
    assert [value.name for value in light.graph.input] == ["x", "c", "large"]
    then = light.graph.node[2].attribute[0].g
    assert [(node.op_type, list(node.output)) for node in then.node] == [("Weight", ["inner"]), ("Add", ["p"])]
    assert {value.name for value in then.value_info} == {"inner"}
    assert light.ByteSize() < 2 * LARGE.nbytes
    assert ir.to_proto(loaded).ByteSize() > 2 * LARGE.nbytes  # the model keeps its own


def test_disorder_is_refused_by_the_names_of_node_and_value() -> None:
    late = parse('<ir_version: 10, opset_import: ["" : 18]> g (float[1] x) => (float[1] y) { a = Neg (x) y = Abs (a) }')
    disordered = ir.from_proto(late)
    check_structure(disordered)
    neg, absolute = list(disordered.graph)
    disordered.graph.remove(neg)
    disordered.graph.append(neg)
    with pytest.raises(ModelError, match="Abs 'y' reads 'a', which nothing before it computes; there is a cycle, or"):
        check_structure(disordered)
    disordered.graph.remove(absolute)
    with pytest.raises(ModelError, match="nothing computes the output 'y'"):
        check_structure(disordered)


def test_what_the_checker_of_onnx_says_is_one_line() -> None:
    wrong = helper.make_model(helper.make_graph([helper.make_node("Nonesuch", [], ["y"])], "g", [], []), ir_version=10)
    with pytest.raises(ModelError, match="^onnx's checker says: .*Nonesuch") as error:
        check_proto(wrong)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([("Neg", "x", "a"), ("Abs", "b", "y")], "Abs 'n1' reads 'b', which nothing before it computes"),
        ([("Neg", "x", "a"), ("Abs", "a", "a")], "Abs 'n1' computes 'a', which is there already"),
        ([("Neg", "x", "x")], "Neg 'n0' computes 'x', which is there already"),
    ],
)
def test_names_over_protobuf(nodes: list[tuple[str, str, str]], words: str) -> None:
    made = [helper.make_node(op, [value], [out], f"n{at}") for at, (op, value, out) in enumerate(nodes)]
    graph = helper.make_graph(made, "g", [], [])
    with pytest.raises(ModelError, match=words):
        check_names(graph, ["x"])
    check_names(model().graph, ())


def test_words_on_one_line() -> None:
    assert one_line(ValueError("a\n  b\n\n==> Context: long trail")) == "a b"
    assert one_line(KeyError()) == "KeyError"
