"""The compact model as protobuf: calls written out, everything else as it was."""

from __future__ import annotations

import onnx
import onnx_ir as ir
import pytest

from onnxtile.ir.io.load import from_proto
from onnxtile.lowering.model_writer import to_proto, write_calls
from onnxtile.passes import InferShapes, TileMatMul
from onnxtile.tiling.forms.table import FORMS
from onnxtile.tiling.limits import Limits
from tests.support import matmul, parse


def compact(model: onnx.ModelProto, form: str = "unrolled") -> ir.Model:
    read = from_proto(model)
    InferShapes()(read)
    TileMatMul(Limits(4, 4, 4), form=form)(read)
    return read


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("weights", ["pretile", "split"])
def test_calls_are_written_out_and_the_model_stays(form: str, weights: str) -> None:
    model = compact(matmul([5, 6], [6, 7], [5, 7]), form)
    before = ir.to_proto(model)
    proto = to_proto(model, FORMS[form], weights)
    onnx.checker.check_model(proto, full_check=True)
    assert (proto.graph.node[0].domain == "onnxtile") == (form == "function")
    assert bool(proto.functions) == (form == "function")
    assert ir.to_proto(model) == before


def test_a_model_without_calls_is_written_as_it_is() -> None:
    text = """<ir_version: 10, opset_import: ["" : 18], producer_name: "made"> g (float[2] x) => (float[2] y) "doc" {
       [a] h = Relu (x)  [b] y = If (c) <then_branch = t () => (float[2] p) { p = Neg (h) },
                                         else_branch = e () => (float[2] q) { q = Abs (h) }> }"""
    model = parse(text.replace(' "doc"', "").replace("[b] y", "c = Constant <value = bool {1}> ()  [b] y"))
    assert to_proto(from_proto(model)) == model


def test_nodes_are_bytes_apart() -> None:
    model = compact(matmul([5, 6], [6, 7], [5, 7]))
    in_pieces = write_calls(model, FORMS["unrolled"], "pretile", keep_external=True)
    assert not in_pieces.proto.graph.node
    graph = onnx.GraphProto.FromString(bytes(in_pieces.nodes))
    assert len(graph.node) == in_pieces.count
    assert list(graph.node) == list(to_proto(model).graph.node)
