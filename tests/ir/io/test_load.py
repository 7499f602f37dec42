"""Models from files, protobuf and memory, checked; sparse weights and value_info come through."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import helper, numpy_helper

import onnxtile
from onnxtile.errors import ModelError
from onnxtile.ir.io import load as loading
from tests.support import parse

TEXT = '<ir_version: 10, opset_import: ["" : 18]> g (float[1] x) => (float[A] y) { y = Add (x, w) }'
W = np.arange(300, dtype=np.float32)


def model() -> onnx.ModelProto:
    return parse(TEXT, w=W)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no such file or directory; give the path of an ONNX file"),
        (b"", "holds no graph; give a whole ONNX model"),
        (b"\xff" * 9, "not an ONNX model, or cut off"),
        (b"hello", "not an ONNX model, or cut off"),
    ],
)
def test_what_is_no_model(content: bytes | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=f"m.onnx: {words}"):
        loading.load(path)


def test_weights_are_mapped_until_they_are_needed(tmp_path: Path) -> None:
    onnx.save(model(), tmp_path / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    read = loading.load(tmp_path / "m.onnx")
    assert loading.external_files(read) == [tmp_path / "w.bin"]
    assert isinstance(read.graph.initializers["w"].const_value, ir.ExternalTensor)
    loading.read_external_data(read)
    assert loading.external_files(read) == []
    (tmp_path / "w.bin").unlink()
    tensor = read.graph.initializers["w"].const_value
    assert tensor is not None
    np.testing.assert_array_equal(tensor.numpy(), W)


def test_sparse_weights_are_carried_over() -> None:
    sparse = model()
    values, indices = numpy_helper.from_array(W[:2], "w"), numpy_helper.from_array(np.array([3, 7]), "w_indices")
    del sparse.graph.initializer[:]
    sparse.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [300]))
    read = loading.from_proto(sparse)
    assert [value.name for value in read.graph.inputs] == ["x", "w"]
    written = ir.to_proto(read)
    loading.carry_over(read, written)
    assert written.graph.sparse_initializer == sparse.graph.sparse_initializer
    assert [value.name for value in written.graph.input] == ["x"]


def test_a_copy_is_changed_alone_and_shares_weights() -> None:
    original = loading.from_proto(model())
    original.meta["note"] = 1
    copy = loading.copy_of(original)
    copy.graph[0].name = "renamed"
    assert original.graph[0].name != "renamed"
    assert copy.meta["note"] == 1
    assert copy.graph.initializers["w"].const_value is original.graph.initializers["w"].const_value


def test_a_model_in_memory_is_checked_and_stays() -> None:
    original = ir.from_proto(model())
    read = loading.from_ir(original)
    assert read is not original
    assert ir.to_proto(read) == ir.to_proto(original)
    original.graph[0].op_type = "Nonesuch"
    with pytest.raises(ModelError, match="onnx's checker says: No Op registered for Nonesuch"):
        loading.from_ir(original)


def strange(name: str | None = "q") -> ir.Value:
    return ir.Value(name=name, type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape([1]))


def missing_output(broken: ir.Model) -> None:
    broken.graph.outputs[0] = strange()


def missing_input(broken: ir.Model) -> None:
    broken.graph[0].replace_input_with(0, strange())


def nameless_input(broken: ir.Model) -> None:
    broken.graph[0].replace_input_with(0, strange(None))


def input_of_another_graph(broken: ir.Model) -> None:
    broken.graph[0].replace_input_with(0, ir.from_proto(model()).graph.inputs[0])


def producer_taken_out(broken: ir.Model) -> None:
    broken.graph.remove(broken.graph[0])


def missing_output_of_a_body(broken: ir.Model) -> None:
    bodies = {name: ir.Graph([], [strange()], nodes=[]) for name in ("then_branch", "else_branch")}
    broken.graph.append(ir.node("If", [broken.graph.inputs[0]], bodies))


def missing_output_of_a_function(broken: ir.Model) -> None:
    function = ir.Function("d", "f", graph=ir.Graph([strange("x")], [strange()], nodes=[]), attributes=[])
    broken.functions[function.identifier()] = function


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (missing_output, "nothing computes the output 'q'"),
        (missing_input, "Add 'y' reads 'q', which nothing before it computes"),
        (nameless_input, "Add 'y' reads None, which nothing before it computes"),
        (input_of_another_graph, "Add 'y' reads 'x', which nothing before it computes; .* or of another graph"),
        (producer_taken_out, "nothing computes the output 'y'"),
        (missing_output_of_a_body, "nothing computes the output 'q'"),
        (missing_output_of_a_function, "nothing computes the output 'q'"),
    ],
)
def test_values_in_memory_that_nothing_computes(spoil: Callable[[ir.Model], None], words: str) -> None:
    broken = ir.from_proto(model())
    spoil(broken)
    with pytest.raises(ModelError, match=words):
        loading.from_ir(broken)


@pytest.mark.parametrize("described", [False, True])
def test_value_info_of_a_weight_is_remembered(described: bool) -> None:
    proto = model()
    if described:
        proto.graph.value_info.append(helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, [300]))
    assert loading.has_value_info(loading.from_proto(proto).graph.initializers["w"]) == described


UNSORTED = """<ir_version: 10, opset_import: ["" : 18]> g (float[2,2] x, bool c) => (float[2,2] y) {
   a = Neg (x)
   y = If (c) <then_branch = t () => (float[2,2] p) { p = Abs (n) n = Neg (a) },
               else_branch = e () => (float[2,2] q) { q = Neg (late) }>
   late = Abs (a) }"""


def test_nodes_that_are_out_of_order_are_sorted() -> None:
    model = onnx.parser.parse_model(UNSORTED)
    assert [node.op_type for node in loading.from_proto(model).graph] == ["Neg", "Abs", "If"]
    onnx.checker.check_model(onnxtile.lower(model, (4, 4, 4)))


def test_a_cycle_is_refused() -> None:
    model = onnx.parser.parse_model(UNSORTED.replace("a = Neg (x)", "a = Neg (late)"))
    with pytest.raises(ModelError, match="Neg 'a' reads 'late', which nothing before it computes; there is a"):
        loading.from_proto(model)
